"""What stands around every citizen's page: the navigation, the profiles one may act for, the numbers beside the links."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import Connection

from foundation.web.sessions import Session
from foundation.web.site import Around, Link, Profile
from health_space.profiles.operations import profiles_of

TEMPLATES = Path(__file__).parent / "templates"
BANNERS = {"nouveau": "Votre nouveau mot de passe est enregistré."}
NAV = (
    Link("/accueil", "Accueil"),
    Link("/messagerie", "Messagerie"),
    Link("/documents", "Documents"),
    Link("/notifications", "Notifications"),
)

Counter = Callable[[Connection, int], int]


def around(
    name_of: Callable[[Connection, int], str], badges: Mapping[str, Counter]
) -> Callable[[Connection, Session], Around]:
    """For `Web(around=…)`. `name_of(conn, box)` = display name; `badges`: by navigation href, counts for the profile acted for."""

    def of_session(conn: Connection, session: Session) -> Around:
        boxes = [profile.box_id for profile in profiles_of(conn, session.person)]
        box = session.profile if session.profile in boxes else session.person
        counts = {href: count(conn, box) for href, count in badges.items()}
        return Around(tuple(Profile(each, name_of(conn, each)) for each in boxes), counts)

    return of_session

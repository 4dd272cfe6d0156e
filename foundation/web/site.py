"""What all pages of one site share: its settings, what stands around a page, and where its rows, keys and templates are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from foundation.clock import Clock, system_clock
from foundation.database import Database
from foundation.keys import KeyRing
from foundation.web import french, sessions, templating
from foundation.web.sessions import Session
from foundation.web.static import StaticFiles


@dataclass(frozen=True, slots=True)
class WebSettings:
    origin: str = ""  # « https://messagerie.exemple.example », as browsers send it; "": as Host says
    https: bool = True  # the browser's side: cookies are `__Host-` and Secure
    product: str = "Ma messagerie de santé"
    home: str = "/accueil"
    help_line: str = "En cas d'urgence, appelez le 15 ou le 112."
    help: str = ""  # how to reach the people who help, as shown; "": nobody is named
    realm: str = (
        ""  # whose pages, where one site serves two kinds of people: a session of one opens nothing in the other
    )
    sign_in: str = "/connexion"
    sign_out: str = "/deconnexion"
    alive: str = "/session"  # asked by session.js
    about: str = ""  # below it: `/aide`, `/accessibilite`, `/donnees-personnelles`, at the foot of every page
    banners: Mapping[str, str] = field(default_factory=dict)  # of `?fait=`, on whatever page comes next


@dataclass(frozen=True, slots=True)
class Link:
    href: str
    label: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Someone the signed-in person may act for, themselves included."""

    box: int
    name: str


@dataclass(frozen=True, slots=True)
class Around:
    """What every page shows around its content; `badges` = number beside a navigation link, by its href."""

    profiles: tuple[Profile, ...]
    badges: Mapping[str, int] = field(default_factory=dict)


class Site:
    """`around(conn, session)` runs in the read that looks the session up: keep it cheap."""

    def __init__(
        self,
        db: Database,
        keys: KeyRing,
        settings: WebSettings,
        templates: Mapping[str, Path],
        nav: tuple[Link, ...],
        around: Callable[[Connection, Session], Around],
        clock: Clock = system_clock,
    ) -> None:
        self.db, self.keys, self.settings, self.clock = db, keys, settings, clock
        self.nav, self.around = nav, around
        self.env = templating.environment(templates)
        self.static = StaticFiles()
        self.env.globals.update(
            static=self.static.address,
            product=settings.product,
            help_line=french.typeset(settings.help_line),
            help=french.typeset(settings.help),
        )
        self.env.globals["session_notice"] = sessions.NOTICE
        self.cookie = ("__Host-" if settings.https else "") + "-".join(filter(None, ("session", settings.realm)))

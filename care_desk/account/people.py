"""Who signs in on these pages: a person, by their credential. In a team's mailbox several do, each with an account of their own."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from care_desk.account.deps import Tell
from foundation.audit import Audit
from foundation.database import Transaction
from foundation.web.sessions import Session, Stage
from foundation.web.site import Around, Link, Profile, WebSettings
from health_space.accounts.port import Known
from mssante.credentials import Credentials, SignedIn
from mssante.kinds import BoxKind
from mssante.mailbox import Mailbox

HOME = "/mon-compte"
SIGN_IN = f"{HOME}/connexion"
TEAMS = "/boites-partagees"
DIRECTORY = "/annuaire"
BANNERS = {  # after a second factor is enrolled in the middle of signing in, the next page may be any
    "application": "Votre application de codes est enregistrée.",
    "cle": "Votre clé d'accès est enregistrée.",
    "nouveau": "Votre nouveau mot de passe est enregistré.",
    "recupere": "C'est enregistré. Ce que vous avez perdu n'ouvre plus rien.",
}
NAV = (
    Link(HOME, "Mon compte"),
    Link(TEAMS, "Boîtes partagées"),
    Link(DIRECTORY, "Annuaire"),
    Link("/regler-ma-messagerie", "Mon logiciel"),  # on one line at 360 px
)


def web_settings(https: bool, help: str = "", origin: str = "") -> WebSettings:
    return WebSettings(
        origin=origin,
        https=https,
        product="Messagerie des professionnels",
        home=HOME,
        help=help,
        realm="pro",
        sign_in=SIGN_IN,
        sign_out=f"{HOME}/deconnexion",
        alive=f"{HOME}/session",
        about=HOME,
        banners=BANNERS,
    )


def professionals(found: SignedIn, box: Mailbox) -> Known | None:
    """The holder's private address is a person's in a personal mailbox only."""
    if found.kind is BoxKind.CIT:
        return None
    private_email = box.holder.private_email if found.kind is BoxKind.PER else ""
    return Known(found.credential_id, found.credential_id, private_email or None, found.totp, found.passkey)


def blocked_passkey(audit: Audit, tell: Tell) -> Callable[[Transaction, int], None]:
    """For `PageSignIn`."""

    def blocked(tx: Transaction, credential: int) -> None:
        audit.record(tx, "account:passkey:block", f"credential {credential}")
        tell(tx, credential, "passkey_blocked")

    return blocked


def renewed_password(audit: Audit, tell: Tell) -> Callable[[Transaction, int, int], None]:
    """For `PageSignIn`."""

    def renewed(tx: Transaction, credential: int, recovery: int) -> None:
        audit.record(tx, "account:password:recover", f"credential {credential}", {"recovery": recovery})
        tell(tx, credential, "password_recovered")

    return renewed


def may_enrol(session: Session) -> bool:
    """A second factor: who is signed in; or has given the password, and has nothing else to be asked for (or has lost it)."""
    no_factor = session.stage is Stage.CODE and not any(session.data.get(one) for one in ("totp", "passkey", "email"))
    return session.stage is Stage.SIGNED_IN or no_factor or bool(session.data.get("recovery"))


def around(credentials: Credentials) -> Callable[[Connection, Session], Around]:
    """For `Web(around=…)`: nobody once the credential is revoked or the mailbox closed."""

    def of_session(conn: Connection, session: Session) -> Around:
        who = credentials.of(conn, session.person)
        return Around(() if who is None else (Profile(session.person, who.actor),))

    return of_session

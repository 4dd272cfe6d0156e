"""Who is signed in, as values: what a sign-in opens, what an application password leaves of it, how names are compared. Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import Any

from mssante.identity import Invalid, parse_rpps
from mssante.kinds import BoxKind, SignInState
from mssante.passwords import LONGEST, PasswordHash
from mssante.rights import Role

MAIL, WEB = "mail", "web"  # scopes: IMAP and SMTP; the pages
IMAP, SUBMISSION = "imap", "submission"  # the parts of MAIL, which an application password can have one of
STAMP = 12  # octets at the beginning of what is sealed: its nonce, another one for another password


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """`actor` is the member's or citizen's name, shown and traced, never logged. `role` as it was at sign-in.

    `totp`: an authenticator is enrolled; `passkey`: a passkey is. `app_password`: the id of the one that was used, 0 for the
    person's own password, which `stamp` tells from a later one. `at`: when they signed in, ms; 0 for who only stands for a number.
    `name`: the mailbox's in the directory.
    """

    credential_id: int
    box_id: int
    address: str
    kind: BoxKind
    actor: str
    role: Role
    scopes: frozenset[str]
    totp: bool
    app_password: int = 0
    stamp: bytes = b""
    passkey: bool = False
    at: int = 0
    name: str = ""

    @property
    def enrolled(self) -> bool:
        """Whether there is a second factor that the person holds (a code by e-mail is none)."""
        return self.totp or self.passkey

    def __repr__(self) -> str:
        return f"SignedIn(credential {self.credential_id}, box {self.box_id})"


@dataclass(frozen=True, slots=True, repr=False)
class NewCredential:
    """`password_hash` from `passwords.hash_password`, made outside the transaction: it takes 40 ms.

    `subject`: how an OpenID provider names the person (their RPPS number).
    """

    box_id: int
    login: str
    actor: str
    password_hash: PasswordHash
    scopes: frozenset[str] = frozenset({MAIL, WEB})
    role: Role = Role.HOLDER
    subject: str = ""

    def __repr__(self) -> str:
        return f"NewCredential(box {self.box_id})"


@dataclass(frozen=True, slots=True, repr=False)
class Member:
    """Someone who can sign in to a mailbox."""

    credential_id: int
    login: str
    actor: str
    role: Role
    scopes: frozenset[str]
    state: SignInState

    @property
    def active(self) -> bool:
        return self.state is SignInState.ACTIVE

    def __repr__(self) -> str:
        return f"Member(credential {self.credential_id})"


class LoginTaken(Exception):
    """The login is another credential's."""


def login_form(login: str) -> str:
    """Logins compare without case or compatibility forms (RFC 8265 3.3, UsernameCaseMapped)."""
    text = login[: LONGEST + 1].strip().encode("utf-8", "replace").decode()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def subject_form(name: str) -> str:
    """How a person is looked up: the RPPS number where the name is one, also after the « 8 » that Pro Santé Connect puts before it
    (national identifier); else the name as a login is written."""
    number = name[1:] if len(name) == 12 and name.startswith("8") else name
    rpps = parse_rpps(number)
    return login_form(name) if isinstance(rpps, Invalid) else rpps.value


def covers(who: SignedIn, scope: str | None) -> bool:
    """Whether `who` may come in by a door that needs `scope`; None: no door."""
    if scope is None or scope in who.scopes:
        return True
    parts = {IMAP, SUBMISSION}
    return MAIL in who.scopes if scope in parts else scope == MAIL and parts <= who.scopes


def by_own_password(who: SignedIn, row: Any, apps: list[Any]) -> SignedIn:
    """What the person's own password opens: no mail client beside a second factor."""
    scopes = who.scopes - {MAIL} if who.enrolled or apps else who.scopes
    return replace(who, scopes=scopes, stamp=bytes(row.sealed_password[:STAMP]))


def by_app_password(who: SignedIn, app: Any) -> SignedIn:
    return replace(who, scopes=frozenset(app.protocols.split()), app_password=app.id, stamp=b"")

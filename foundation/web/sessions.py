"""Web sessions: an opaque 256-bit id in a cookie, its SHA-256 in the database, nothing to forge and everything to revoke.

A session passes two stages: password given (CODE), then one-time code given (SIGNED_IN); the id changes at each step (no session
fixation). One in which somebody else is asked who is there (ASKED) is nobody's yet, and seen by the pages that ask only. It ends
after 20 minutes without a page (5 on a shared computer) and after 12 hours whatever happens. An ended row is kept for a day, so
that a form sent too late is given back to the same person (`kept`); it opens nothing any more.
The id begins with its realm, if it has one: where one site serves two kinds of people, each has sessions of their own.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass, field, replace
from enum import IntEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Select, delete, select, update

from foundation.clock import HOUR, MINUTE
from foundation.database import Transaction
from foundation.keys import KeyRing, Tampered
from foundation.web.tables import web_kept_forms, web_once, web_sessions

IDLE = 20 * MINUTE
IDLE_SHARED = 5 * MINUTE
ABSOLUTE = 12 * HOUR
CODE_STEP = 15 * MINUTE
KEPT = 26 * HOUR  # WCAG 2.2.6 asks 20 hours, we promise 24
NOTICE = 2 * MINUTE  # how long before its end the page says so
HANDLE = 8  # octets of a session's hash that name it to its owner
TOUCH = MINUTE // 2  # `seen_at` is not written more often than this


class Stage(IntEnum):
    ASKED = 0
    CODE = 1
    SIGNED_IN = 2


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser. `person` signed in, `profile` is for whom they act now; `data` is small and sealed at rest."""

    id: str
    stage: Stage
    person: int
    profile: int
    shared_computer: bool
    created_at: int
    seen_at: int
    data: dict[str, str] = field(default_factory=dict)

    def alive(self, now: int) -> bool:
        if self.stage is not Stage.SIGNED_IN:
            return now - self.created_at < CODE_STEP
        return now - self.seen_at < self.idle and now - self.created_at < ABSOLUTE

    @property
    def idle(self) -> int:
        """Milliseconds without a page after which it ends."""
        return IDLE_SHARED if self.shared_computer else IDLE

    def csrf(self) -> str:
        return csrf_token(self.id, self.profile)

    def __repr__(self) -> str:
        return f"Session({self.stage.name}, person {self.person}, profile {self.profile})"


def new_id(realm: str = "") -> str:
    return (f"{realm}." if realm else "") + secrets.token_urlsafe(32)


def realm_of(session_id: str) -> str:
    return session_id.rpartition(".")[0]


def csrf_token(session_id: str, profile: int) -> str:
    """Bound to the profile too: a page left open on one profile cannot act for another."""
    return hmac.digest(session_id.encode(), b"csrf %d" % profile, sha256).hex()[:32]


def open_session(
    tx: Transaction,
    keys: KeyRing,
    now: int,
    stage: Stage,
    person: int,
    data: dict[str, str],
    shared_computer: bool = False,
    replaces: Session | None = None,
    realm: str = "",
) -> Session:
    """A fresh session under a fresh id; `replaces` ends at the same instant."""
    if replaces is not None:
        end(tx, replaces)
    session = Session(new_id(realm), stage, person, person, shared_computer, now, now, data)
    row = {
        "id_hash": _hash(session.id),
        "stage": int(stage),
        "realm": realm,
        "person": person,
        "profile": person,
        "shared_computer": int(shared_computer),
        "created_at": now,
        "seen_at": now,
        "sealed": _seal(keys, session),
    }
    tx.execute(web_sessions.insert(), row)
    return session


def find(conn: Connection, keys: KeyRing, session_id: str) -> Session | None:
    """The session of a cookie, alive or ended: the caller asks `alive`."""
    row = conn.execute(select(web_sessions).where(web_sessions.c.id_hash == _hash(session_id))).first()
    if row is None:
        return None
    try:
        data = json.loads(keys.registry.open(row.sealed, b"web session" + row.id_hash))
    except Tampered:
        return None
    return Session(
        session_id,
        Stage(row.stage),
        row.person,
        row.profile,
        bool(row.shared_computer),
        row.created_at,
        row.seen_at,
        data,
    )


def touch(tx: Transaction, session: Session, now: int) -> None:
    tx.execute(update(web_sessions).where(web_sessions.c.id_hash == _hash(session.id)).values(seen_at=now))


def save(tx: Transaction, keys: KeyRing, session: Session) -> None:
    """Writes `profile` and `data` back."""
    values = {"profile": session.profile, "sealed": _seal(keys, session)}
    tx.execute(update(web_sessions).where(web_sessions.c.id_hash == _hash(session.id)).values(values))


def remember(tx: Transaction, keys: KeyRing, session: Session, data: dict[str, str]) -> Session:
    """The session with `data` added; an empty value forgets its name."""
    merged = {name: value for name, value in {**session.data, **data}.items() if value}
    changed = replace(session, data=merged)
    save(tx, keys, changed)
    return changed


def step_up(tx: Transaction, keys: KeyRing, now: int, session: Session, data: dict[str, str]) -> Session | None:
    """The session after its second step, under a fresh id; None: it was ended while the step was judged, and stays so."""
    if not end(tx, session):
        return None
    stage, realm = Stage.SIGNED_IN, realm_of(session.id)
    return open_session(tx, keys, now, stage, session.person, data, session.shared_computer, realm=realm)


def end(tx: Transaction, session: Session) -> bool:
    """Signing out: nothing is left of it. False: nothing was."""
    return tx.execute(delete(web_sessions).where(web_sessions.c.id_hash == _hash(session.id))).rowcount == 1


def end_all(tx: Transaction, person: int, realm: str = "", but: Session | None = None) -> None:
    """Of one person on the pages of one realm, whatever their stage; `but` stays."""
    theirs = (web_sessions.c.person == person, web_sessions.c.realm == realm)
    kept = b"" if but is None else _hash(but.id)
    tx.execute(delete(web_sessions).where(*theirs, web_sessions.c.id_hash != kept))


@dataclass(frozen=True, slots=True)
class Browser:
    """A signed-in browser as its owner sees it; `handle` names it, and opens nothing."""

    handle: str
    client: str
    place: str
    created_at: int
    seen_at: int


def handle(session_id: str) -> str:
    return _hash(session_id)[:HANDLE].hex()


def of(conn: Connection, keys: KeyRing, person: int, realm: str, now: int) -> list[Browser]:
    """Those of one person on the pages of one realm that are alive, the one seen last first."""
    found = []
    for row in conn.execute(_theirs(person, realm).order_by(web_sessions.c.seen_at.desc())):
        data = json.loads(keys.registry.open(row.sealed, b"web session" + row.id_hash))
        shared = bool(row.shared_computer)
        session = Session("", Stage(row.stage), person, row.profile, shared, row.created_at, row.seen_at)
        if session.alive(now):
            name = bytes(row.id_hash[:HANDLE]).hex()
            found.append(Browser(name, data.get("client", ""), data.get("place", ""), row.created_at, row.seen_at))
    return found


def end_one(tx: Transaction, person: int, realm: str, handle: str) -> bool:
    """False: this person has no such session."""
    for row in tx.execute(_theirs(person, realm)):
        if bytes(row.id_hash[:HANDLE]).hex() == handle:
            return tx.execute(delete(web_sessions).where(web_sessions.c.id_hash == row.id_hash)).rowcount == 1
    return False


def _theirs(person: int, realm: str) -> Select[Any]:
    own = (web_sessions.c.person == person, web_sessions.c.realm == realm)
    return select(web_sessions).where(*own, web_sessions.c.stage == int(Stage.SIGNED_IN))


def sweep(tx: Transaction, now: int) -> None:
    """Daily: ended sessions, kept forms and marks of sent forms past their time."""
    tx.execute(delete(web_sessions).where(web_sessions.c.seen_at < now - KEPT))
    tx.execute(delete(web_kept_forms).where(web_kept_forms.c.kept_at < now - KEPT))
    tx.execute(delete(web_once).where(web_once.c.at < now - KEPT))


# ------------------------------------------------------------------ what was typed when the session ended
def keep_form(tx: Transaction, keys: KeyRing, now: int, person: int, path: str, values: dict[str, str]) -> None:
    """Keeps, sealed, the text of a form sent too late; one per person and page, the last one wins."""
    key = keys.lookup("kept form", path)
    where = (web_kept_forms.c.person == person) & (web_kept_forms.c.path_hash == key)
    tx.execute(delete(web_kept_forms).where(where))
    sealed = keys.registry.seal(json.dumps(values).encode(), _kept_context(person, key))
    tx.execute(web_kept_forms.insert(), {"person": person, "path_hash": key, "kept_at": now, "sealed": sealed})


def kept_form(conn: Connection, keys: KeyRing, now: int, person: int, path: str) -> dict[str, str]:
    """What `keep_form` kept for this page, or nothing."""
    key = keys.lookup("kept form", path)
    table = web_kept_forms.c
    wanted = select(table.sealed).where(table.person == person, table.path_hash == key, table.kept_at > now - KEPT)
    sealed = conn.execute(wanted).scalar()
    if sealed is None:
        return {}
    values: dict[str, str] = json.loads(keys.registry.open(sealed, _kept_context(person, key)))
    return values


def drop_form(tx: Transaction, keys: KeyRing, person: int, path: str) -> None:
    key = keys.lookup("kept form", path)
    tx.execute(delete(web_kept_forms).where(web_kept_forms.c.person == person, web_kept_forms.c.path_hash == key))


def _hash(session_id: str) -> bytes:
    return sha256(session_id.encode()).digest()


def _seal(keys: KeyRing, session: Session) -> bytes:
    return keys.registry.seal(json.dumps(session.data).encode(), b"web session" + _hash(session.id))


def _kept_context(person: int, path_hash: bytes) -> bytes:
    return b"kept form %d " % person + path_hash

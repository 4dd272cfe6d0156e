"""Passkeys of one credential (WebAuthn): a second factor for the pages, several for one person, named, and taken away one by one.

Every function takes the credential of who asks: another's passkey does not exist. A challenge is good once, for five minutes, in
the session that asked for it: its row is deleted by the statement that reads it, so that two processes cannot both use it. What
is kept of a passkey lies sealed; nothing in it signs in. One whose counter did not grow may have been copied: it is blocked for
good, and its owner sees why.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select, update

from foundation.clock import HOUR
from foundation.database import Transaction
from foundation.keys import KeyRing
from mssante import ceremonies
from mssante.ceremonies import LIVES, BadPasskey, RelyingParty
from mssante.credentials import TOPIC, SignedIn
from mssante.tables import credentials, passkey_challenges, passkeys
from mssante.upsert import upsert

MOST = 10
LONGEST_NAME = 60
CHALLENGE_OCTETS = 32


@dataclass(frozen=True, slots=True, repr=False)
class Passkey:
    """`used_at`: to the hour, 0 = never; times in ms. `blocked`: it may have been copied, and opens nothing any more."""

    id: int
    name: str
    created_at: int
    used_at: int
    blocked: bool

    def __repr__(self) -> str:
        return f"Passkey({self.id})"


@dataclass(frozen=True, slots=True)
class RightPasskey:
    """The person holds it, and the device has recognised them."""

    passkey: int


# -------------------------------------------------------------------- the browser is asked
def creation(tx: Transaction, keys: KeyRing, party: RelyingParty, who: SignedIn, session: str, now: int) -> str:
    """JSON for the browser, with a new challenge of this session."""
    have = [_opened(keys, row)["id"] for row in _rows(tx.conn, who.credential_id)]
    challenge = _challenge(tx, keys, session, now)
    return ceremonies.creation(party, challenge, _handle(keys, who.credential_id), who.address, who.actor, have)


def asking(
    tx: Transaction, keys: KeyRing, party: RelyingParty, credential_id: int, session: str, now: int
) -> str | None:
    """JSON for the browser, with a new challenge of this session; None: the person has no passkey that opens."""
    have = [_opened(keys, row)["id"] for row in _rows(tx.conn, credential_id) if not row.blocked]
    return ceremonies.asking(party, _challenge(tx, keys, session, now), have) if have else None


# -------------------------------------------------------------------- the browser has answered
def enrol(
    tx: Transaction,
    keys: KeyRing,
    party: RelyingParty,
    credential_id: int,
    session: str,
    answer: str,
    name: str,
    now: int,
    first: bool = False,
) -> RightPasskey | BadPasskey:
    """`first`: only where no second factor is enrolled, whatever was known when the page was opened."""
    challenge = _taken(tx, keys, session, now)
    if challenge is None:
        return BadPasskey.NO_CHALLENGE
    found = ceremonies.made(party, challenge, answer)
    if isinstance(found, BadPasskey):
        return found
    if first and has_factor(tx.conn, credential_id):
        return BadPasskey.NOT_FIRST
    if tx.execute(select(func.count()).where(passkeys.c.credential_id == credential_id)).scalar_one() >= MOST:
        return BadPasskey.TOO_MANY
    key = _key(keys, found.id)
    if tx.execute(select(passkeys.c.id).where(passkeys.c.key == key)).first() is not None:
        return BadPasskey.TAKEN
    content = {"id": _text(found.id), "public_key": _text(found.public_key), "name": name}
    row = {
        "credential_id": credential_id,
        "key": key,
        "sealed": keys.registry.seal(json.dumps(content).encode(), b"passkey " + key),
        "counter": found.count,
        "blocked": False,
        "created_at": now,
        "used_at": 0,
    }
    made = tx.insert(passkeys, row)
    tx.signal(TOPIC, credential_id)  # the own password opens the mailbox no more
    return RightPasskey(made)


def check(
    tx: Transaction, keys: KeyRing, party: RelyingParty, credential_id: int, session: str, answer: str, now: int
) -> RightPasskey | BadPasskey:
    challenge = _taken(tx, keys, session, now)
    if challenge is None:
        return BadPasskey.NO_CHALLENGE
    known = ceremonies.id_of(answer)
    if isinstance(known, BadPasskey):
        return known
    mine = (passkeys.c.key == _key(keys, known), passkeys.c.credential_id == credential_id)
    row = tx.execute(select(passkeys).where(*mine)).first()
    if row is None:
        return BadPasskey.UNKNOWN
    if row.blocked:
        return BadPasskey.BLOCKED
    public_key = _opened(keys, row)["public_key"]
    count = ceremonies.signed(party, challenge, _handle(keys, credential_id), public_key, row.counter, answer)
    changed = update(passkeys).where(passkeys.c.id == row.id)
    if count is BadPasskey.COPIED:
        tx.execute(changed.values(blocked=True))
    if isinstance(count, BadPasskey):
        return count
    tx.execute(changed.values(counter=count, used_at=now - now % HOUR))
    return RightPasskey(row.id)


# -------------------------------------------------------------------- what there is
def of(conn: Connection, keys: KeyRing, credential_id: int) -> list[Passkey]:
    """Oldest first."""
    return [
        Passkey(row.id, _opened(keys, row)["name"], row.created_at, row.used_at, row.blocked)
        for row in _rows(conn, credential_id)
    ]


def remove(tx: Transaction, credential_id: int, passkey_id: int) -> bool:
    """False: this credential has no such one."""
    mine = (passkeys.c.id == passkey_id, passkeys.c.credential_id == credential_id)
    removed = tx.execute(delete(passkeys).where(*mine)).rowcount == 1
    if removed:
        tx.signal(TOPIC, credential_id)
    return removed


def has_factor(conn: Connection, credential_id: int) -> bool:
    """Whether an authenticator or a passkey is enrolled, a blocked one too: the password alone adds no other then."""
    own = select(credentials.c.sealed_totp).where(credentials.c.id == credential_id)
    any_of = select(exists().where(passkeys.c.credential_id == credential_id))
    return conn.execute(own).scalar() is not None or bool(conn.execute(any_of).scalar())


# -------------------------------------------------------------------- challenges
def _challenge(tx: Transaction, keys: KeyRing, session: str, now: int) -> bytes:
    """One at a time in a session: the next one takes the place of one that was not answered."""
    challenge = os.urandom(CHALLENGE_OCTETS)
    row = {"session_key": keys.lookup("passkey session", session), "challenge": challenge, "until": now + LIVES}
    upsert(tx, passkey_challenges, row, key=("session_key",), change=("challenge", "until"))
    tx.execute(delete(passkey_challenges).where(passkey_challenges.c.until <= now))
    return challenge


def _taken(tx: Transaction, keys: KeyRing, session: str, now: int) -> bytes | None:
    """The session's challenge, which is no more; None: there was none, or too long ago."""
    table = passkey_challenges.c
    taken = delete(passkey_challenges).where(table.session_key == keys.lookup("passkey session", session))
    row = tx.execute(taken.returning(table.challenge, table.until)).first()
    return None if row is None or row.until <= now else bytes(row.challenge)


# -------------------------------------------------------------------- rows
def _rows(conn: Connection, credential_id: int) -> list[Any]:
    return list(conn.execute(select(passkeys).where(passkeys.c.credential_id == credential_id).order_by(passkeys.c.id)))


def _opened(keys: KeyRing, row: Any) -> dict[str, Any]:
    found = json.loads(keys.registry.open(row.sealed, b"passkey " + row.key))
    return {**found, "id": b64decode(found["id"]), "public_key": b64decode(found["public_key"])}


def _key(keys: KeyRing, passkey: bytes) -> bytes:
    return keys.lookup("passkey", _text(passkey))


def _handle(keys: KeyRing, credential_id: int) -> bytes:
    return keys.lookup("passkey person", str(credential_id))


def _text(octets: bytes) -> str:
    return b64encode(octets).decode()

"""Application passwords of one credential: each for one program, named by its owner, for reading, sending or both, and revocable.

Who has one, or an authenticator, gives their own password to no mail client any more (`credentials`): it would be a way around the
second factor. Every function takes the credential of who asks: another's application password does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from foundation.database import Transaction
from foundation.keys import KeyRing
from mssante import app_secrets, scram
from mssante.credentials import IMAP, SUBMISSION, TOPIC
from mssante.tables import app_passwords

MOST = 20  # of one credential: SCRAM tries each
LONGEST_NAME = 60
PROTOCOLS = (IMAP, SUBMISSION)


@dataclass(frozen=True, slots=True, repr=False)
class AppPassword:
    """`used_at`: to the hour, 0 = never; times in ms."""

    id: int
    name: str
    protocols: frozenset[str]
    created_at: int
    used_at: int

    def __repr__(self) -> str:
        return f"AppPassword({self.id})"


@dataclass(frozen=True, slots=True, repr=False)
class NewSecret:
    """`text` is shown once and kept nowhere."""

    text: str
    form: str
    scram: scram.Keys


class TooMany(Exception):
    """The credential has `MOST` already."""


def new_secret(salt: scram.Salt) -> NewSecret:
    """`salt`: that of the login. About 12 ms: off the loop and outside transactions."""
    text = app_secrets.generate()
    form, made = app_secrets.plain_form(text), scram.keys_of(text, salt)
    assert form is not None and made is not None  # noqa: PT018  of our own alphabet
    return NewSecret(text, form, made)


def add(
    tx: Transaction,
    keys: KeyRing,
    credential_id: int,
    name: str,
    protocols: frozenset[str],
    secret: NewSecret,
    now: int,
) -> int:
    """Returns its id; raises `TooMany`."""
    mine = select(func.count()).where(app_passwords.c.credential_id == credential_id)
    if tx.execute(mine).scalar_one() >= MOST:
        raise TooMany
    key = app_secrets.secret_key(keys, credential_id, secret.form)
    row = {
        "credential_id": credential_id,
        "secret_key": key,
        "sealed_name": keys.registry.seal(name.encode(), b"app name " + key),
        "sealed_scram": app_secrets.sealed_scram(keys, key, secret.scram),
        "protocols": " ".join(sorted(protocols)),
        "created_at": now,
        "used_at": 0,
    }
    tx.signal(TOPIC, credential_id)  # the own password opens the mailbox no more
    return tx.insert(app_passwords, row)


def of(conn: Connection, keys: KeyRing, credential_id: int) -> list[AppPassword]:
    """Oldest first."""
    query = select(app_passwords).where(app_passwords.c.credential_id == credential_id).order_by(app_passwords.c.id)
    return [
        AppPassword(
            row.id,
            keys.registry.open(row.sealed_name, b"app name " + row.secret_key).decode(),
            frozenset(row.protocols.split()),
            row.created_at,
            row.used_at,
        )
        for row in conn.execute(query)
    ]


def remove_all(tx: Transaction, credential_id: int) -> int:
    """Returns how many."""
    tx.signal(TOPIC, credential_id)
    return tx.execute(delete(app_passwords).where(app_passwords.c.credential_id == credential_id)).rowcount


def remove(tx: Transaction, credential_id: int, app_id: int) -> bool:
    """False: this credential has no such one."""
    mine = (app_passwords.c.id == app_id, app_passwords.c.credential_id == credential_id)
    removed = tx.execute(delete(app_passwords).where(*mine)).rowcount == 1
    if removed:
        tx.signal(TOPIC, credential_id)
    return removed

"""The operator's people who may let somebody in again (`mssante.recovery`), each known by a passphrase of their own.

An account of the machine proves little: who is root is whoever they say. Once anybody was ever registered, a recovery takes two
passphrases. A newcomer is vouched for by one who is there, and counts after three days, which the others see (`mssante doctor`):
nobody makes themselves a second hand for tonight. Those of the first day are the founders, and count at once. Rows stay when people
leave, so that taking everybody away opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from foundation.clock import DAY
from foundation.database import Transaction
from foundation.keys import KeyRing
from mssante.tables import approvers

FOUNDING = DAY  # from the first one on
WAITS = 3 * DAY
NAME = re.compile(r"[a-z][a-z0-9._-]{0,23}")


@dataclass(frozen=True, slots=True)
class Approver:
    """`vouched_by`: a name, empty for nobody. `removed_at`: 0, they are there."""

    id: int
    name: str
    created_at: int
    usable_at: int
    vouched_by: str
    removed_at: int

    def counts(self, now: int) -> bool:
        return not self.removed_at and self.usable_at <= now


def of_all(conn: Connection) -> list[Approver]:
    """Also those who left; the oldest first."""
    columns = [approvers.c[name] for name in Approver.__dataclass_fields__]
    return [Approver(*row) for row in conn.execute(select(*columns).order_by(approvers.c.id))]


def named(found: Sequence[Approver], name: str) -> Approver | None:
    """Of those who are there."""
    return next((one for one in found if one.name == name and not one.removed_at), None)


def add(tx: Transaction, keys: KeyRing, name: str, argon2: str, vouched_by: str, now: int) -> Approver | None:
    """`name` matches `NAME`; `argon2` from `passwords.hash_password`. None: somebody of that name is there."""
    found = of_all(tx.conn)
    if named(found, name) is not None:
        return None
    founding = not found or now - found[0].created_at < FOUNDING
    row = {
        "name": name,
        "sealed_secret": keys.registry.seal(argon2.encode(), _context(name, now)),
        "created_at": now,
        "usable_at": now if founding else now + WAITS,
        "vouched_by": vouched_by,
        "removed_at": 0,
    }
    tx.insert(approvers, row)
    return named(of_all(tx.conn), name)


def remove(tx: Transaction, name: str, now: int) -> bool:
    """At once. False: nobody of that name is there."""
    there = (approvers.c.name == name, approvers.c.removed_at == 0)
    return tx.execute(update(approvers).where(*there).values(removed_at=now)).rowcount == 1


def secret(conn: Connection, keys: KeyRing, one: Approver) -> str:
    """What is kept of the passphrase, for `passwords.is_right`."""
    sealed = conn.execute(select(approvers.c.sealed_secret).where(approvers.c.id == one.id)).scalar_one()
    return keys.registry.open(sealed, _context(one.name, one.created_at)).decode()


def _context(name: str, created_at: int) -> bytes:
    return f"approver {name} {created_at}".encode()

"""The operator's hands on jobs: what is owed and why it is late, have it tried now, call it off.

What a worker holds at this moment is left alone: its answer is already on the way.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, update

from foundation.database import Transaction
from foundation.jobs import TOPIC, Jobs
from foundation.tables import jobs


@dataclass(frozen=True, slots=True)
class Owed:
    """One job; times in ms. `lane`: a destination, never an address; `last_reason` is a name without personal data."""

    id: int
    kind: str
    state: str
    lane: str
    created_at: int
    attempts: int
    due_at: int
    last_reason: str | None


@dataclass(frozen=True, slots=True)
class Sum:
    """How many of one kind are in one state for one reason."""

    kind: str
    state: str
    last_reason: str | None
    count: int
    oldest: int
    due_at: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which jobs: by number, of a kind, in a state; None: whichever. Never of the kinds `aside`."""

    ids: tuple[int, ...] | None = None
    kind: str | None = None
    state: str | None = None
    aside: Collection[str] = ()

    def where(self) -> list[ColumnElement[bool]]:
        picked: list[ColumnElement[bool]] = [jobs.c.kind.not_in(self.aside)]
        if self.ids is not None:
            picked.append(jobs.c.id.in_(self.ids))
        if self.kind is not None:
            picked.append(jobs.c.kind == self.kind)
        if self.state is not None:
            picked.append(jobs.c.state == self.state)
        return picked


def listed(conn: Connection, chosen: Chosen, limit: int) -> list[Owed]:
    """The oldest first."""
    columns = [jobs.c[name] for name in Owed.__dataclass_fields__]
    query = select(*columns).where(*chosen.where()).order_by(jobs.c.created_at, jobs.c.id).limit(limit)
    return [Owed(*row) for row in conn.execute(query)]


def summed(conn: Connection) -> list[Sum]:
    """What was given up first."""
    of = (jobs.c.kind, jobs.c.state, jobs.c.last_reason)
    query = select(*of, func.count(), func.min(jobs.c.created_at), func.min(jobs.c.due_at)).group_by(*of)
    return sorted(
        (Sum(*row) for row in conn.execute(query)), key=lambda one: (one.state != "failed", one.kind, one.oldest)
    )


def opened(conn: Connection, work: Jobs, number: int) -> tuple[Owed, dict[str, Any]] | None:
    """One with its payload, which may hold addresses and keys."""
    row = conn.execute(select(jobs).where(jobs.c.id == number)).first()
    if row is None:
        return None
    return Owed(*(getattr(row, name) for name in Owed.__dataclass_fields__)), work.open(row.kind, row.payload)


def retry(tx: Transaction, chosen: Chosen, now: int) -> list[int]:
    """Due now, with all its tries before it, also what was given up; the numbers of those it applies to."""
    again = {"state": "waiting", "due_at": now, "lease_until": 0, "attempts": 0}
    found = tx.execute(update(jobs).where(_resting(chosen, now)).values(**again).returning(jobs.c.id)).scalars()
    tx.signal(TOPIC, 0)
    return sorted(found)


def drop(tx: Transaction, chosen: Chosen, now: int) -> list[int]:
    """What they owed is not done; the numbers of those it applies to."""
    return sorted(tx.execute(delete(jobs).where(_resting(chosen, now)).returning(jobs.c.id)).scalars())


def _resting(chosen: Chosen, now: int) -> ColumnElement[bool]:
    """Those that no worker holds; their numbers stay in the database, as there may be more than a statement has places."""
    free = or_(jobs.c.state != "running", jobs.c.lease_until <= now)
    return jobs.c.id.in_(select(jobs.c.id).where(*chosen.where(), free).order_by(jobs.c.id).with_for_update())

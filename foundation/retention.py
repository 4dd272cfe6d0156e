"""How long something is kept, when the operator changes their mind: longer holds at once, shorter after an announced delay.

Whoever lowers a number by mistake, or asks for less than a colleague promised, has these days to see it: the trail, the log and the
doctor say what will go and when. One row for each policy; nobody reads the setting itself to erase.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection, delete, insert, select

from foundation.audit import Audit
from foundation.clock import DAY
from foundation.database import Transaction
from foundation.tables import retentions

ANNOUNCED = 7 * DAY  # before anything goes


@dataclass(frozen=True, slots=True)
class Retention:
    """`days`: in force; `lowered_to`: what it becomes at `acts_at` (ms), None: nothing was asked for."""

    days: int
    lowered_to: int | None = None
    acts_at: int = 0

    @property
    def soon(self) -> int:
        """Days in force when all that was announced has come."""
        return self.days if self.lowered_to is None else self.lowered_to

    def asked(self, days: int, now: int) -> Retention:
        """With this setting from `now` on. Asked for less than was announced, the delay begins anew."""
        if self.lowered_to is not None and now >= self.acts_at:
            return Retention(self.lowered_to).asked(days, now)
        if days >= self.days:
            return Retention(days)
        if self.lowered_to is not None and days >= self.lowered_to:
            return replace(self, lowered_to=days)
        return Retention(self.days, days, now + ANNOUNCED)


def found(conn: Connection, name: str) -> Retention | None:
    """None: no server has run with this policy yet."""
    row = conn.execute(select(retentions).where(retentions.c.name == name)).one_or_none()
    return None if row is None else Retention(row.days, row.lowered_to, row.acts_at)


def follow(tx: Transaction, audit: Audit, name: str, days: int, now: int) -> Retention:
    """What is in force now that the setting says `days`; what changed is written in the trail."""
    before = found(tx.conn, name)
    after = Retention(days) if before is None else before.asked(days, now)
    if after != before:
        tx.execute(delete(retentions).where(retentions.c.name == name))
        values = {"days": after.days, "lowered_to": after.lowered_to, "acts_at": after.acts_at}
        tx.execute(insert(retentions).values(name=name, **values))
        if before is not None:
            verb = "act" if after.days < before.days else "announce" if after.lowered_to is not None else "keep"
            audit.record(tx, f"system:retention:{verb}", "system", {"name": name, "before": before.days, **values})
    return after

"""Which mailboxes were used in a month: signed in to by a mail client, or sent from. Numbers only, for the monthly figures."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

from foundation.database import Database
from mailserver.delivery.tables import active_boxes
from mssante.tables import mailboxes
from mssante.upsert import upsert_all

_KEY = ("month", "box_id")


class Activity:
    """Remembered in memory and poured into the table now and then, each box once a month and process."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._written: set[tuple[int, int]] = set()

    def seen(self, box_id: int) -> None:
        self._seen.add(box_id)

    async def pour(self, db: Database, now: int) -> None:
        month = month_of(now)
        new = sorted({(month, box_id) for box_id in self._seen.copy()} - self._written)
        rows = [{"month": month, "box_id": box_id} for month, box_id in new]
        await db.write(upsert_all, active_boxes, rows, _KEY, ())
        self._written = {key for key in self._written if key[0] == month} | set(new)
        self._seen -= {box_id for _, box_id in new}


def month_of(at: int) -> int:
    """202611; `at` in ms, UTC."""
    when = datetime.fromtimestamp(at / 1000, UTC)
    return when.year * 100 + when.month


def active(conn: Connection, month: int) -> dict[str, int]:
    """Kind of mailbox -> how many were used in the month."""
    query = (
        select(mailboxes.c.kind, func.count())
        .join(active_boxes, active_boxes.c.box_id == mailboxes.c.id)
        .where(active_boxes.c.month == month)
        .group_by(mailboxes.c.kind)
    )
    return {row[0]: row[1] for row in conn.execute(query)}

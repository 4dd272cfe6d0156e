"""Figures of a process: counted in memory, poured into the table `figures` every few seconds and at the end.

Any process, command or month then reads the sums of all. A killed process loses what it had not poured: these are
figures, not promises. Names and labels are words of closed lists: nothing personal can come in.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, func, insert, select, update

from foundation.clock import DAY, HOUR, MINUTE, SECOND
from foundation.database import Database, Transaction
from foundation.tables import figures

Figure = tuple[str, str]  # name; labels separated by one space

_ADD = (
    update(figures)
    .where(
        figures.c.day == bindparam("on"),
        figures.c.name == bindparam("figure"),
        figures.c.labels == bindparam("said"),
        figures.c.process == bindparam("whose"),
    )
    .values(count=figures.c.count + bindparam("more"))
)


class Tally:
    """Counts from any thread; as a `Collector`, what is counted in a transaction is counted once, when it is on disk."""

    def __init__(self) -> None:
        self._process = os.urandom(8).hex()
        self._counts: Counter[Figure] = Counter()
        self._pending: list[Figure] = []
        self._lock = threading.Lock()

    def count(self, name: str, *labels: str) -> None:
        with self._lock:
            self._counts[name, " ".join(labels)] += 1

    def count_in(self, tx: Transaction, name: str, *labels: str) -> None:
        tx.collect(self, (name, " ".join(labels)))

    def write(self, _conn: Connection, items: list[Figure]) -> None:
        self._pending = items

    def committed(self) -> None:
        with self._lock:
            self._counts.update(self._pending)

    async def pour(self, db: Database, now: int) -> None:
        """What was counted since the last time goes to the day of `now` (ms)."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        try:
            await db.write(_add, self._process, counts, now // DAY)
        except BaseException:
            with self._lock:
                self._counts.update(counts)
            raise


def _add(tx: Transaction, process: str, counts: Counter[Figure], day: int) -> None:
    for (name, labels), more in sorted(counts.items()):
        key = {"on": day, "figure": name, "said": labels, "whose": process}
        if not tx.execute(_ADD, key | {"more": more}).rowcount:
            row = {"day": day, "name": name, "labels": labels, "process": process, "count": more}
            tx.execute(insert(figures), row)


def sums(conn: Connection, first_day: int = 0, last_day: int = 10**6) -> dict[Figure, int]:
    """Of these days (since the epoch, inclusive), all processes together, in order."""
    query = (
        select(figures.c.name, figures.c.labels, func.sum(figures.c.count))
        .where(figures.c.day.between(first_day, last_day))
        .group_by(figures.c.name, figures.c.labels)
        .order_by(figures.c.name, figures.c.labels)
    )
    return {(row[0], row[1]): int(row[2]) for row in conn.execute(query)}


DELAYS = {
    "1s": SECOND,
    "5s": 5 * SECOND,
    "20s": 20 * SECOND,
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "1h": HOUR,
    "4h": 4 * HOUR,
    "24h": 24 * HOUR,
    "72h": 72 * HOUR,
}


def within(span: int) -> str:
    """The label of a delay in ms: the shortest of `DELAYS` that it kept to, or "more"."""
    return next((label for label, most in DELAYS.items() if span <= most), "more")


def at_most(counts: Mapping[str, int], share: float) -> int | None:
    """The delay (seconds) that this share of all kept to, as its label's bound; None: not one of them, or "more"."""
    left = share * sum(counts.values())
    for label, most in DELAYS.items():
        left -= counts.get(label, 0)
        if left <= 0 < sum(counts.values()):
            return most // SECOND
    return None

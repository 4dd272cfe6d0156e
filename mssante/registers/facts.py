"""What the registers say of each professional, dated: since when a file says it, until when. Given to the directory: `joining`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import partial
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select, update

from foundation.clock import DAY
from foundation.database import Database, Transaction
from mssante.registers import facts_file, joining, runs
from mssante.registers.facts_file import Fact, Kind, Layout
from mssante.registers.reading import Fault, Known, Piece, Reader, Row
from mssante.tables import directory_entries, register_facts
from mssante.upsert import upsert_many

SAID = tuple(one.name for one in fields(Fact))
NAMES = (*SAID, "since", "until", "import_id", "line")  # columns of a row, in their order
LINE = NAMES.index("line")
EPOCH = date(1970, 1, 1)
_values = attrgetter(*SAID[2:])  # behind person and kind


@dataclass(frozen=True, slots=True)
class Dated:
    """`since`: the first file that said it; `until`: the first one that did not, None: said still."""

    fact: Fact
    since: date
    until: date | None

    def valid(self, on: date) -> bool:
        return self.since <= on and (self.until is None or on < self.until)


def of_person(conn: Connection, person_id: str) -> list[Dated]:
    """What is said still first, then by date."""
    rows = conn.execute(select(register_facts).where(register_facts.c.person_id == person_id)).all()
    found = [_dated(row) for row in rows]
    return sorted(found, key=lambda one: (one.until is not None, one.fact.kind.value, one.since, one.fact.label))


def _dated(row: Any) -> Dated:
    said = {name: getattr(row, name) for name in SAID} | {"kind": Kind(row.kind)}
    until = None if row.until is None else EPOCH + timedelta(row.until)
    return Dated(Fact(**said), EPOCH + timedelta(row.since), until)


# -------------------------------------------------------------------- a file
class Facts:
    """Where the lines of one kind of file go; `now` in ms: the day of the import dates what is new and what went."""

    def __init__(self, form: Layout, now: int) -> None:
        self._form, self._today, self.salt = form, now // DAY, form.salt
        self._mine = and_(register_facts.c.kind == form.kind.value, register_facts.c.until.is_(None))

    def reader(self, number: int, known: Known) -> Reader:
        return Reader(partial(_row, self._form, self._today, number), self.salt, known.digests)

    def known(self, conn: Connection) -> Known:
        lines = select(register_facts.c.line, register_facts.c.id).where(self._mine)
        return runs.known_of(conn, lines.order_by(register_facts.c.line))

    def take(self, tx: Transaction, number: int, piece: Piece, words: set[str], known: Known) -> int:
        """A line that comes back is said again since the first time."""
        once = {row[LINE]: row for row in piece.rows}
        upsert_many(tx, register_facts, NAMES, list(once.values()), ("line",), ("until", "import_id"))
        return 0

    def count(self, conn: Connection) -> int:
        return conn.execute(select(func.count()).select_from(register_facts).where(self._mine)).scalar_one()

    def still_old(self, conn: Connection, number: int, ids: list[int]) -> list[int]:
        return list(conn.execute(select(register_facts.c.id).where(*self._old(number, ids))).scalars())

    def unread(self, conn: Connection, number: int) -> list[int]:
        return []

    def take_away(self, tx: Transaction, number: int, ids: list[int], now: int) -> int:
        """They stay, with the day on which they ended."""
        ended = update(register_facts).where(*self._old(number, ids)).values(until=now // DAY)
        return tx.execute(ended).rowcount

    def completed(self, db: Database, number: int) -> None:
        if self._form.kind in (Kind.ACTIVITY, Kind.SKILL):
            joining.join(db, directory_entries.c.person_id != "")

    def _old(self, number: int, ids: list[int]) -> tuple[ColumnElement[bool], ...]:
        return register_facts.c.id.in_(ids), self._mine, register_facts.c.import_id < number


def _row(form: Layout, today: int, number: int, line: str, digest: int) -> Row | Fault:
    fact = facts_file.read_line(line, form)
    if isinstance(fact, Fault):
        return fact
    return fact.person_id, fact.kind.value, *_values(fact), today, None, number, digest

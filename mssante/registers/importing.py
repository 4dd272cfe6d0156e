"""A register's public file taken in: which of them it is, its first line tells.

Of `Extraction_Correspondance_MSSante`, entries of an earlier one that this one no longer holds are taken away. Mailboxes of ours on
the red list, or closed, stay out, whatever the file says. Our own entries keep what only we know. Of several lines with one address
the first one is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select

from foundation.database import Database, Transaction
from foundation.keys import KeyRing
from mssante.directory import EXTRACT, ROW, hidden, learn, values_of
from mssante.mailboxes import address_lookup
from mssante.registers import extraction, facts, facts_file, joining, runs
from mssante.registers.extraction import Layout, NotAnExtraction
from mssante.registers.reading import LONGEST_LINE, Fault, Known, Piece, Reader, Row
from mssante.registers.runs import Progress, Report, Target
from mssante.tables import directory_entries
from mssante.upsert import upsert_many

NAMES = (*ROW, "source", "import_id", "line")  # columns of a row, in their order
ADDRESS = NAMES.index("address")


def run(
    db: Database,
    keys: KeyRing,
    path: Path,
    clock: Callable[[], int],
    progress: Progress = lambda done, size: None,
) -> Report:
    """Imports `path`. Raises OSError, `NotAnExtraction`."""
    with _opened(path, keys, clock) as (file, start, size, target):
        return runs.run(db, file, start, size, target, clock, progress)


def looked_over(path: Path) -> Report:
    """What `run` would say of the lines of `path`; nothing is changed."""
    with _opened(path, None, lambda: 0) as (file, _, size, target):
        return runs.looked_over(file, size, target)


@contextmanager
def _opened(path: Path, keys: KeyRing | None, clock: Callable[[], int]) -> Iterator[tuple[IO[bytes], int, int, Target]]:
    """The file behind its first line, where that ends, the file's size."""
    with extraction.opened(path) as (file, size):
        first = file.readline(LONGEST_LINE)
        try:
            line = first.decode()
        except UnicodeDecodeError:
            raise NotAnExtraction from None
        yield file, len(first), size, _target(line, keys, clock)


def _target(first_line: str, keys: KeyRing | None, clock: Callable[[], int]) -> Target:
    try:
        return Entries(keys, extraction.layout(first_line))
    except NotAnExtraction:
        return facts.Facts(facts_file.layout(first_line), clock())


class Entries:
    """Of the directory. `keys` may be None to look only."""

    def __init__(self, keys: KeyRing | None, form: Layout) -> None:
        self._keys, self._form, self.salt = keys, form, form.salt
        self._changed = (*form.changed, "import_id", "words", "line")

    def reader(self, number: int, known: Known) -> Reader:
        return Reader(partial(_row, self._form, number), self.salt, known.digests, NAMES.index("words"))

    def known(self, conn: Connection) -> Known:
        lines = select(directory_entries.c.line, directory_entries.c.id).where(directory_entries.c.line.is_not(None))
        return runs.known_of(conn, lines.order_by(directory_entries.c.line))

    def take(self, tx: Transaction, number: int, piece: Piece, words: set[str], known: Known) -> int:
        assert self._keys is not None
        out = hidden(tx.conn)
        shown = (
            [row for row in piece.rows if address_lookup(self._keys, row[ADDRESS]) not in out] if out else piece.rows
        )
        first = {row[ADDRESS]: row for row in reversed(shown)}
        for address in _held(tx.conn, list(first), known) if len(known) else ():
            del first[address]
        earlier = f"directory_entries.import_id < {number:d}"
        upsert_many(tx, directory_entries, NAMES, list(first.values()), ("address",), self._changed, earlier)
        learn(tx, words)
        return len(piece.rows) - len(shown)

    def count(self, conn: Connection) -> int:
        mine = select(func.count()).select_from(directory_entries).where(directory_entries.c.source == EXTRACT)
        return conn.execute(mine).scalar_one()

    def still_old(self, conn: Connection, number: int, ids: list[int]) -> list[int]:
        found = select(directory_entries.c.id).where(directory_entries.c.id.in_(ids), _old(number))
        return list(conn.execute(found).scalars())

    def unread(self, conn: Connection, number: int) -> list[int]:
        found = select(directory_entries.c.id).where(_old(number), directory_entries.c.line.is_(None))
        return list(conn.execute(found).scalars())

    def take_away(self, tx: Transaction, number: int, ids: list[int], now: int) -> int:
        return tx.execute(delete(directory_entries).where(directory_entries.c.id.in_(ids), _old(number))).rowcount

    def completed(self, db: Database, number: int) -> None:
        joining.join(db, directory_entries.c.import_id == number)


def _row(form: Layout, number: int, line: str, digest: int) -> Row | Fault:
    entry = extraction.read_line(line, form)
    if isinstance(entry, Fault):
        return entry
    return (*values_of(entry, entry.address), EXTRACT, number, digest)


def _held(conn: Connection, addresses: Sequence[str], known: Known) -> list[str]:
    """Those of which the file has had a line already, that the directory knew."""
    lines = select(directory_entries.c.address, directory_entries.c.line).where(
        directory_entries.c.address.in_(addresses), directory_entries.c.line.is_not(None)
    )
    return [row.address for row in conn.execute(lines) if known.holds(row.line)]


def _old(number: int) -> ColumnElement[bool]:
    return and_(directory_entries.c.source == EXTRACT, directory_entries.c.import_id < number)

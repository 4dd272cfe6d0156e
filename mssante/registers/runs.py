"""One import of a register's file, whatever it holds: in pieces that are each one transaction, known lines passed over, at its end
what the file no longer holds told, unless it is so much that the file looks cut short. What was interrupted goes on by beginning
again: what is there already is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import IO, Any, Protocol

from sqlalchemy import Connection, Select, update

from foundation.database import Database, Transaction
from mssante.registers.reading import Fault, Known, Piece, Reader, blocks, pieces
from mssante.tables import directory_imports

LARGEST_LOSS = 0.1  # of what is there: above, nothing is taken away
AT_ONCE = 5_000  # rows taken away in one transaction
SHOWN_FAULTS = 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Report:
    """`faults`: by kind; `first_faults`: (line, kind) of the first ones. `kept_out`: on our red list, or closed. `unchanged`: lines
    that were there already. `gone`: taken away because the file no longer holds them; None: too many, left."""

    lines: int = 0
    faults: dict[Fault, int] = field(default_factory=dict)
    first_faults: tuple[tuple[int, Fault], ...] = ()
    kept_out: int = 0
    unchanged: int = 0
    gone: int | None = 0


class Target(Protocol):
    """Where the rows go."""

    @property
    def salt(self) -> bytes: ...
    def reader(self, number: int, known: Known) -> Reader: ...
    def known(self, conn: Connection) -> Known: ...
    def take(self, tx: Transaction, number: int, piece: Piece, words: set[str], known: Known) -> int:
        """Writes a piece, `words` those of it that are new to this import; returns how many rows were kept out."""
        ...

    def count(self, conn: Connection) -> int:
        """Rows that a file may take away."""
        ...

    def still_old(self, conn: Connection, number: int, ids: list[int]) -> list[int]:
        """Those of `ids` that this import did not write anew."""
        ...

    def unread(self, conn: Connection, number: int) -> list[int]:
        """Rows from before lines were known by digest that this import did not write anew."""
        ...

    def take_away(self, tx: Transaction, number: int, ids: list[int], now: int) -> int: ...
    def completed(self, db: Database, number: int) -> None:
        """When all is written, and what went is gone."""
        ...


def run(
    db: Database, file: IO[bytes], start: int, size: int, target: Target, clock: Callable[[], int], progress: Progress
) -> Report:
    """`file` stands behind its first line, at `start`. `progress(octets, size)` after each piece."""
    number = db.write_now(_begin, target.salt.hex(), start, clock())
    known, words, report = db.read_now(target.known), set[str](), Report()
    for piece in pieces(blocks(file), target.reader(number, known), size):
        known.hold(piece.held)
        kept_out = db.write_now(_take, target, number, piece, piece.words - words, known)
        words |= piece.words
        report = replace(_added(report, piece), kept_out=report.kept_out + kept_out)
        progress(piece.position, size)
    report = replace(report, gone=_take_away(db, target, number, known, clock()))
    target.completed(db, number)
    db.write_now(_finish, number, clock())
    return report


def looked_over(file: IO[bytes], size: int, target: Target) -> Report:
    """What `run` would say of the lines; nothing is changed."""
    report = Report()
    for piece in pieces(blocks(file), target.reader(0, Known()), size):
        report = _added(report, piece)
    return report


def known_of(conn: Connection, lines: Select[Any]) -> Known:
    """`lines`: a SELECT of `line` and `id` in the order of `line`."""
    rows = conn.execute(lines.execution_options(yield_per=10_000))
    return Known((row.line, row.id) for row in rows)


def _added(report: Report, piece: Piece) -> Report:
    faults = dict(report.faults)
    for _, fault in piece.faults:
        faults[fault] = faults.get(fault, 0) + 1
    first = (*report.first_faults, *piece.faults)[:SHOWN_FAULTS]
    unchanged = report.unchanged + len(piece.held)
    return replace(report, lines=piece.lines, faults=faults, first_faults=first, unchanged=unchanged)


def _take_away(db: Database, target: Target, number: int, known: Known, now: int) -> int | None:
    """What this file did not hold, neither changed."""
    lost = list(db.read_now(target.unread, number))
    for ids in _some(known.lost()):
        lost += db.read_now(target.still_old, number, ids)
    if len(lost) > LARGEST_LOSS * db.read_now(target.count):
        return None
    return sum(db.write_now(target.take_away, number, ids, now) for ids in _some(lost))


def _some(ids: Iterable[int]) -> Iterator[list[int]]:
    source = iter(ids)
    while taken := list(islice(source, AT_ONCE)):
        yield taken


# -------------------------------------------------------------------- transactions
def _begin(tx: Transaction, digest: str, start: int, now: int) -> int:
    row = {"digest": digest, "position": start, "lines": 0, "faults": 0, "started_at": now}
    return tx.insert(directory_imports, row)


def _take(tx: Transaction, target: Target, number: int, piece: Piece, words: set[str], known: Known) -> int:
    """A piece done twice does no harm."""
    kept_out = target.take(tx, number, piece, words, known)
    faults = directory_imports.c.faults + len(piece.faults)
    done = {"position": piece.position, "lines": piece.lines, "faults": faults}
    tx.execute(update(directory_imports).where(directory_imports.c.id == number).values(done))
    return kept_out


def _finish(tx: Transaction, number: int, now: int) -> None:
    tx.execute(update(directory_imports).where(directory_imports.c.id == number).values(finished_at=now))

"""From an extraction file to the directory: in pieces that are each one transaction, so that what was interrupted goes on.

Entries of an earlier extraction that this one no longer holds are taken away at its end, unless they are so many that the file
looks cut short. Mailboxes of ours on the red list, or closed, stay out, whatever the file says. Our own entries keep what only we
know.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from foundation.database import Database, Transaction
from foundation.keys import KeyRing
from mssante.directory import EXTRACT, Entry, hidden, learn, row_of
from mssante.directory_words import vocabulary
from mssante.mailboxes import address_lookup
from mssante.registers import extraction
from mssante.registers.extraction import LONGEST_LINE, Fault, Layout, NotAnExtraction
from mssante.tables import directory_entries, directory_imports
from mssante.upsert import upsert_all

PIECE = 5_000  # lines of one transaction
WORTH_A_PROCESS = 8 << 20  # octets
LARGEST_LOSS = 0.1  # of the entries: above, nothing is taken away
SHOWN_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Report:
    """`faults`: by kind; `first_faults`: (line, kind) of the first ones. `kept_out`: on our red list, or closed. `gone`: taken
    away because the file no longer holds them; None: too many, left."""

    lines: int = 0
    faults: dict[Fault, int] = field(default_factory=dict)
    first_faults: tuple[tuple[int, Fault], ...] = ()
    kept_out: int = 0
    resumed_at: int = 0  # line
    gone: int | None = 0


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines as they are in the file. `first`: number of the first one; `position`: octets of the file up to their end."""

    lines: list[bytes]
    first: int
    position: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is to be written of a block."""

    rows: list[dict[str, Any]]
    words: set[str]
    faults: list[tuple[int, Fault]]
    lines: int  # of the file so far, without the first one
    position: int


def run(
    db: Database,
    keys: KeyRing,
    path: Path,
    clock: Callable[[], int],
    progress: Callable[[int, int], None] = lambda done, size: None,
) -> Report:
    """Imports `path`, or goes on where it was interrupted. `progress(octets, size)` after each piece.

    Raises OSError, `NotAnExtraction`.
    """
    with extraction.opened(path) as (file, size):
        digest = extraction.digest(file, size)
        file.seek(0)
        form, start = _layout(file)
        number, position, done = db.write_now(_begin, digest, start, clock())
        file.seek(position)
        report, known = Report(lines=done, resumed_at=done if position > start else 0), set[str]()
        changed = (*form.changed, "import_id", "words")
        for piece in _pieces(_blocks(file, done, position), form, size - position, number):
            kept_out = db.write_now(_take, keys, number, piece, changed, piece.words - known)
            known |= piece.words
            report = replace(_added(report, piece), kept_out=report.kept_out + kept_out)
            progress(piece.position, size)
        return replace(report, gone=db.write_now(_finish, number, clock()))


def looked_over(path: Path) -> Report:
    """What `run` would say of the lines of `path`; nothing is changed."""
    with extraction.opened(path) as (file, size):
        form, start = _layout(file)
        report = Report()
        for piece in _pieces(_blocks(file, 0, start), form, size, 0):
            report = _added(report, piece)
    return report


def _layout(file: IO[bytes]) -> tuple[Layout, int]:
    first = file.readline(LONGEST_LINE)
    try:
        return extraction.layout(first.decode()), len(first)
    except UnicodeDecodeError:
        raise NotAnExtraction from None


def _blocks(file: IO[bytes], done: int, position: int) -> Iterator[_Block]:
    """`done`: lines before `position`, without the first one."""
    source = extraction.lines(file)
    while taken := list(islice(source, PIECE)):
        yield _Block(taken, done + 2, file.tell())
        done += len(taken)


def _pieces(blocks: Iterator[_Block], form: Layout, size: int, number: int) -> Iterator[_Piece]:
    """Of a large file the lines are read by a process of its own: SQLite's writing and this would wait for each other's lock on the
    interpreter at every row."""
    if size < WORTH_A_PROCESS:
        yield from (_piece(block, form, number) for block in blocks)
        return
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        ahead = deque(pool.submit(_piece, block, form, number) for block in islice(blocks, 2))
        while ahead:
            piece = ahead.popleft().result()
            ahead += [pool.submit(_piece, block, form, number) for block in islice(blocks, 1)]
            yield piece


def _piece(block: _Block, form: Layout, number: int) -> _Piece:
    rows, faults = [], []
    for at, line in enumerate(block.lines, block.first):
        read = _read(line, form)
        if isinstance(read, Fault):
            faults.append((at, read))
        elif read is not None:
            rows.append(row_of(read, read.address) | {"source": EXTRACT, "import_id": number})
    return _Piece(rows, vocabulary(row["words"] for row in rows), faults, at - 1, block.position)


def _read(line: bytes, form: Layout) -> Entry | Fault | None:
    if not line.strip():
        return None
    if len(line) >= LONGEST_LINE:
        return Fault.LONG
    try:
        return extraction.read_line(line.decode(), form)
    except UnicodeDecodeError:
        return Fault.CODING


def _added(report: Report, piece: _Piece) -> Report:
    faults = dict(report.faults)
    for _, fault in piece.faults:
        faults[fault] = faults.get(fault, 0) + 1
    first = (*report.first_faults, *piece.faults)[:SHOWN_FAULTS]
    return replace(report, lines=piece.lines, faults=faults, first_faults=first)


# -------------------------------------------------------------------- transactions
def _begin(tx: Transaction, digest: str, start: int, now: int) -> tuple[int, int, int]:
    """(number of the import, where to go on, lines done): that of the same file, interrupted, or a new one."""
    newest = select(directory_imports).order_by(directory_imports.c.id.desc()).limit(1)
    last = tx.execute(newest).first()
    if last is not None and last.digest == digest and last.finished_at is None:
        return last.id, last.position, last.lines
    row = {"digest": digest, "position": start, "lines": 0, "faults": 0, "started_at": now}
    return tx.insert(directory_imports, row), start, 0


def _take(tx: Transaction, keys: KeyRing, number: int, piece: _Piece, changed: tuple[str, ...], words: set[str]) -> int:
    """How many were kept out. A piece done twice does no harm."""
    out = hidden(tx.conn)
    kept = [row for row in piece.rows if address_lookup(keys, row["address"]) not in out] if out else piece.rows
    upsert_all(tx, directory_entries, kept, key=("address",), change=changed)
    learn(tx, words)
    faults = directory_imports.c.faults + len(piece.faults)
    done = {"position": piece.position, "lines": piece.lines, "faults": faults}
    tx.execute(update(directory_imports).where(directory_imports.c.id == number).values(done))
    return len(piece.rows) - len(kept)


def _finish(tx: Transaction, number: int, now: int) -> int | None:
    held, lost = _count(tx.conn, directory_entries.c.import_id == number), _count(tx.conn, _lost(number))
    tx.execute(update(directory_imports).where(directory_imports.c.id == number).values(finished_at=now))
    if lost > LARGEST_LOSS * (held + lost):
        return None
    tx.execute(delete(directory_entries).where(_lost(number)))
    return lost


def _lost(number: int) -> ColumnElement[bool]:
    return and_(directory_entries.c.source == EXTRACT, directory_entries.c.import_id < number)


def _count(conn: Connection, condition: ColumnElement[bool]) -> int:
    return conn.execute(select(func.count()).select_from(directory_entries).where(condition)).scalar_one()

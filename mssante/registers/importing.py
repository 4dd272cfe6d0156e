"""From an extraction file to the directory: in pieces that are each one transaction, so that what was interrupted goes on.

Lines that the directory knows from an earlier file are passed over. Entries of an earlier extraction that this one no longer holds
are taken away at its end, unless they are so many that the file looks cut short. Mailboxes of ours on the red list, or closed, stay
out, whatever the file says. Our own entries keep what only we know. Of several lines with one address the first one is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from foundation.database import Database, Transaction
from foundation.keys import KeyRing
from mssante.directory import EXTRACT, ROW, hidden, learn, values_of
from mssante.mailboxes import address_lookup
from mssante.registers import extraction
from mssante.registers.extraction import Layout, NotAnExtraction
from mssante.registers.reading import LONGEST_LINE, Fault, Known, Piece, Reader, Row, blocks, pieces
from mssante.tables import directory_entries, directory_imports
from mssante.upsert import upsert_many

NAMES = (*ROW, "source", "import_id", "line")  # columns of a row, in their order
ADDRESS, LINE = NAMES.index("address"), NAMES.index("line")
LARGEST_LOSS = 0.1  # of the entries: above, nothing is taken away
AT_ONCE = 5_000  # entries taken away in one transaction
SHOWN_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Report:
    """`faults`: by kind; `first_faults`: (line, kind) of the first ones. `kept_out`: on our red list, or closed. `unchanged`: lines
    that the directory had already. `gone`: taken away because the file no longer holds them; None: too many, left."""

    lines: int = 0
    faults: dict[Fault, int] = field(default_factory=dict)
    first_faults: tuple[tuple[int, Fault], ...] = ()
    kept_out: int = 0
    unchanged: int = 0
    gone: int | None = 0


def run(
    db: Database,
    keys: KeyRing,
    path: Path,
    clock: Callable[[], int],
    progress: Callable[[int, int], None] = lambda done, size: None,
) -> Report:
    """Imports `path`. `progress(octets, size)` after each piece. Raises OSError, `NotAnExtraction`."""
    with extraction.opened(path) as (file, size):
        form, start = _layout(file)
        number = db.write_now(_begin, form.salt.hex(), start, clock())
        known, words, report = db.read_now(_known), set[str](), Report()
        changed = (*form.changed, "import_id", "words", "line")
        for piece in pieces(blocks(file), _reader(form, number, known), size):
            known.hold(piece.held)
            kept_out = db.write_now(_take, keys, number, piece, changed, piece.words - words, known)
            words |= piece.words
            report = replace(_added(report, piece), kept_out=report.kept_out + kept_out)
            progress(piece.position, size)
        report = replace(report, gone=_take_away(db, number, known))
        db.write_now(_finish, number, clock())
        return report


def looked_over(path: Path) -> Report:
    """What `run` would say of the lines of `path`; nothing is changed."""
    with extraction.opened(path) as (file, size):
        form, _ = _layout(file)
        report = Report()
        for piece in pieces(blocks(file), _reader(form, 0, Known()), size):
            report = _added(report, piece)
    return report


def _layout(file: IO[bytes]) -> tuple[Layout, int]:
    first = file.readline(LONGEST_LINE)
    try:
        return extraction.layout(first.decode()), len(first)
    except UnicodeDecodeError:
        raise NotAnExtraction from None


def _reader(form: Layout, number: int, known: Known) -> Reader:
    return Reader(partial(_row, form, number), form.salt, known.digests, NAMES.index("words"))


def _row(form: Layout, number: int, line: str, digest: int) -> Row | Fault:
    entry = extraction.read_line(line, form)
    if isinstance(entry, Fault):
        return entry
    return (*values_of(entry, entry.address), EXTRACT, number, digest)


def _added(report: Report, piece: Piece) -> Report:
    faults = dict(report.faults)
    for _, fault in piece.faults:
        faults[fault] = faults.get(fault, 0) + 1
    first = (*report.first_faults, *piece.faults)[:SHOWN_FAULTS]
    unchanged = report.unchanged + len(piece.held)
    return replace(report, lines=piece.lines, faults=faults, first_faults=first, unchanged=unchanged)


# -------------------------------------------------------------------- transactions
def _begin(tx: Transaction, digest: str, start: int, now: int) -> int:
    row = {"digest": digest, "position": start, "lines": 0, "faults": 0, "started_at": now}
    return tx.insert(directory_imports, row)


def _known(conn: Connection) -> Known:
    lines = select(directory_entries.c.line, directory_entries.c.id).where(directory_entries.c.line.is_not(None))
    rows = conn.execution_options(yield_per=10_000).execute(lines.order_by(directory_entries.c.line))
    return Known((row.line, row.id) for row in rows)


def _take(
    tx: Transaction, keys: KeyRing, number: int, piece: Piece, changed: tuple[str, ...], words: set[str], known: Known
) -> int:
    """How many were kept out. A piece done twice does no harm."""
    out = hidden(tx.conn)
    shown = [row for row in piece.rows if address_lookup(keys, row[ADDRESS]) not in out] if out else piece.rows
    first = {row[ADDRESS]: row for row in reversed(shown)}
    for address in _held(tx.conn, list(first), known) if len(known) else ():
        del first[address]
    earlier = f"directory_entries.import_id < {number:d}"
    upsert_many(tx, directory_entries, NAMES, list(first.values()), ("address",), changed, earlier)
    learn(tx, words)
    faults = directory_imports.c.faults + len(piece.faults)
    done = {"position": piece.position, "lines": piece.lines, "faults": faults}
    tx.execute(update(directory_imports).where(directory_imports.c.id == number).values(done))
    return len(piece.rows) - len(shown)


def _held(conn: Connection, addresses: Sequence[str], known: Known) -> list[str]:
    """Those of which the file has had a line already, that the directory knew."""
    lines = select(directory_entries.c.address, directory_entries.c.line).where(
        directory_entries.c.address.in_(addresses), directory_entries.c.line.is_not(None)
    )
    return [row.address for row in conn.execute(lines) if known.holds(row.line)]


def _take_away(db: Database, number: int, known: Known) -> int | None:
    """Entries of an extraction whose line this file did not have, neither changed."""
    held, unread = db.read_now(_count), db.read_now(_unread, number)
    lost = [*unread, *(row_id for ids in _some(known.lost()) for row_id in db.read_now(_still_old, number, ids))]
    if len(lost) > LARGEST_LOSS * held:
        return None
    return sum(db.write_now(_remove, number, ids) for ids in _some(iter(lost)))


def _some(ids: Iterator[int]) -> Iterator[list[int]]:
    while taken := list(islice(ids, AT_ONCE)):
        yield taken


def _count(conn: Connection) -> int:
    mine = select(func.count()).select_from(directory_entries).where(directory_entries.c.source == EXTRACT)
    return conn.execute(mine).scalar_one()


def _unread(conn: Connection, number: int) -> list[int]:
    """Entries without a line, from before lines were known by digest."""
    return list(
        conn.execute(select(directory_entries.c.id).where(_old(number), directory_entries.c.line.is_(None))).scalars()
    )


def _still_old(conn: Connection, number: int, ids: Sequence[int]) -> list[int]:
    return list(
        conn.execute(select(directory_entries.c.id).where(directory_entries.c.id.in_(ids), _old(number))).scalars()
    )


def _remove(tx: Transaction, number: int, ids: Sequence[int]) -> int:
    return tx.execute(delete(directory_entries).where(directory_entries.c.id.in_(ids), _old(number))).rowcount


def _old(number: int) -> ColumnElement[bool]:
    return and_(directory_entries.c.source == EXTRACT, directory_entries.c.import_id < number)


def _finish(tx: Transaction, number: int, now: int) -> None:
    tx.execute(update(directory_imports).where(directory_imports.c.id == number).values(finished_at=now))

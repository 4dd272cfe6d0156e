"""Finding a trace among millions by a keyed hash (« mark ») of its Message-ID or of an address.

Deliveries only append their marks, one row each, to one end of one table. Behind them `file_away` takes the oldest of these rows, a
block of some thousands at a time, and writes them where the first octet of each mark says: 256 rows a block, instead of a page for
each mark. So a look reads one small row of each block, and the rows that are not filed yet.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, select

from foundation.database import Transaction
from mailserver.delivery.tables import trace_blocks, trace_marks

MARK = 8  # octets of a keyed hash: enough to pass over nearly all others' traces; what is opened is compared
BLOCK = 2048  # traces: filed in some milliseconds of the writer, read through in one
_ENTRY = MARK + 16

Place = tuple[int, bytes]  # `at` and `name` of a trace


def file_away(tx: Transaction) -> int:
    """One block; returns how many traces, 0 when too few wait to be worth it."""
    order = (trace_marks.c.at, trace_marks.c.name)
    edge = tx.execute(select(trace_marks.c.at).order_by(*order).offset(BLOCK - 1).limit(1)).scalar_one_or_none()
    if edge is None:
        return 0
    # One statement takes and removes: what another process commits meanwhile is not lost between two.
    taken = delete(trace_marks).where(trace_marks.c.at <= edge).returning(*order, trace_marks.c.marks)
    rows = sorted((row.at, row.name, row.marks) for row in tx.execute(taken))
    buckets: defaultdict[int, list[bytes]] = defaultdict(list)
    for at, name, marks in rows:
        place = at.to_bytes(8, "big") + name
        for start in range(0, len(marks), MARK):
            buckets[marks[start]].append(marks[start : start + MARK] + place)
    block = {"first": rows[0][0], "last": rows[-1][0], "name": os.urandom(8)}
    tx.execute(
        insert(trace_blocks),
        [block | {"bucket": bucket, "entries": b"".join(found)} for bucket, found in sorted(buckets.items())],
    )
    return len(rows)


def places(conn: Connection, mark: bytes, since: int, until: int) -> set[Place]:
    """Of traces of [since, until[ (ms) that have this mark; a few may have another that only looks like it."""
    found = {(row.at, row.name) for row in conn.execute(not_filed(conn, mark, since, until))}
    for row in conn.execute(filed(mark, since, until)):
        found.update(place for place in _entries(row.entries, mark) if since <= place[0] < until)
    return found


def filed(mark: bytes, since: int, until: int) -> Any:
    """Statement: the blocks in which it may be."""
    blocks = trace_blocks.c
    query = select(blocks.entries).where(blocks.bucket == mark[0])
    return query.where(blocks.last >= since, blocks.first < until)


def not_filed(conn: Connection, mark: bytes, since: int, until: int) -> Any:
    """Statement: the traces whose marks lie where deliveries put them."""
    marks = trace_marks.c
    query = select(marks.at, marks.name).where(marks.at.between(since, until - 1))
    return query.where(_holds(conn, marks.marks, mark))


def forget(tx: Transaction, before: int) -> None:
    """Blocks whose newest trace is older (ms)."""
    gone = delete(trace_blocks).where(trace_blocks.c.last < before)
    for bucket in range(256):
        tx.execute(gone.where(trace_blocks.c.bucket == bucket))
    tx.execute(delete(trace_marks).where(trace_marks.c.at < before))


def _entries(entries: bytes, mark: bytes) -> list[Place]:
    found, start = [], entries.find(mark)
    while start >= 0:
        if start % _ENTRY == 0:
            at, name = entries[start + MARK : start + MARK + 8], entries[start + MARK + 8 : start + _ENTRY]
            found.append((int.from_bytes(at, "big"), name))
        start = entries.find(mark, start + 1)
    return found


def _holds(conn: Connection, marks: Any, mark: bytes) -> ColumnElement[bool]:
    """It may also be found across two marks: whoever asks compares."""
    if conn.dialect.name == "sqlite":
        return func.instr(marks, mark) > 0
    return func.position(literal(mark).op("IN")(marks)) > 0

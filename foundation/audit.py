"""The audit trail: append-only rows, each holding the hash of the one before, so that a removed or altered row shows.

One chain per process life: writers never wait for each other. A new chain's first row is numbered 0 and its digest covers the
chain's name. Within a chain time never goes back: when the clock is set back, a new chain begins, and its first row says so.
Actors and details are ids, keyed hashes and reason names: no personal data. Databases refuse to change or remove a row.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, select

from foundation.clock import SECOND, Clock, system_clock
from foundation.database import Transaction
from foundation.prepared import Prepared
from foundation.tables import audit

STEP = 2 * SECOND  # less than this back is how clocks are kept right
SET_BACK = "system:clock:set_back"

_INSERT = Prepared(insert(audit))
_TEXT = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


class Audit:
    """Writes one chain. The rows of one commit are linked and written together, by the writer thread only."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._head = self._written = _begin(0)

    def record(self, tx: Transaction, event: str, actor: str, details: dict[str, Any] | None = None) -> None:
        """`event` is subject:object:action; `details` is JSON without personal data."""
        text = _TEXT.encode(details or {})
        tx.collect(self, {"at": self._clock(), "event": event, "actor": actor, "details": text})

    def write(self, conn: Connection, items: list[dict[str, Any]]) -> None:
        rows: list[dict[str, Any]] = []
        head = self._head
        for item in items:
            if item["at"] < head.at - STEP:
                said = json.dumps({"before": head.chain, "seconds": (head.at - item["at"]) // SECOND})
                mark = {"at": item["at"], "event": SET_BACK, "actor": "system", "details": said}
                head = _link(rows, _begin(item["at"]), mark)
            head = _link(rows, head, item)
        _INSERT.run_all(conn, rows)
        self._written = head

    def committed(self) -> None:
        self._head = self._written


@dataclass(frozen=True, slots=True)
class _Head:
    """Where a chain stands: its name, the next number, the digest and the time (ms) of the last row."""

    chain: str
    seq: int
    digest: bytes
    at: int


def _begin(at: int) -> _Head:
    chain = os.urandom(8).hex()
    return _Head(chain, 0, chain.encode(), at)


def _link(rows: list[dict[str, Any]], head: _Head, item: dict[str, Any]) -> _Head:
    row = {"chain": head.chain, "seq": head.seq, "severity": 0, **item, "at": max(item["at"], head.at)}
    row["digest"] = digest(head.digest, row)
    rows.append(row)
    return _Head(head.chain, head.seq + 1, row["digest"], row["at"])


def digest(previous: bytes, row: dict[str, Any]) -> bytes:
    text = "\n".join(str(row[name]) for name in ("chain", "seq", "at", "event", "actor", "details"))
    return sha256(previous + text.encode()).digest()


class Wrong(Enum):
    """What can be seen of a row."""

    MISSING = "row {row} is missing"  # `row` is the first that is not there
    ALTERED = "row {row} was altered"
    CLOCK = "row {row} is {seconds} s earlier than what was written before: the clock was set back"


@dataclass(frozen=True, slots=True)
class Fault:
    wrong: Wrong
    chain: str
    row: int
    seconds: int = 0

    def __str__(self) -> str:
        return f"chain {self.chain}: {self.wrong.value.format(row=self.row, seconds=self.seconds)}"


@dataclass(frozen=True, slots=True)
class Link:
    """A row of the trail; `previous`: the digest that its own must have been made with."""

    row: Mapping[str, Any]
    previous: bytes
    faults: tuple[Fault, ...]


def checked(conn: Connection) -> Iterator[Link]:
    """The whole trail, chain after chain, each row with what is wrong with it.

    Nothing inside a chain can tell that its last rows went, or all of it: compare with an export of before for that.
    """
    chain, previous, expected, latest = "", b"", 0, 0
    rows = conn.execution_options(yield_per=1000).execute(select(audit).order_by(audit.c.chain, audit.c.seq))
    for row in rows.mappings():
        if row["chain"] != chain:
            chain, previous, expected, latest = row["chain"], row["chain"].encode(), 0, 0
        faults = []
        if row["seq"] != expected:
            faults.append(Fault(Wrong.MISSING, chain, expected))
        if row["digest"] != digest(previous, dict(row)):
            faults.append(Fault(Wrong.ALTERED, chain, row["seq"]))
        if back := _set_back(dict(row), latest):
            faults.append(Fault(Wrong.CLOCK, chain, row["seq"], back))
        yield Link(dict(row), previous, tuple(faults))
        previous, expected, latest = row["digest"], row["seq"] + 1, row["at"]


def _set_back(row: Mapping[str, Any], latest: int) -> int:
    """By how many seconds the clock went back before this row; 0: it did not."""
    if row["event"] == SET_BACK:
        return int(json.loads(row["details"])["seconds"])
    return (latest - int(row["at"])) // SECOND if row["at"] < latest - STEP else 0


def verify(conn: Connection) -> list[str]:
    """Faults found in the whole trail, in words; empty when every chain holds."""
    return [str(fault) for link in checked(conn) for fault in link.faults]

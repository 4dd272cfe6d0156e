"""The audit trail: append-only rows, each holding the hash of the one before, so that a removed or altered row shows.

One chain per process life: writers never wait for each other. A new chain's first row is numbered 0 and its digest covers the
chain's name. Actors and details are ids, keyed hashes and reason names: no personal data.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, select

from foundation.clock import Clock, system_clock
from foundation.database import Transaction
from foundation.prepared import Prepared
from foundation.tables import audit

_INSERT = Prepared(insert(audit))


class Audit:
    """Writes one chain. The rows of one commit are linked and written together, by the writer thread only."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._chain = os.urandom(8).hex()
        self._head = (0, self._chain.encode())  # next number, digest of the row before
        self._written = self._head

    def record(self, tx: Transaction, event: str, actor: str, details: dict[str, Any] | None = None) -> None:
        """`event` is subject:object:action; `details` is JSON without personal data."""
        text = json.dumps(details or {}, sort_keys=True, separators=(",", ":"))
        tx.collect(self, {"at": self._clock(), "event": event, "actor": actor, "details": text})

    def write(self, conn: Connection, items: list[dict[str, Any]]) -> None:
        first, previous = self._head
        rows = []
        for seq, item in enumerate(items, first):
            row = {"chain": self._chain, "seq": seq, "severity": 0, **item}
            row["digest"] = previous = digest(previous, row)
            rows.append(row)
        _INSERT.run_all(conn, rows)
        self._written = (first + len(rows), previous)

    def committed(self) -> None:
        self._head = self._written


def digest(previous: bytes, row: dict[str, Any]) -> bytes:
    text = "\n".join(str(row[name]) for name in ("chain", "seq", "at", "event", "actor", "details"))
    return sha256(previous + text.encode()).digest()


def verify(conn: Connection) -> list[str]:
    """Faults found in the whole trail, in words; empty when every chain holds."""
    faults: list[str] = []
    chain, previous, expected = "", b"", 0
    for row in conn.execute(select(audit).order_by(audit.c.chain, audit.c.seq)).mappings():
        if row["chain"] != chain:
            chain, previous, expected = row["chain"], row["chain"].encode(), 0
        if row["seq"] != expected:
            faults.append(f"chain {chain}: row {expected} is missing")
        if row["digest"] != digest(previous, dict(row)):
            faults.append(f"chain {chain}: row {row['seq']} was altered")
        previous, expected = row["digest"], row["seq"] + 1
    return faults

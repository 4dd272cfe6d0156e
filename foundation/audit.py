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
from foundation.tables import audit


class Audit:
    """Writes one chain. Rows are written by the writer thread only, one transaction after the other."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._chain = os.urandom(8).hex()

    def record(self, tx: Transaction, event: str, actor: str, details: dict[str, Any] | None = None) -> None:
        """`event` is subject:object:action; `details` is JSON without personal data."""
        seq, previous = self._head(tx)
        row = {
            "chain": self._chain,
            "seq": seq,
            "at": self._clock(),
            "event": event,
            "actor": actor,
            "details": json.dumps(details or {}, sort_keys=True, separators=(",", ":")),
            "severity": 0,
        }
        row["digest"] = digest(previous, row)
        tx.execute(insert(audit), row)

    def _head(self, tx: Transaction) -> tuple[int, bytes]:
        """From the database, not from memory: a savepoint undone takes its rows with it."""
        query = (
            select(audit.c.seq, audit.c.digest)
            .where(audit.c.chain == self._chain)
            .order_by(audit.c.seq.desc())
            .limit(1)
        )
        row = tx.execute(query).first()
        return (0, self._chain.encode()) if row is None else (row.seq + 1, row.digest)


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

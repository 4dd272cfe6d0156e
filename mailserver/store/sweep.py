"""Blobs that no message points to any more, removed after a grace.

Nothing else in the house searches for unused blobs: only those named in `loose_blobs` are looked at, so the cost follows what
was deleted, not what is stored, and blobs of other packages (documents of a dossier) are never touched.
The grace is longer than the longest promise on a message: a relay may still read its blob for 72 hours (docs/rules.md section 7).
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects import postgresql, sqlite

from foundation.blobs import Blobs
from foundation.clock import DAY
from foundation.database import Transaction
from foundation.tables import blobs as blob_rows
from mailserver.store.tables import loose_blobs, messages

GRACE = 7 * DAY
AT_ONCE = 500  # a short transaction: deliveries wait behind it


def loosen(tx: Transaction, blob_id: int, now: int) -> None:
    """A promise (a relay) was made on this blob: look at it after the grace, whether or not a message holds it."""
    loosen_all(tx, (blob_id,), now)


def loosen_all(tx: Transaction, blob_ids: Iterable[int], now: int) -> None:
    """The same of many; at least one."""
    into = sqlite.insert if tx.conn.dialect.name == "sqlite" else postgresql.insert
    rows = [{"blob_id": blob_id, "since": now} for blob_id in sorted(blob_ids)]
    tx.execute(into(loose_blobs).on_conflict_do_nothing(), rows)


def sweep(tx: Transaction, blobs: Blobs, now: int) -> tuple[int, bool]:
    """Removes unused blobs, at most `AT_ONCE`; returns how many, and whether there may be more."""
    due = select(loose_blobs.c.blob_id).where(loose_blobs.c.since <= now - GRACE).limit(AT_ONCE)
    ids = list(tx.execute(due).scalars())
    if not ids:
        return 0, False
    held = exists().where(messages.c.blob_id == blob_rows.c.id)
    unused = select(blob_rows.c.name).where(blob_rows.c.id.in_(ids), ~held)
    names = list(tx.execute(unused).scalars())
    tx.execute(delete(loose_blobs).where(loose_blobs.c.blob_id.in_(ids)))
    if names:
        blobs.delete(tx, names)
    return len(names), len(ids) == AT_ONCE

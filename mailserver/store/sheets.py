"""Sheets: what a list shows of 64 neighbours in a folder, sealed once more and together. A first FETCH opens one row instead of 64.

A sheet is made right after its last UID was given out, and again when a list misses it. A message that goes away takes its sheet
with it: nothing of it stays readable, and the next list reads the others from their cards, which are the truth.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite

from foundation.database import Transaction
from foundation.keys import Key, Tampered
from foundation.prepared import Prepared
from mailserver.store import folders as folder_rows
from mailserver.store.api import Front
from mailserver.store.ranges import Chunk
from mailserver.store.reading import PAGE_BITS, WORTH, card_fronts
from mailserver.store.sealed import pack_sheet, sheet_context
from mailserver.store.tables import sheets

LONGEST = 8192  # octets of a front; longer ones stay on their cards, so that a sheet is read in a millisecond


def _keep(insert: Any) -> Any:
    """A sheet that did not open is in the way."""
    return insert.on_conflict_do_update(
        index_elements=[sheets.c.folder_id, sheets.c.page], set_={"sealed": insert.excluded.sealed}
    )


_KEEP = Prepared({"sqlite": _keep(sqlite.insert(sheets)), "postgresql": _keep(postgresql.insert(sheets))})


def completed(uids: Sequence[int]) -> Collection[int]:
    """The pages whose last UID is one of `uids`, which were given out just now."""
    return range(uids[0] >> PAGE_BITS, (uids[-1] + 1) >> PAGE_BITS)


def bind(tx: Transaction, key: Key, folder_id: int, pages: Collection[int]) -> None:
    """Those of `pages` that no message will come to any more; the folder is held, so that none goes meanwhile."""
    [folder] = folder_rows.locked(tx, folder_id)
    for page in pages:
        first, beyond = page << PAGE_BITS, (page + 1) << PAGE_BITS
        fronts = _fronts(tx, key, folder_id, range(first, beyond)) if beyond <= folder.uid_next else ()
        if len(fronts) >= WORTH:
            sealed = key.seal(pack_sheet(fronts), sheet_context(folder_id, page))
            _KEEP.run(tx.conn, {"folder_id": folder_id, "page": page, "sealed": sealed})


def _fronts(tx: Transaction, key: Key, folder_id: int, uids: Sequence[int]) -> Sequence[tuple[int, Front]]:
    try:
        found = card_fronts(tx.conn, key, folder_id, uids)
    except (Tampered, ValueError):  # one card that nobody can read must not keep the next message out
        return ()
    return [(uid, front) for uid, front in found if sum(map(len, front)) <= LONGEST]


def unbind(tx: Transaction, folder_id: int, gone: Chunk) -> None:
    """The sheets of messages that go."""
    tx.execute(delete(sheets).where(sheets.c.folder_id == folder_id, gone.pages(PAGE_BITS).holds(sheets.c.page)))

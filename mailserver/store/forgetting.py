"""How long a folder remembers the UIDs that went (`expunged`). RFC 7162 3.2.5 lets a server forget them, as long as it knows up to
which MODSEQ it did (`folders.forgotten`): who comes from before is told what is left, by what is not (`imap/handlers/select.py`).

Without a bound, COPY and EXPUNGE in a loop would fill the disk, in no quota.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select, update

from foundation.clock import DAY
from foundation.database import Transaction
from mailserver.store.folders import FolderRow
from mailserver.store.tables import expunged, folders

FEWEST = 1_000  # that every folder remembers
DAYS = 90  # nobody's mail client stays away for longer and gains by it
AT_ONCE = 100  # folders in one transaction: deliveries wait behind it


def most(messages: int) -> int:
    """Expunges worth remembering in a folder of so many messages: beyond, the list of what is left is the shorter answer."""
    return max(FEWEST, messages)


def day(now: int) -> int:
    """Of `now` in milliseconds."""
    return now // DAY


def trim(tx: Transaction, folder: FolderRow, messages: int, more: int) -> None:
    """After `more` expunges, of `folder` as it was, with `messages` left: forgets the oldest, at twice what is worth it."""
    worth = most(messages)
    if folder.remembered + more <= 2 * worth:
        return
    here = select(expunged.c.modseq).where(expunged.c.folder_id == folder.id)
    floor = tx.execute(here.order_by(expunged.c.modseq.desc()).offset(worth).limit(1)).scalar()
    if floor is not None:
        forget(tx, folder.id, floor)


def forget(tx: Transaction, folder_id: int, floor: int) -> None:
    """All that went up to the MODSEQ `floor`."""
    gone = tx.execute(delete(expunged).where(expunged.c.folder_id == folder_id, expunged.c.modseq <= floor)).rowcount
    if gone:
        values = {"forgotten": floor, "remembered": folders.c.remembered - gone}
        tx.execute(update(folders).where(folders.c.id == folder_id).values(**values))


def due(conn: Connection, now: int) -> list[tuple[int, int]]:
    """(folder, MODSEQ up to which its expunges are too old)."""
    old = select(expunged.c.folder_id, func.max(expunged.c.modseq)).where(expunged.c.day < day(now) - DAYS)
    return [(folder_id, modseq) for folder_id, modseq in conn.execute(old.group_by(expunged.c.folder_id))]


def forget_all(tx: Transaction, some: Sequence[tuple[int, int]]) -> None:
    """Folders in ascending order, as others lock them."""
    for folder_id, floor in sorted(some):
        tx.execute(select(folders.c.id).where(folders.c.id == folder_id).with_for_update())
        forget(tx, folder_id, floor)

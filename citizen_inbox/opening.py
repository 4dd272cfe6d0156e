"""What follows when a citizen opens messages: they count as read, their traces say when, and receipts are owed to who asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select

from citizen_inbox.deps import Deps
from foundation.database import Transaction
from foundation.tables import blobs
from health_space.notices import operations as notices
from health_space.notices.rules import Kind
from mailserver.delivery.traces import OPENED, Traces
from mailserver.outbound.receipt import SENT
from mailserver.store import changing
from mailserver.store import folders as folder_rows
from mailserver.store.api import Flag, FlagOp, Flags
from mailserver.store.tables import messages


def opened(
    tx: Transaction,
    deps: Deps,
    box: int,
    unseen: Mapping[int, Sequence[int]],
    asking: Collection[tuple[int, int]],
    now: int,
) -> None:
    """`unseen`: folder -> UIDs; `asking`: (folder, UID) of those that want a receipt.

    One transaction, by the folder's own count: a page opened twice at once takes no other message's bell, and sends one receipt.
    """
    seen, book, reader = 0, Traces(deps.keys), deps.mailboxes.get(tx.conn, box)
    assert reader is not None  # whose session it is
    for folder, uids in sorted(unseen.items()):
        before = folder_rows.locked(tx, folder)[0].unseen
        owed = _without_receipt(tx, folder, [uid for uid in uids if (folder, uid) in asking])
        changing.store_flags(tx, folder, uids, FlagOp.ADD, Flags(Flag.SEEN), None)
        if owed:
            changing.store_flags(tx, folder, owed, FlagOp.ADD, Flags(Flag(0), frozenset({SENT})), None)
        for uid in owed:
            deps.jobs.enqueue(tx, "receipt", {"box_id": box, "folder_id": folder, "uid": uid})
        for name in _contents(tx, folder, uids):
            book.marked(tx, name, reader.address.text, OPENED, now)
        seen += before - folder_rows.by_id(tx.conn, folder).unseen
    notices.mark_oldest_read(tx, box, Kind.MESSAGE, seen, now)


def _without_receipt(tx: Transaction, folder: int, uids: Sequence[int]) -> list[int]:
    query = select(messages.c.uid, messages.c.keywords).where(messages.c.folder_id == folder, messages.c.uid.in_(uids))
    return [row.uid for row in tx.execute(query) if SENT not in row.keywords.split()] if uids else []


def _contents(tx: Transaction, folder: int, uids: Sequence[int]) -> list[str]:
    """Names of the blobs."""
    query = select(blobs.c.name).join(messages, messages.c.blob_id == blobs.c.id)
    return list(tx.execute(query.where(messages.c.folder_id == folder, messages.c.uid.in_(uids))).scalars())

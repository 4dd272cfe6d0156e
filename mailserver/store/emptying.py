"""Rows of mailboxes whose key is destroyed: nobody can read what they sealed, so they are taken away, a few at a time: deliveries
pass in between. A folder's row goes last, so that what was interrupted goes on. Blobs go after their grace, as all do (`sweep`).
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, delete, exists, select, tuple_

from foundation.database import Transaction
from mailserver.store.folders import LISTED
from mailserver.store.ranges import Chunk
from mailserver.store.sheets import unbind
from mailserver.store.sweep import loosen_all
from mailserver.store.tables import (
    cards,
    expunged,
    folder_annotations,
    folder_rights,
    folders,
    lost_folders,
    message_ids,
    messages,
)
from mssante.tables import mailboxes

AT_ONCE = 200  # rows of one table in one transaction


def erased(conn: Connection) -> list[int]:
    """Mailboxes without a key that have rows left."""
    held = exists().where(folders.c.box_id == mailboxes.c.id)
    return list(conn.execute(select(mailboxes.c.id).where(mailboxes.c.wrapped_key.is_(None), held)).scalars())


def empty(tx: Transaction, box_id: int, now: int) -> bool:
    """Takes a few rows of an erased mailbox away; False when none are left. `now` in ms, when the blobs' grace begins."""
    if _first(tx, message_ids, "box_id", box_id, "message_key"):
        return True
    folder_id = tx.execute(
        select(folders.c.id).where(folders.c.box_id == box_id).order_by(folders.c.id).limit(1)
    ).scalar()
    if folder_id is None:
        return False
    if _messages(tx, box_id, folder_id, now) or _first(tx, expunged, "folder_id", folder_id, "modseq", "uid"):
        return True
    for table in (lost_folders, folder_rights, folder_annotations):
        tx.execute(delete(table).where(table.c.box_id == box_id))
    tx.execute(delete(folders).where(folders.c.id == folder_id))
    tx.signal(LISTED, box_id)
    return True


def _messages(tx: Transaction, box_id: int, folder_id: int, now: int) -> bool:
    """The first ones, with what was sealed of them: copies in other folders of the box can be read as little."""
    here = select(messages.c.uid, messages.c.blob_id).where(messages.c.folder_id == folder_id)
    rows = tx.execute(here.order_by(messages.c.uid).limit(AT_ONCE)).all()
    if not rows:
        return False
    blobs = {row.blob_id for row in rows}
    loosen_all(tx, blobs, now)
    tx.execute(delete(cards).where(cards.c.blob_id.in_(blobs), cards.c.box_id == box_id))
    unbind(tx, folder_id, Chunk(rows[0].uid, rows[-1].uid))
    tx.execute(delete(messages).where(messages.c.folder_id == folder_id, messages.c.uid <= rows[-1].uid))
    return True


def _first(tx: Transaction, table: Table, of: str, value: int, *key: str) -> bool:
    """Takes the first rows away, in the order of their key; whether there were any."""
    columns = [table.c[name] for name in key]
    here = table.c[of] == value
    rows = tx.execute(select(*columns).where(here).order_by(*columns).limit(AT_ONCE)).all()
    if rows:
        tx.execute(delete(table).where(here, tuple_(*columns) <= tuple_(*rows[-1])))
    return bool(rows)

"""Annotations of folders and of the server (RFC 5464), sealed with the box's key: names and values can say as much as mail does.

Limits are pure; the functions below them take the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from foundation.database import Transaction
from foundation.keys import Key, KeyRing
from mailserver.store.api import StoreError
from mailserver.store.tables import folder_annotations

SERVER = 0  # in the place of a folder's id
SHARED = 0  # in the place of a member's number
VALUE_OCTETS = 4096  # RFC 5464 4.3: at least 1024
ENTRIES = 1_000  # of one mailbox, all its folders and members together


def check_number(entries: int) -> None:
    """`entries` that the mailbox would have; raises StoreError."""
    if entries > ENTRIES:
        raise StoreError("METADATA TOOMANY", f"a mailbox has at most {ENTRIES} annotations")


def owner(member: int, entry: str) -> int:
    return SHARED if entry.startswith("/shared") else member


def found(
    conn: Connection, key: Key, box_id: int, member: int, folder_ids: Sequence[int]
) -> dict[int, dict[str, bytes]]:
    """By folder, every entry that the member may see."""
    at = folder_annotations.c
    own = (at.box_id == box_id, at.folder_id.in_(folder_ids), at.member.in_((SHARED, member)))
    query = select(folder_annotations).where(*own)
    opened: dict[int, dict[str, bytes]] = {folder_id: {} for folder_id in folder_ids}
    for row in conn.execute(query):
        packed = key.open(row.sealed, _context(row.folder_id, row.member, row.entry_key))
        entry, _, value = packed.partition(b"\0")
        if owner(member, entry.decode()) == row.member:
            opened[row.folder_id][entry.decode()] = value
    return opened


def change(
    tx: Transaction,
    keys: KeyRing,
    key: Key,
    box_id: int,
    member: int,
    folder_id: int,
    values: Mapping[str, bytes | None],
) -> None:
    """All or nothing; a value of None takes the entry away."""
    for entry, value in values.items():
        whose, entry_key = owner(member, entry), keys.lookup("annotation", f"{box_id} {entry}")
        tx.execute(delete(folder_annotations).where(_same(box_id, folder_id, whose, entry_key)))
        if value is not None:
            sealed = key.seal(entry.encode() + b"\0" + value, _context(folder_id, whose, entry_key))
            row = {"box_id": box_id, "folder_id": folder_id, "member": whose, "entry_key": entry_key, "sealed": sealed}
            tx.execute(insert(folder_annotations), row)
    counted = select(func.count()).select_from(folder_annotations).where(folder_annotations.c.box_id == box_id)
    check_number(int(tx.execute(counted).scalar_one()))


def remove(tx: Transaction, box_id: int, folder_id: int) -> None:
    """With the folder."""
    own = (folder_annotations.c.box_id == box_id, folder_annotations.c.folder_id == folder_id)
    tx.execute(delete(folder_annotations).where(*own))


def _same(box_id: int, folder_id: int, member: int, entry_key: bytes) -> ColumnElement[bool]:
    at = folder_annotations.c
    return and_(at.box_id == box_id, at.folder_id == folder_id, at.member == member, at.entry_key == entry_key)


def _context(folder_id: int, member: int, entry_key: bytes) -> bytes:
    return b"annotation %d %d " % (folder_id, member) + entry_key

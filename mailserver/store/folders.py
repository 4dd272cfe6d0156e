"""Folders in the database (RFC 9051 6.3): created, found, renamed, deleted. Names are sealed; look-ups go by keyed hash.

Functions take the caller's transaction: delivery and the opening of a mailbox use them in theirs. Every change of what `listed`
says signals LISTED with the box's id: each process keeps the lists in memory until then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, literal, select, update

from foundation.database import Transaction
from foundation.keys import Key, KeyRing
from foundation.prepared import Prepared
from mailserver.store import names
from mailserver.store.api import Flag, Folder, FolderStatus, StoreError
from mailserver.store.sealed import open_name, seal_name
from mailserver.store.tables import expunged, folder_rights, folder_subscriptions, folders, lost_folders, messages
from mssante.rights import Rights, written

LISTED = "folders"


class FolderRow(NamedTuple):
    """The table's columns."""

    id: int
    box_id: int
    name_key: bytes
    sealed_name: bytes
    uid_validity: int
    uid_next: int
    highest_modseq: int
    flags_modseq: int
    forgotten: int
    remembered: int
    special_use: str | None
    subscribed: bool
    messages: int
    unseen: int
    deleted: int
    size: int


_ROW = select(*(folders.c[name] for name in FolderRow._fields))
_BY_NAME = Prepared(_ROW.where(folders.c.box_id == bindparam("box"), folders.c.name_key == bindparam("name_key")))
_BY_ID = Prepared(_ROW.where(folders.c.id == bindparam("folder")))
_LOCK = Prepared(_ROW.where(folders.c.id == bindparam("folder")).with_for_update())
_BY_BOX = select(folders).where(folders.c.box_id == bindparam("box"))
_SUBSCRIPTIONS = select(folder_subscriptions).where(folder_subscriptions.c.box_id == bindparam("box"))
_RIGHTS = select(folder_rights).where(folder_rights.c.box_id == bindparam("box"))
_STATUS = ("messages", "unseen", "deleted", "uid_next", "uid_validity", "highest_modseq", "size")
_MESSAGES = Prepared(select(func.sum(folders.c.messages)).where(folders.c.box_id == bindparam("box")))
_STATUSES = select(folders.c.id, *(folders.c[name] for name in _STATUS)).where(folders.c.box_id == bindparam("box"))


def name_key(keys: KeyRing, box_id: int, name: str) -> bytes:
    return keys.lookup("folder", f"{box_id} {name}")


def open_box(tx: Transaction, keys: KeyRing, key: Key, box_id: int, professional: bool) -> None:
    """The default folders of a new mailbox; harmless when they are there."""
    for name, special_use in names.default_folders(professional):
        if find(tx.conn, keys, box_id, name) is None:
            _add(tx, keys, key, box_id, name, special_use)


def listed(conn: Connection, key: Key, box_id: int) -> list[Folder]:
    acls: defaultdict[int, dict[int, Rights]] = defaultdict(dict)
    for row in conn.execute(_RIGHTS, {"box": box_id}):
        acls[row.folder_id][row.member] = frozenset(row.rights)
    own: defaultdict[int, dict[int, bool]] = defaultdict(dict)
    for row in conn.execute(_SUBSCRIPTIONS, {"box": box_id}):
        own[row.folder_id][row.member] = row.subscribed
    rows = conn.execute(_BY_BOX, {"box": box_id})
    found = (_folder(row, open_name(key, row.sealed_name), acls.get(row.id, {}), own.get(row.id, {})) for row in rows)
    return sorted(found, key=lambda folder: folder.name)


def _found(query: Prepared, conn: Connection, values: Mapping[str, object]) -> FolderRow | None:
    row = query.run(conn, values).fetchone()
    return None if row is None else FolderRow._make(row)


def find(conn: Connection, keys: KeyRing, box_id: int, name: str) -> FolderRow | None:
    """`name` is in its normal spelling."""
    return _found(_BY_NAME, conn, {"box": box_id, "name_key": name_key(keys, box_id, name)})


def named(conn: Connection, keys: KeyRing, box_id: int, name: str) -> FolderRow:
    row = find(conn, keys, box_id, names.normal(name))
    if row is None:
        raise StoreError("NONEXISTENT", "no such folder")
    return row


def special(conn: Connection, box_id: int, special_use: str) -> int | None:
    """Id of the box's folder with this special use: « Envoyés » wherever the user renamed it to.

    The first one, which came with the box: clients may make others (RFC 6154 3).
    """
    query = select(func.min(folders.c.id)).where(folders.c.box_id == box_id, folders.c.special_use == special_use)
    found = conn.execute(query).scalar()
    return None if found is None else int(found)


def by_id(conn: Connection, folder_id: int) -> FolderRow:
    row = _found(_BY_ID, conn, {"folder": folder_id})
    if row is None:
        raise StoreError("NONEXISTENT", "no such folder")
    return row


def locked(tx: Transaction, *folder_ids: int) -> list[FolderRow]:
    """The rows, in the order given, held until the commit; locked in ascending order so that two moves never deadlock."""
    held = {folder_id: _found(_LOCK, tx.conn, {"folder": folder_id}) for folder_id in sorted(set(folder_ids))}
    rows = [held[folder_id] for folder_id in folder_ids]
    if None in rows:
        raise StoreError("NONEXISTENT", "no such folder")
    return [row for row in rows if row is not None]


def status_of(row: FolderRow | Row[Any]) -> FolderStatus:
    return FolderStatus(
        row.messages, row.unseen, row.deleted, row.uid_next, row.uid_validity, row.highest_modseq, row.size
    )


def statuses(conn: Connection, box_id: int) -> dict[int, FolderStatus]:
    return {row.id: status_of(row) for row in conn.execute(_STATUSES, {"box": box_id})}


def deleted_sizes(conn: Connection, folder_ids: Sequence[int]) -> dict[int, int]:
    deleted = messages.c.flags.bitwise_and(int(Flag.DELETED)) != 0
    query = select(messages.c.folder_id, func.sum(messages.c.size)).where(messages.c.folder_id.in_(folder_ids), deleted)
    found = {row[0]: int(row[1]) for row in conn.execute(query.group_by(messages.c.folder_id))}
    return {folder_id: found.get(folder_id, 0) for folder_id in folder_ids}


def create(
    tx: Transaction, keys: KeyRing, key: Key, box_id: int, wanted: str, special_use: str | None = None
) -> Folder:
    name = names.normal(wanted)
    if find(tx.conn, keys, box_id, name) is not None:
        raise StoreError("ALREADYEXISTS", "this folder exists already")
    _add_parents(tx, keys, key, box_id, name)
    names.check_number(_number(tx, box_id) + 1)
    return _add(tx, keys, key, box_id, name, special_use)


def messages_in(conn: Connection, box_id: int) -> int:
    """Of all its folders."""
    return int(_MESSAGES.run(conn, {"box": box_id}).fetchone()[0] or 0)


def remove(tx: Transaction, folder: FolderRow) -> None:
    """Its row and its history; the caller has removed the messages. A name hidden from somebody is told to nobody afterwards."""
    given = select(folder_rights.c.rights).where(*_rights_of(folder.box_id, folder.id))
    hidden = any("l" not in rights for rights in tx.execute(given).scalars())
    tx.signal(LISTED, folder.box_id)
    tx.execute(delete(expunged).where(expunged.c.folder_id == folder.id))
    tx.execute(delete(folder_rights).where(*_rights_of(folder.box_id, folder.id)))
    tx.execute(delete(folder_subscriptions).where(*_subscriptions_of(folder.box_id, folder.id)))
    tx.execute(delete(folders).where(folders.c.id == folder.id))
    if folder.subscribed and not hidden and _lost_number(tx, folder.box_id) < names.LOST:
        lost = {"box_id": folder.box_id, "name_key": folder.name_key, "sealed_name": folder.sealed_name}
        tx.execute(insert(lost_folders), lost)


def rename(tx: Transaction, keys: KeyRing, key: Key, box_id: int, old: str, new: str) -> None:
    """`old` (not INBOX) and its inferior names; ids, so UIDVALIDITY and UIDs, stay."""
    names.check_rename(old, new)
    present = {folder.name: folder.id for folder in listed(tx.conn, key, box_id)}
    moves = {name: target for name in present if (target := names.renamed(name, old, new)) is not None}
    if present.keys() & set(moves.values()):
        raise StoreError("ALREADYEXISTS", "a folder of the new name exists already")
    for name, target in moves.items():
        values = {"name_key": name_key(keys, box_id, target), "sealed_name": seal_name(key, target)}
        tx.execute(update(folders).where(folders.c.id == present[name]).values(**values))
        forget_lost(tx, keys, box_id, target)
    tx.signal(LISTED, box_id)
    _add_parents(tx, keys, key, box_id, new)
    names.check_number(_number(tx, box_id))


def subscribe(tx: Transaction, folder_id: int, box_id: int, subscribed: bool) -> None:
    tx.execute(update(folders).where(folders.c.id == folder_id).values(subscribed=subscribed))
    tx.signal(LISTED, box_id)


def subscribe_member(tx: Transaction, folder_id: int, box_id: int, member: int, subscribed: bool) -> None:
    """Of a team: nobody else's subscription changes."""
    tx.execute(
        delete(folder_subscriptions).where(
            *_subscriptions_of(box_id, folder_id), folder_subscriptions.c.member == member
        )
    )
    row = {"box_id": box_id, "folder_id": folder_id, "member": member, "subscribed": subscribed}
    tx.execute(insert(folder_subscriptions), row)
    tx.signal(LISTED, box_id)


def _subscriptions_of(box_id: int, folder_id: int) -> tuple[ColumnElement[bool], ...]:
    return folder_subscriptions.c.box_id == box_id, folder_subscriptions.c.folder_id == folder_id


def set_rights(tx: Transaction, box_id: int, folder_id: int, member: int, rights: Rights | None) -> None:
    """None: those of the member's role."""
    here = (*_rights_of(box_id, folder_id), folder_rights.c.member == member)
    tx.execute(delete(folder_rights).where(*here))
    if rights is not None:
        row = {"box_id": box_id, "folder_id": folder_id, "member": member, "rights": written(rights)}
        tx.execute(insert(folder_rights), row)
    tx.signal(LISTED, box_id)


def _rights_of(box_id: int, folder_id: int) -> tuple[ColumnElement[bool], ...]:
    return folder_rights.c.box_id == box_id, folder_rights.c.folder_id == folder_id


def _inherit_rights(tx: Transaction, keys: KeyRing, box_id: int, folder_id: int, name: str) -> None:
    """RFC 4314 4: of the folder above, which exists."""
    if above := names.parents(name):
        parent = named(tx.conn, keys, box_id, above[-1])
        theirs = select(folder_rights.c.box_id, literal(folder_id), folder_rights.c.member, folder_rights.c.rights)
        theirs = theirs.where(*_rights_of(box_id, parent.id))
        tx.execute(insert(folder_rights).from_select(["box_id", "folder_id", "member", "rights"], theirs))


def lost(conn: Connection, key: Key, box_id: int) -> list[str]:
    sealed = conn.execute(select(lost_folders.c.sealed_name).where(lost_folders.c.box_id == box_id)).scalars()
    return sorted(open_name(key, name) for name in sealed)


def forget_lost(tx: Transaction, keys: KeyRing, box_id: int, name: str) -> bool:
    """Whether the name was among the lost ones; it is not any more."""
    own = (lost_folders.c.box_id == box_id, lost_folders.c.name_key == name_key(keys, box_id, name))
    found = bool(tx.execute(delete(lost_folders).where(*own)).rowcount)
    if found:
        tx.signal(LISTED, box_id)
    return found


def _lost_number(tx: Transaction, box_id: int) -> int:
    counted = select(func.count()).select_from(lost_folders).where(lost_folders.c.box_id == box_id)
    return int(tx.execute(counted).scalar_one())


def _number(tx: Transaction, box_id: int) -> int:
    return int(tx.execute(select(func.count()).select_from(folders).where(folders.c.box_id == box_id)).scalar_one())


def _add_parents(tx: Transaction, keys: KeyRing, key: Key, box_id: int, name: str) -> None:
    """RFC 9051 6.3.4: superior names come with the inferior one."""
    for parent in names.parents(name):
        if find(tx.conn, keys, box_id, parent) is None:
            _add(tx, keys, key, box_id, parent, None)


def _add(tx: Transaction, keys: KeyRing, key: Key, box_id: int, name: str, special_use: str | None) -> Folder:
    row = {
        "box_id": box_id,
        "name_key": name_key(keys, box_id, name),
        "sealed_name": seal_name(key, name),
        "uid_validity": 0,
        "uid_next": 1,
        "highest_modseq": 1,  # RFC 7162 3.1.1: positive
        "special_use": special_use,
        "subscribed": True,
        "messages": 0,
        "unseen": 0,
        "deleted": 0,
        "size": 0,
    }
    created = tx.execute(insert(folders).returning(folders.c.id), row)
    folder_id = int(created.scalar_one())
    tx.execute(update(folders).where(folders.c.id == folder_id).values(uid_validity=folder_id))
    _inherit_rights(tx, keys, box_id, folder_id, name)
    forget_lost(tx, keys, box_id, name)
    tx.signal(LISTED, box_id)
    return Folder(folder_id, box_id, name, folder_id, special_use)


def _folder(row: Row[Any], name: str, acl: Mapping[int, Rights], subscriptions: Mapping[int, bool]) -> Folder:
    return Folder(row.id, row.box_id, name, row.uid_validity, row.special_use, row.subscribed, acl, subscriptions)

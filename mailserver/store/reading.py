"""Reading a folder: narrow rows, changes since a MODSEQ, cards, texts, octets. Functions for `Database.read`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, select

from foundation.blobs import BlobRef, Blobs
from foundation.keys import Key
from foundation.tables import blobs as blob_rows
from mailserver.store import folders as folder_rows
from mailserver.store.api import Card, Changes, FolderStatus, Front, Row
from mailserver.store.columns import Columns, columns_of
from mailserver.store.flags import flags_of
from mailserver.store.sealed import (
    back_context,
    front_context,
    texts_context,
    unpack_card,
    unpack_front,
    unpack_texts,
)
from mailserver.store.tables import cards, expunged, folders, messages, search_texts

NARROW = (
    messages.c.uid,
    messages.c.modseq,
    messages.c.flags,
    messages.c.keywords,
    messages.c.internal_date,
    messages.c.size,
)
_FOLDER = messages.c.folder_id == bindparam("folder")
_ROWS = select(*NARROW).where(_FOLDER).order_by(messages.c.uid)
_CHANGED = select(*NARROW).where(_FOLDER, messages.c.modseq > bindparam("since")).order_by(messages.c.uid)
_VANISHED = (
    select(expunged.c.uid)
    .where(expunged.c.folder_id == bindparam("folder"), expunged.c.modseq > bindparam("since"))
    .order_by(expunged.c.uid)
)
_BOX = select(folders.c.box_id).where(folders.c.id == bindparam("folder")).scalar_subquery()
_UIDS = messages.c.uid.in_(bindparam("uids", expanding=True))
_OWN_CARDS = messages.join(cards, (cards.c.blob_id == messages.c.blob_id) & (cards.c.box_id == _BOX))
_FRONT = (messages.c.uid, messages.c.blob_id, cards.c.front)
_FRONTS = select(*_FRONT).select_from(_OWN_CARDS).where(_FOLDER, _UIDS).order_by(messages.c.uid)
_CARDS = _FRONTS.add_columns(cards.c.back)
_OCTETS = (
    select(*_FRONT, blob_rows.c.data)
    # Outer: a blob that is lost is an error of ours, never a message that was expunged.
    .select_from(_OWN_CARDS.outerjoin(blob_rows, blob_rows.c.id == messages.c.blob_id))
    .where(_FOLDER, _UIDS)
    .order_by(messages.c.uid)
)
_CONTENTS = _OCTETS.with_only_columns(*_FRONT, cards.c.back, blob_rows.c.data)
_OWN_TEXTS = messages.join(
    search_texts, (search_texts.c.blob_id == messages.c.blob_id) & (search_texts.c.box_id == _BOX)
)
_TEXTS = (
    select(messages.c.uid, messages.c.blob_id, search_texts.c.texts)
    .select_from(_OWN_TEXTS)
    .where(_FOLDER, _UIDS)
    .order_by(messages.c.uid)
)


def snapshot(conn: Connection) -> None:
    """Two queries, one state: SQLite's read transactions are so by nature."""
    if conn.dialect.name == "postgresql":
        conn.execution_options(isolation_level="REPEATABLE READ")


def all_rows(conn: Connection, folder_id: int) -> tuple[FolderStatus, list[Row]]:
    snapshot(conn)
    status = folder_rows.status_of(folder_rows.by_id(conn, folder_id))
    return status, as_rows(conn.execute(_ROWS, {"folder": folder_id}).all())


def look(conn: Connection, folder_id: int, known: Columns | None) -> Columns:
    """`known` and what happened since; all of it when nothing is known."""
    snapshot(conn)
    status = folder_rows.status_of(folder_rows.by_id(conn, folder_id))
    if known is None:
        return columns_of(status, _plain(conn, _ROWS, {"folder": folder_id}))
    if status.highest_modseq == known.modseq:
        return known
    where = {"folder": folder_id, "since": known.modseq}
    return known.advanced(status, _plain(conn, _CHANGED, where), conn.execute(_VANISHED, where).scalars())


def _plain(conn: Connection, query: Executable, where: Mapping[str, object]) -> list[Any]:
    """The driver's own tuples: nothing in a narrow row needs SQLAlchemy's hand, which takes as long as the query."""
    with conn.execute(query, where) as result:
        return list(result.cursor.fetchall())


def changes(conn: Connection, folder_id: int, since_modseq: int) -> Changes:
    snapshot(conn)
    folder = folder_rows.by_id(conn, folder_id)
    if folder.highest_modseq <= since_modseq:
        return Changes([], [], folder.highest_modseq)
    where = {"folder": folder_id, "since": since_modseq}
    changed = as_rows(conn.execute(_CHANGED, where).all())
    vanished = list(conn.execute(_VANISHED, where).scalars())
    return Changes(changed, vanished, folder.highest_modseq)


def some_fronts(conn: Connection, key: Key, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Front]]:
    rows = _plain(conn, _FRONTS, {"folder": folder_id, "uids": uids})
    return [(uid, unpack_front(key.open(front, front_context(blob)))[1]) for uid, blob, front in rows]


def some_cards(conn: Connection, key: Key, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Card]]:
    rows = _plain(conn, _CARDS, {"folder": folder_id, "uids": uids})
    return [(uid, _opened(key, blob, front, back)[1]) for uid, blob, front, back in rows]


def some_octets(
    conn: Connection, key: Key, blobs: Blobs, folder_id: int, uids: Sequence[int]
) -> list[tuple[int, bytes]]:
    found = []
    for uid, blob, front, data in _plain(conn, _OCTETS, {"folder": folder_id, "uids": uids}):
        ref, _ = unpack_front(key.open(front, front_context(blob)))
        found.append((uid, blobs.open(ref, data, 0, None)))
    return found


def some_contents(
    conn: Connection, key: Key, blobs: Blobs, folder_id: int, uids: Sequence[int]
) -> list[tuple[int, Card, bytes]]:
    found = []
    for uid, blob, front, back, data in _plain(conn, _CONTENTS, {"folder": folder_id, "uids": uids}):
        ref, card = _opened(key, blob, front, back)
        found.append((uid, card, blobs.open(ref, data, 0, None)))
    return found


def _opened(key: Key, blob: int, front: bytes, back: bytes) -> tuple[BlobRef, Card]:
    ref, opened = unpack_front(key.open(front, front_context(blob)))
    return ref, unpack_card(opened, key.open(back, back_context(blob)))


def some_texts(conn: Connection, key: Key, folder_id: int, uids: Sequence[int]) -> list[tuple[int, str, str]]:
    rows = _plain(conn, _TEXTS, {"folder": folder_id, "uids": uids})
    return [(uid, *unpack_texts(key.open(texts, texts_context(blob)))) for uid, blob, texts in rows]


def content(
    conn: Connection, key: Key, blobs: Blobs, folder_id: int, uid: int, offset: int, length: int | None
) -> bytes | None:
    row = conn.execute(_FRONTS, {"folder": folder_id, "uids": [uid]}).first()
    if row is None:
        return None
    ref, _ = unpack_front(key.open(row.front, front_context(row.blob_id)))
    return blobs.read(conn, ref, offset, length)


def as_rows(rows: Sequence[Sequence[object]]) -> list[Row]:
    return [
        Row(uid, modseq, flags_of(system, keywords), date, size)  # type: ignore[arg-type]
        for uid, modseq, system, keywords, date, size in rows
    ]

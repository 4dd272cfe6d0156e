"""Reading a folder: narrow rows, changes since a MODSEQ, cards, texts, octets. Functions for `Database.read`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from foundation.blobs import Blobs
from foundation.keys import Key
from foundation.tables import blobs as blob_rows
from mailserver.store import folders as folder_rows
from mailserver.store.api import Card, Changes, FolderStatus, Row
from mailserver.store.flags import flags_of
from mailserver.store.sealed import card_context, texts_context, unpack_card, unpack_texts
from mailserver.store.tables import cards, expunged, messages, search_texts

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
_UIDS = messages.c.uid.in_(bindparam("uids", expanding=True))
_CARDS = (
    select(messages.c.uid, messages.c.blob_id, cards.c.card)
    .join(cards, (cards.c.folder_id == messages.c.folder_id) & (cards.c.uid == messages.c.uid))
    .where(_FOLDER, _UIDS)
    .order_by(messages.c.uid)
)
# Outer: a blob that is lost is an error of ours, never a message that was expunged.
_CONTENTS = _CARDS.add_columns(blob_rows.c.data).outerjoin(blob_rows, blob_rows.c.id == messages.c.blob_id)
_TEXTS = (
    select(messages.c.uid, messages.c.blob_id, search_texts.c.texts)
    .join(search_texts, (search_texts.c.folder_id == messages.c.folder_id) & (search_texts.c.uid == messages.c.uid))
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


def changes(conn: Connection, folder_id: int, since_modseq: int) -> Changes:
    snapshot(conn)
    folder = folder_rows.by_id(conn, folder_id)
    if folder.highest_modseq <= since_modseq:
        return Changes([], [], folder.highest_modseq)
    where = {"folder": folder_id, "since": since_modseq}
    changed = as_rows(conn.execute(_CHANGED, where).all())
    vanished = list(conn.execute(_VANISHED, where).scalars())
    return Changes(changed, vanished, folder.highest_modseq)


def some_cards(conn: Connection, key: Key, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Card]]:
    rows = conn.execute(_CARDS, {"folder": folder_id, "uids": uids}).all()
    return [(uid, unpack_card(key.open(card, card_context(blob)))[1]) for uid, blob, card in rows]


def some_contents(
    conn: Connection, key: Key, blobs: Blobs, folder_id: int, uids: Sequence[int]
) -> list[tuple[int, Card, bytes]]:
    found = []
    for uid, blob, sealed, data in conn.execute(_CONTENTS, {"folder": folder_id, "uids": uids}):
        ref, card = unpack_card(key.open(sealed, card_context(blob)))
        found.append((uid, card, blobs.open(ref, data, 0, None)))
    return found


def some_texts(conn: Connection, key: Key, folder_id: int, uids: Sequence[int]) -> list[tuple[int, str, str]]:
    rows = conn.execute(_TEXTS, {"folder": folder_id, "uids": uids}).all()
    return [(uid, *unpack_texts(key.open(texts, texts_context(blob)))) for uid, blob, texts in rows]


def content(
    conn: Connection, key: Key, blobs: Blobs, folder_id: int, uid: int, offset: int, length: int | None
) -> bytes | None:
    row = conn.execute(_CARDS, {"folder": folder_id, "uids": [uid]}).first()
    if row is None:
        return None
    ref, _ = unpack_card(key.open(row.card, card_context(row.blob_id)))
    return blobs.read(conn, ref, offset, length)


def as_rows(rows: Sequence[Sequence[object]]) -> list[Row]:
    return [
        Row(uid, modseq, flags_of(system, keywords), date, size)  # type: ignore[arg-type]
        for uid, modseq, system, keywords, date, size in rows
    ]

"""Reading a folder: narrow rows, changes since a MODSEQ, cards, texts, octets. Functions for `Database.read`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Executable, Select, bindparam, select

from foundation.blobs import Blobs
from foundation.keys import Key, Tampered
from foundation.prepared import Prepared
from foundation.tables import blobs as blob_rows
from mailserver.store import folders as folder_rows
from mailserver.store.api import Card, Changes, FolderStatus, Front, Origin, Row, StoreError
from mailserver.store.columns import Columns, columns_of
from mailserver.store.flags import flags_of
from mailserver.store.sealed import (
    back_context,
    front_context,
    heads_context,
    sheet_context,
    texts_context,
    unpack_card,
    unpack_front,
    unpack_ref,
    unpack_sheet,
    unpack_text,
)
from mailserver.store.tables import cards, expunged, folders, messages, sheets

PAGE_BITS = 6  # 64 messages in a sheet: one cipher call and one row for all of them
FEW = 64  # messages that are read at once, without a thread
WORTH = 16  # messages of a page: for fewer, their cards cost less than a sheet
NARROW = (
    messages.c.uid,
    messages.c.modseq,
    messages.c.flags,
    messages.c.keywords,
    messages.c.internal_date,
    messages.c.size,
)
_FOLDER = messages.c.folder_id == bindparam("folder")
_MODSEQ = Prepared(select(folders.c.highest_modseq).where(folders.c.id == bindparam("folder")))
_ALL = select(*NARROW).where(_FOLDER).order_by(messages.c.uid)
_ROWS = Prepared(_ALL)
_CHANGED = Prepared(_ALL.where(messages.c.modseq > bindparam("since")))
_NEW = Prepared(_ALL.where(messages.c.uid >= bindparam("from")))
_ORIGINS = (
    select(messages.c.uid, messages.c.blob_id, messages.c.thread_id, messages.c.saved_at)
    .where(_FOLDER)
    .order_by(messages.c.uid)
)
_VANISHED = Prepared(
    select(expunged.c.uid)
    .where(expunged.c.folder_id == bindparam("folder"), expunged.c.modseq > bindparam("since"))
    .order_by(expunged.c.uid)
)
_BOX = select(folders.c.box_id).where(folders.c.id == bindparam("folder")).scalar_subquery()
_OWN_CARDS = messages.join(cards, (cards.c.blob_id == messages.c.blob_id) & (cards.c.box_id == _BOX))
_FRONT = (messages.c.uid, messages.c.blob_id, cards.c.front)
_FRONTS = select(*_FRONT).select_from(_OWN_CARDS).where(_FOLDER).order_by(messages.c.uid)
_CARDS = _FRONTS.add_columns(cards.c.back)
_SHEETS = select(sheets.c.page, sheets.c.sealed).where(sheets.c.folder_id == bindparam("folder"))
_OCTETS = (
    select(*_FRONT, blob_rows.c.data)
    # Outer: a blob that is lost is an error of ours, never a message that was expunged.
    .select_from(_OWN_CARDS.outerjoin(blob_rows, blob_rows.c.id == messages.c.blob_id))
    .where(_FOLDER)
    .order_by(messages.c.uid)
)
_CONTENTS = _OCTETS.with_only_columns(*_FRONT, cards.c.back, blob_rows.c.data)
_HEADS = _FRONTS.with_only_columns(messages.c.uid, messages.c.blob_id, cards.c.heads)
_BODIES = _FRONTS.with_only_columns(messages.c.uid, messages.c.blob_id, cards.c.texts)


def snapshot(conn: Connection) -> None:
    """Two queries, one state: SQLite's read transactions are so by nature, once begun."""
    if conn.dialect.name == "postgresql":
        conn.execution_options(isolation_level="REPEATABLE READ")
    if not conn.in_transaction():
        conn.begin()


def all_rows(conn: Connection, folder_id: int) -> tuple[FolderStatus, list[Row]]:
    snapshot(conn)
    status = folder_rows.status_of(folder_rows.by_id(conn, folder_id))
    return status, as_rows(_ROWS.run(conn, {"folder": folder_id}).fetchall())


def unchanged(conn: Connection, folder_id: int, known: Columns) -> bool:
    """What nearly every look finds: one number."""
    return bool(_MODSEQ.run(conn, {"folder": folder_id}).fetchall() == [(known.modseq,)])


def glimpse(conn: Connection, folder_id: int, known: Columns) -> Columns | None:
    """`look` where nothing happened, or where a few messages came and nothing else did; None: more than that.

    No snapshot: what is committed between the statements shows in the numbers, and is more than that.
    """
    if unchanged(conn, folder_id, known):
        return known
    try:
        folder = folder_rows.by_id(conn, folder_id)
    except StoreError:
        return None
    status = folder_rows.status_of(folder)
    new = status.uid_next - known.status.uid_next
    if not 0 < new <= FEW or status.messages != len(known) + new or folder.flags_modseq > known.modseq:
        return None
    rows = _NEW.run(conn, {"folder": folder_id, "from": known.status.uid_next}).fetchall()
    if len(rows) != new or any(modseq > status.highest_modseq for _, modseq, *_ in rows):
        return None
    return known.advanced(status, rows, ())


def look(conn: Connection, folder_id: int, known: Columns | None) -> Columns:
    """`known` and what happened since; all of it when nothing is known."""
    snapshot(conn)
    if known is not None and unchanged(conn, folder_id, known):
        return known
    folder = folder_rows.by_id(conn, folder_id)
    status = folder_rows.status_of(folder)
    if known is None or known.modseq < folder.forgotten:
        return columns_of(status, _ROWS.run(conn, {"folder": folder_id}).fetchall())
    where = {"folder": folder_id, "since": known.modseq, "from": known.status.uid_next}
    news = _CHANGED if folder.flags_modseq > known.modseq else _NEW
    return known.advanced(status, news.run(conn, where).fetchall(), _vanished(conn, where))


def _vanished(conn: Connection, where: Mapping[str, object]) -> list[int]:
    return [uid for (uid,) in _VANISHED.run(conn, where).fetchall()]


def _of(
    conn: Connection, query: Select[Any], folder_id: int, uids: Collection[int], column: Column[int] = messages.c.uid
) -> list[Any]:
    """Rows of these messages, ascending. Those that follow each other are one range: no list to render and to look up."""
    if not uids:
        return []
    first, last = min(uids), max(uids)
    if last - first + 1 == len(set(uids)):
        return list(_ranged(query, column).run(conn, {"folder": folder_id, "first": first, "last": last}).fetchall())
    return _plain(conn, _listed(query, column), {"folder": folder_id, "uids": uids})


@cache
def _ranged(query: Select[Any], column: Column[int]) -> Prepared:
    return Prepared(query.where(column.between(bindparam("first"), bindparam("last"))))


@cache
def _listed(query: Select[Any], column: Column[int]) -> Select[Any]:
    return query.where(column.in_(bindparam("uids", expanding=True)))


def _plain(conn: Connection, query: Executable, where: Mapping[str, object]) -> list[Any]:
    """The driver's own tuples: nothing in a narrow row needs SQLAlchemy's hand, which takes as long as the query."""
    with conn.execute(query, where) as result:
        return list(result.cursor.fetchall())


def changes(conn: Connection, folder_id: int, since_modseq: int) -> Changes:
    snapshot(conn)
    folder = folder_rows.by_id(conn, folder_id)
    if folder.highest_modseq <= since_modseq:
        return Changes([], [], folder.highest_modseq, folder.forgotten)
    where = {"folder": folder_id, "since": since_modseq}
    changed = as_rows(_CHANGED.run(conn, where).fetchall())
    return Changes(changed, _vanished(conn, where), folder.highest_modseq, folder.forgotten)


def some_origins(conn: Connection, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Origin]]:
    return [(uid, Origin(*values)) for uid, *values in _of(conn, _ORIGINS, folder_id, uids)]


def some_fronts(
    conn: Connection, key: Key, folder_id: int, uids: Sequence[int]
) -> tuple[dict[int, Front], Collection[int]]:
    """From sheets, where many of a page are asked for; and the pages that had none, or one that does not open."""
    asked = Counter([uid >> PAGE_BITS for uid in uids])
    pages = {page for page, count in asked.items() if count >= WORTH}
    found = dict[int, Front]()
    for page, sealed in _of(conn, _SHEETS, folder_id, pages, sheets.c.page):
        with suppress(Tampered, ValueError):  # the cards are the truth
            found.update(unpack_sheet(key.open(sealed, sheet_context(folder_id, page))))
            pages.remove(page)
    found.update(card_fronts(conn, key, folder_id, [uid for uid in uids if uid not in found]))
    if found.keys() != set(uids):  # neighbours stand on the same sheet, or some of these are gone
        found = {uid: found[uid] for uid in uids if uid in found}
    return found, pages


def card_fronts(conn: Connection, key: Key, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Front]]:
    rows = _of(conn, _FRONTS, folder_id, uids)
    opened = key.open_many([front for _, _, front in rows], [front_context(blob) for _, blob, _ in rows])
    return [(row[0], unpack_front(front)) for row, front in zip(rows, opened, strict=True)]


def some_cards(conn: Connection, key: Key, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Card]]:
    rows = _of(conn, _CARDS, folder_id, uids)
    fronts = key.open_many([front for _, _, front, _ in rows], [front_context(blob) for _, blob, _, _ in rows])
    backs = key.open_many([back for _, _, _, back in rows], [back_context(blob) for _, blob, _, _ in rows])
    return [(row[0], unpack_card(unpack_front(f), b)) for row, f, b in zip(rows, fronts, backs, strict=True)]


def some_octets(
    conn: Connection, key: Key, blobs: Blobs, folder_id: int, uids: Sequence[int]
) -> list[tuple[int, bytes]]:
    found = []
    for uid, blob, front, data in _of(conn, _OCTETS, folder_id, uids):
        ref = unpack_ref(key.open(front, front_context(blob)))
        found.append((uid, blobs.open(ref, data, 0, None)))
    return found


def some_contents(
    conn: Connection, key: Key, blobs: Blobs, folder_id: int, uids: Sequence[int]
) -> list[tuple[int, Card, bytes]]:
    found = []
    for uid, blob, front, back, data in _of(conn, _CONTENTS, folder_id, uids):
        opened = key.open(front, front_context(blob))
        card = unpack_card(unpack_front(opened), key.open(back, back_context(blob)))
        found.append((uid, card, blobs.open(unpack_ref(opened), data, 0, None)))
    return found


def some_heads(conn: Connection, key: Key, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
    return _texts(key, _of(conn, _HEADS, folder_id, uids), heads_context)


def some_bodies(conn: Connection, key: Key, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
    return _texts(key, _of(conn, _BODIES, folder_id, uids), texts_context)


def _texts(key: Key, rows: Sequence[Any], context: Callable[[int], bytes]) -> list[tuple[int, bytes]]:
    opened = key.open_many([sealed for _, _, sealed in rows], [context(blob) for _, blob, _ in rows])
    return [(row[0], unpack_text(text)) for row, text in zip(rows, opened, strict=True)]


def content(
    conn: Connection, key: Key, blobs: Blobs, folder_id: int, uid: int, offset: int, length: int | None
) -> bytes | None:
    for _, blob, front in _of(conn, _FRONTS, folder_id, [uid]):
        ref = unpack_ref(key.open(front, front_context(blob)))
        return blobs.read(conn, ref, offset, length)
    return None


def as_rows(rows: Sequence[Sequence[object]]) -> list[Row]:
    return [
        Row(uid, modseq, flags_of(system, keywords), date, size)  # type: ignore[arg-type]
        for uid, modseq, system, keywords, date, size in rows
    ]

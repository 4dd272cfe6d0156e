"""Putting a message into a folder: the one way in, used by delivery and by APPEND.

`keep` prepares, outside the writer's thread, all that does not depend on the folder; `put` runs inside the transaction: UID and
MODSEQ are given there and nowhere else.
Threads: a message joins the thread of a message it names (In-Reply-To, References) in the same box with the same counterpart;
two professionals are never merged, whatever their mail programs quote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BindParameter, Connection, Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from foundation.blobs import BlobRef
from foundation.database import Transaction
from foundation.keys import Key, KeyRing
from foundation.prepared import Prepared
from mailserver.store import flags as flag_rules
from mailserver.store import sheets
from mailserver.store.api import Flags, StoreError
from mailserver.store.digest import Digest
from mailserver.store.keywords import check_room
from mailserver.store.sealed import (
    back_context,
    front_context,
    heads_context,
    pack_back,
    pack_front,
    pack_text,
    texts_context,
)
from mailserver.store.tables import cards, folders, message_ids, messages

TOPIC = "folder"  # signalled with the folder's id after each commit that changed it
NAMES = 100  # looked up at once
REFERENCES = 20  # the nearest ones looked up: a bound on what a hostile References header can cost


@dataclass(frozen=True, slots=True)
class Kept:
    """A message ready for any number of boxes; holds plain octets, lives in memory only."""

    front: bytes
    back: bytes
    heads: bytes
    texts: bytes
    size: int
    message_key: bytes | None
    reference_keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Thread:
    id: int
    exchange_id: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A message on its way into a folder; `date` in seconds."""

    kept: Kept
    blob_id: int
    thread: Thread
    flags: Flags
    date: int


@dataclass(frozen=True, slots=True)
class Place:
    """A folder and the key of its box."""

    box_id: int
    folder_id: int
    key: Key


def keep(keys: KeyRing, digest: Digest, ref: BlobRef) -> Kept:
    front, back = pack_front(ref, digest.card), pack_back(digest.card)
    heads, texts = pack_text(digest.headers_text), pack_text(digest.body_text)
    return kept_again(keys, digest, front, back, heads, texts, ref.size)


def kept_again(keys: KeyRing, digest: Digest, front: bytes, back: bytes, heads: bytes, texts: bytes, size: int) -> Kept:
    """Of a message that was kept before; of `digest`, only the names are looked at."""
    return Kept(
        front,
        back,
        heads,
        texts,
        size,
        message_key(keys, digest.message_id) if digest.message_id else None,
        tuple(message_key(keys, name) for name in dict.fromkeys(reversed(digest.references[-REFERENCES:]))),
    )


def message_key(keys: KeyRing, message_id: str) -> bytes:
    """How a Message-ID is looked up."""
    return keys.lookup("message-id", message_id)


def _threads(count: int) -> Prepared:
    names: list[BindParameter[bytes]] = [bindparam(f"name{i}") for i in range(count)]
    query = select(
        message_ids.c.message_key, message_ids.c.counterpart, message_ids.c.thread_id, message_ids.c.exchange_id
    )
    return Prepared(query.where(message_ids.c.box_id == bindparam("box"), message_ids.c.message_key.in_(names)))


_THREADS = {count: _threads(count) for count in (1, 4, NAMES)}
_NO_REPLY = select(message_ids.c.no_reply).where(
    message_ids.c.box_id == bindparam("box"), message_ids.c.message_key == bindparam("name")
)
_GROW = Prepared(
    update(folders)
    .where(folders.c.id == bindparam("folder"), folders.c.box_id == bindparam("box"))
    .values(
        uid_next=folders.c.uid_next + bindparam("count"),
        highest_modseq=folders.c.highest_modseq + 1,
        messages=folders.c.messages + bindparam("count"),
        unseen=folders.c.unseen + bindparam("new_unseen"),
        deleted=folders.c.deleted + bindparam("new_deleted"),
        size=folders.c.size + bindparam("octets"),
    )
    .returning(folders.c.uid_next, folders.c.highest_modseq)
)


def _insert_new(table: Table) -> Prepared:
    """For rows that may be there already."""
    return Prepared(
        {
            "sqlite": sqlite.insert(table).on_conflict_do_nothing(),
            "postgresql": postgresql.insert(table).on_conflict_do_nothing(),
        }
    )


_INSERT_MESSAGE = Prepared(insert(messages))
# Who writes to himself has the blob in two folders, and one card.
_INSERT_ID, _INSERT_CARD = map(_insert_new, (message_ids, cards))


def thread_of(
    tx: Transaction,
    box_id: int,
    counterpart: bytes,
    kept: Kept,
    blob_id: int,
    exchange_id: int | None = None,
    no_reply: bool = False,
) -> Thread:
    """The message's thread in this box, remembered for the answers to come."""
    known = named(tx, box_id, kept.reference_keys)
    found = _first(known, kept.reference_keys, counterpart) or Thread(blob_id, None)
    thread = Thread(found.id, exchange_id if exchange_id is not None else found.exchange_id)
    _remember(tx, box_id, [(kept, counterpart, thread)], no_reply)
    return thread


def own_threads(tx: Transaction, box_id: int, copies: Sequence[tuple[bytes, Kept, int]]) -> list[Thread]:
    """`thread_of` for messages (counterpart, kept, blob id) that the box's own client stores, in their order.

    Each may be its copy of what it submitted, already known by the Message-ID: it joins itself.
    """
    own = [((kept.message_key,) if kept.message_key is not None else ()) + kept.reference_keys for _, kept, _ in copies]
    known = named(tx, box_id, {name for names in own for name in names})
    made = []
    for (other, kept, blob_id), names in zip(copies, own, strict=True):
        thread = _first(known, names, other) or Thread(blob_id, None)
        if kept.message_key is not None:
            known.setdefault(kept.message_key, (other, thread))
        made.append((kept, other, thread))
    _remember(tx, box_id, made)
    return [thread for _, _, thread in made]


def named(tx: Transaction, box_id: int, names: Iterable[bytes]) -> dict[bytes, tuple[bytes, Thread]]:
    """Message-ID key -> (counterpart, thread), of those known in the box."""
    known, wanted = {}, list(names)
    for start in range(0, len(wanted), NAMES):
        some = wanted[start : start + NAMES]
        places = next(count for count in _THREADS if count >= len(some))
        some += some[-1:] * (places - len(some))  # a few sizes of statement, the last name again where there is room
        values: dict[str, object] = {f"name{i}": name for i, name in enumerate(some)}
        for name, other, thread_id, exchange_id in _THREADS[places].run(tx.conn, values | {"box": box_id}):
            known[bytes(name)] = (bytes(other), Thread(thread_id, exchange_id))
    return known


def _first(known: Mapping[bytes, tuple[bytes, Thread]], names: Sequence[bytes], counterpart: bytes) -> Thread | None:
    """The thread of the first name that belongs to this counterpart."""
    found = (known[name] for name in names if name in known)
    return next((thread for other, thread in found if other == counterpart), None)


def _remember(tx: Transaction, box_id: int, made: Sequence[tuple[Kept, bytes, Thread]], no_reply: bool = False) -> None:
    rows = [
        {
            "box_id": box_id,
            "message_key": kept.message_key,
            "counterpart": counterpart,
            "thread_id": thread.id,
            "exchange_id": thread.exchange_id,
            "no_reply": no_reply,
        }
        for kept, counterpart, thread in made
        if kept.message_key is not None
    ]
    if rows:
        _INSERT_ID.run_all(tx.conn, rows)


def counterpart(keys: KeyRing, address: str) -> bytes:
    """How a thread remembers the other side."""
    return keys.lookup("counterpart", address)


def answers_no_reply(conn: Connection, box_id: int, kept: Kept) -> bool:
    """Whether the message directly answers one that this box received with the no-reply option."""
    if not kept.reference_keys:
        return False
    return bool(conn.execute(_NO_REPLY, {"box": box_id, "name": kept.reference_keys[0]}).scalar())


def put(tx: Transaction, place: Place, kept: Kept, blob_id: int, thread: Thread, flags: Flags, date: int) -> int:
    """Stores the message that arrives now in the folder; returns its UID. `date` in seconds. The caller has charged the quota."""
    return put_all(tx, place, [Entry(kept, blob_id, thread, flags, date)], date)[0]


def put_all(tx: Transaction, place: Place, entries: Sequence[Entry], now: int) -> list[int]:
    """Like `put`, of at least one, at `now` in seconds: UIDs in their order, one MODSEQ, as many statements as for one."""
    grown = {
        "folder": place.folder_id,
        "box": place.box_id,
        "count": len(entries),
        "new_unseen": sum(flag_rules.unseen(entry.flags) for entry in entries),
        "new_deleted": sum(flag_rules.deleted(entry.flags) for entry in entries),
        "octets": sum(entry.kept.size for entry in entries),
    }
    row = _GROW.run(tx.conn, grown).fetchone()
    if row is None:
        raise StoreError("NONEXISTENT", "no such folder")
    uid_next, modseq = row
    uids = list(range(uid_next - len(entries), uid_next))
    _INSERT_MESSAGE.run_all(
        tx.conn,
        [
            {
                "folder_id": place.folder_id,
                "uid": uid,
                "modseq": modseq,
                "flags": int(entry.flags.system),
                "keywords": flag_rules.keywords_text(entry.flags),
                "internal_date": entry.date,
                "saved_at": now,
                "size": entry.kept.size,
                "blob_id": entry.blob_id,
                "thread_id": entry.thread.id,
                "exchange_id": entry.thread.exchange_id,
            }
            for uid, entry in zip(uids, entries, strict=True)
        ],
    )
    _INSERT_CARD.run_all(tx.conn, [_card_row(place, entry) for entry in entries])
    if pages := sheets.completed(uids):
        tx.afterwards(sheets.bind, place.key, place.folder_id, pages)
    tx.signal(TOPIC, place.folder_id)
    if any(entry.flags.keywords for entry in entries):
        check_room(tx, place.folder_id)
    return uids


def _card_row(place: Place, entry: Entry) -> dict[str, object]:
    seal, kept, blob_id = place.key.seal, entry.kept, entry.blob_id
    return {
        "blob_id": blob_id,
        "box_id": place.box_id,
        "front": seal(kept.front, front_context(blob_id)),
        "heads": seal(kept.heads, heads_context(blob_id)),
        "back": seal(kept.back, back_context(blob_id)),
        "texts": seal(kept.texts, texts_context(blob_id)),
    }

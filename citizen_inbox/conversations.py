"""Conversations: what IMAP keeps as messages in folders, seen as one list of threads.

Read-only SQL over the mail store's tables, always inside the folders of one box: a thread's number means nothing outside its box.
Drafts, bin and junk are not conversations. The list reads narrow rows only, then opens the cards of the one page shown: its cost
does not grow with the size of the messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, case, func, select

from foundation.blobs import Blobs
from foundation.keys import Key
from mailserver.delivery.settle import NO_REPLY
from mailserver.mime.message import Message, scan
from mailserver.outbound.receipt import SENT
from mailserver.store.api import Card, Flag
from mailserver.store.reading import content, some_cards
from mailserver.store.tables import folders, messages

PAGE = 25
SHOWN = 30  # messages of one conversation on a page, the newest; older ones on demand
_HIDDEN = ("\\Drafts", "\\Trash", "\\Junk")
_SENT = "\\Sent"


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders that make conversations; `sent` holds what the citizen wrote."""

    all: tuple[int, ...]
    sent: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where one message lies, and what its narrow row says; `at` in ms."""

    thread: int
    folder: int
    uid: int
    at: int
    size: int
    blob: int
    exchange: int | None
    seen: bool
    mine: bool
    no_reply: bool  # delivery marked it: it cannot be answered
    receipt: bool  # its sender was told that it was opened

    @property
    def name(self) -> str:
        """As it stands in an address: « 12.345 »."""
        return f"{self.folder}.{self.uid}"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the list. `head` is the newest message's header, `theirs` that of the newest one received (or None)."""

    thread: int
    at: int
    count: int
    unread: int
    exchange: int | None
    mine: bool  # the newest message is the citizen's own
    head: Message
    theirs: Message | None
    preview: str
    attachment: bool


@dataclass(frozen=True, slots=True)
class Listing:
    items: list[Item]
    total: int


def folders_of(conn: Connection, box: int) -> Folders:
    rows = conn.execute(
        select(folders.c.id, folders.c.special_use).where(folders.c.box_id == box).order_by(folders.c.id)
    ).all()
    shown = tuple(row.id for row in rows if row.special_use not in _HIDDEN)
    return Folders(shown, next((row.id for row in rows if row.special_use == _SENT), None))


def listed(
    conn: Connection,
    key: Key,
    where: Folders,
    page: int = 1,
    unread_only: bool = False,
    threads: Sequence[int] | None = None,
    size: int = PAGE,
) -> Listing:
    """One page of conversations, the newest first; `threads` limits to those (a search's result)."""
    last = func.max(messages.c.internal_date).label("last")
    unread = func.sum(case((_unread(where), 1), else_=0)).label("unread")
    grouped = (
        select(messages.c.thread_id, last, func.count(messages.c.blob_id.distinct()).label("number"), unread)
        .where(_in(where))
        .group_by(messages.c.thread_id)
    )
    if threads is not None:
        grouped = grouped.where(messages.c.thread_id.in_(threads))
    if unread_only:
        grouped = grouped.having(unread > 0)
    total = conn.execute(select(func.count()).select_from(grouped.subquery())).scalar_one()
    rows = conn.execute(
        grouped.order_by(last.desc(), messages.c.thread_id.desc()).limit(size).offset((page - 1) * size)
    ).all()
    newest = _newest(conn, where, [row.thread_id for row in rows])
    cards = _cards(conn, key, [place for pair in newest.values() for place in pair if place])
    items = [_item(row.thread_id, row.number, int(row.unread), newest[row.thread_id], cards) for row in rows]
    return Listing(items, total)


def _newest(conn: Connection, where: Folders, threads: list[int]) -> dict[int, tuple[Place, Place | None]]:
    """Of each thread, the newest message and the newest one received."""
    found: dict[int, tuple[Place, Place | None]] = {}
    for place in _places(conn, where, messages.c.thread_id.in_(threads)):  # oldest first
        theirs = found.get(place.thread, (None, None))[1]
        found[place.thread] = (place, theirs if place.mine else place)
    return found


def _item(
    thread: int,
    count: int,
    unread: int,
    newest: tuple[Place, Place | None],
    cards: dict[tuple[int, int], Card],
) -> Item:
    last, theirs = newest
    card = cards[last.folder, last.uid]
    head = scan(card.header)
    received = scan(cards[theirs.folder, theirs.uid].header) if theirs and theirs != last else head if theirs else None
    shown = [card, *([cards[theirs.folder, theirs.uid]] if theirs else [])]
    return Item(
        thread,
        last.at,
        count,
        unread,
        (theirs or last).exchange,
        last.mine,
        head,
        received,
        card.preview,
        any(map(has_attachment, shown)),
    )


def unread_conversations(conn: Connection, box: int) -> int:
    """For the number beside « Messagerie »."""
    where = folders_of(conn, box)
    query = select(func.count(messages.c.thread_id.distinct())).where(_in(where), _unread(where))
    return int(conn.execute(query).scalar_one())


def thread(conn: Connection, where: Folders, thread_id: int) -> list[Place]:
    """The messages of one conversation, the oldest first; empty when this box has no such conversation."""
    return _places(conn, where, messages.c.thread_id == thread_id)


def everything(conn: Connection, where: Folders) -> dict[int, dict[int, int]]:
    """Folder -> UID -> thread, for a search."""
    query = select(messages.c.folder_id, messages.c.uid, messages.c.thread_id).where(_in(where))
    found: dict[int, dict[int, int]] = {}
    for folder, uid, thread_id in conn.execute(query):
        found.setdefault(folder, {})[uid] = thread_id
    return found


def contents(conn: Connection, key: Key, blobs: Blobs, places: Sequence[Place]) -> list[bytes]:
    """The octets of each message, in the order asked."""
    return [content(conn, key, blobs, place.folder, place.uid, 0, None) or b"" for place in places]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Of a message of mine in another mailbox here: when it came (ms; None: it is not there), whether it was opened."""

    at: int | None = None
    opened: bool = False


def arrival(conn: Connection, place: Place) -> Arrival:
    """Local recipients share the blob."""
    own = select(folders.c.box_id).where(folders.c.id == place.folder).scalar_subquery()
    query = (
        select(messages.c.flags, messages.c.internal_date)
        .join(folders, folders.c.id == messages.c.folder_id)
        .where(messages.c.blob_id == place.blob, folders.c.box_id != own)
    )
    rows = conn.execute(query).all()
    if not rows:
        return Arrival()
    return Arrival(min(row.internal_date for row in rows) * 1000, any(row.flags & Flag.SEEN for row in rows))


def has_attachment(card: Card) -> bool:
    """From the rendered structure: a part marked as attachment, or of a type that is not read in place."""
    if b'"attachment"' in card.body_structure.lower():
        return True
    return any(not part.media_type.startswith(("text/", "multipart/")) for part in card.parts.values())


def _places(conn: Connection, where: Folders, condition: ColumnElement[bool]) -> list[Place]:
    m = messages.c
    query = (
        select(m.thread_id, m.folder_id, m.uid, m.internal_date, m.size, m.blob_id, m.exchange_id, m.flags, m.keywords)
        .where(_in(where), condition)
        .order_by(m.internal_date, m.blob_id, m.folder_id, m.uid)
    )
    places, seen = [], set()
    for row in conn.execute(query):
        if row.blob_id in seen:  # the same message copied to two folders by a mail client
            continue
        seen.add(row.blob_id)
        places.append(
            Place(
                row.thread_id,
                row.folder_id,
                row.uid,
                row.internal_date * 1000,
                row.size,
                row.blob_id,
                row.exchange_id,
                bool(row.flags & Flag.SEEN),
                row.folder_id == where.sent,
                NO_REPLY in (keywords := row.keywords.split()),
                SENT in keywords,
            )
        )
    return places


def _cards(conn: Connection, key: Key, places: Sequence[Place]) -> dict[tuple[int, int], Card]:
    uids: dict[int, set[int]] = {}
    for place in places:
        uids.setdefault(place.folder, set()).add(place.uid)
    return {
        (folder, uid): card
        for folder, wanted in uids.items()
        for uid, card in some_cards(conn, key, folder, sorted(wanted))
    }


def _in(where: Folders) -> ColumnElement[bool]:
    return messages.c.folder_id.in_(where.all)


def _unread(where: Folders) -> ColumnElement[bool]:
    not_mine = messages.c.folder_id != where.sent if where.sent is not None else messages.c.folder_id.is_not(None)
    return (messages.c.flags.op("&")(int(Flag.SEEN)) == 0) & not_mine

"""Renders FETCH (RFC 3501 6.4.5 and 7.4.2): columns for a batch of messages, one %-format per line, octets by slices.

Flags, UIDs, dates, sizes and MODSEQs come from the session's view; ENVELOPE, BODY, BODYSTRUCTURE and the header from the card
that delivery rendered; only BODY[...] beyond the header reads the stored message, by offset. Nothing is parsed here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mailserver.imap.commands.fetch import BodyItem, Item
from mailserver.imap.view import FolderView
from mailserver.imap.wire import date_time
from mailserver.mime.sections import header_fields, locate
from mailserver.store.api import Card, Flag, FlagOp, Flags, MailStore

ROWS_BATCH = 1000  # about 64 KB of flags
CARDS_BATCH = 256
CONTENT_BATCH = 16  # small messages read at the same time
SMALL = 65536  # octets: read whole, sliced here
PIECE = 262144  # octets of a large message held at a time


class ContentLost(Exception):
    """A message went away in the middle of its literal: nothing correct can follow, the connection must end."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some messages of the view, with their cards when an item needs them."""

    view: FolderView
    indices: Sequence[int]
    cards: Sequence[Card] = ()


Column = Callable[[Batch], Sequence[Any]]

# item -> (format, column): together they are a line of the answer.
_ROWS: dict[bytes, tuple[bytes, Column]] = {
    b"UID": (b"UID %d", lambda b: [b.view.uids[i] for i in b.indices]),
    b"FLAGS": (b"FLAGS (%b)", lambda b: b.view.flag_texts(b.indices)),
    b"INTERNALDATE": (b"INTERNALDATE %b", lambda b: [date_time(b.view.dates[i]) for i in b.indices]),
    b"RFC822.SIZE": (b"RFC822.SIZE %d", lambda b: [b.view.sizes[i] for i in b.indices]),
    b"MODSEQ": (b"MODSEQ (%d)", lambda b: [b.view.modseqs[i] for i in b.indices]),
}
_CARDS: dict[bytes, tuple[bytes, Column]] = {
    b"ENVELOPE": (b"ENVELOPE %b", lambda b: [card.envelope for card in b.cards]),
    b"BODY": (b"BODY %b", lambda b: [card.body for card in b.cards]),
    b"BODYSTRUCTURE": (b"BODYSTRUCTURE %b", lambda b: [card.body_structure for card in b.cards]),
}


class Renderer:
    """One FETCH: `items` as asked, over one view. After `run`, `missing` counts the messages that were gone."""

    def __init__(self, store: MailStore, view: FolderView, items: Sequence[Item], modseq: bool) -> None:
        self._store = store
        self._view = view
        self._modseq = modseq
        self._marks_seen = not view.read_only and any(isinstance(item, BodyItem) and not item.peek for item in items)
        self._shows_flags = b"FLAGS" in items
        self._bodies = [item for item in items if isinstance(item, BodyItem) and not _from_card(item)]
        formats, self._columns = [b"* %d FETCH ("], list[Column]()
        for item in items:
            if isinstance(item, BodyItem) and not _from_card(item):
                continue
            form, column = _header_column(item) if isinstance(item, BodyItem) else (_ROWS | _CARDS)[item]
            formats.append(form + b" ")
            self._columns.append(column)
        self._format = b"".join(formats)
        self._needs_cards = bool(self._bodies) or any(isinstance(i, BodyItem) or i in _CARDS for i in items)
        self.missing = 0

    async def run(self, indices: Sequence[int]) -> AsyncIterator[bytes]:
        if not self._needs_cards:
            for start in range(0, len(indices), ROWS_BATCH):
                yield self._lines(Batch(self._view, indices[start : start + ROWS_BATCH]))
                await asyncio.sleep(0)  # other sessions' turn
            return
        size = CONTENT_BATCH if self._bodies else CARDS_BATCH
        for start in range(0, len(indices), size):
            wanted = indices[start : start + size]
            seen = await self._mark_seen(wanted) if self._marks_seen else set[int]()
            batch = await self._batch(wanted)
            if not self._bodies and not seen:
                yield self._lines(batch)
                continue
            async for piece in self._with_bodies(batch, seen):
                yield piece

    async def _batch(self, indices: Sequence[int]) -> Batch:
        view, found, cards = self._view, list[int](), list[Card]()
        uids = [view.uids[i] for i in indices]
        async for uid, card in self._store.cards(view.folder.id, uids):
            index = view.index_of(uid)
            assert index is not None
            found.append(index)
            cards.append(card)
        self.missing += len(indices) - len(found)
        return Batch(view, found, cards)

    def _heads(self, batch: Batch) -> Iterator[bytes]:
        """Each message's line up to its last item's space."""
        numbers = [index + 1 for index in batch.indices]
        columns = [column(batch) for column in self._columns]
        form = self._format
        return (form % values for values in zip(numbers, *columns, strict=True))

    def _lines(self, batch: Batch) -> bytes:
        return b"".join([head[:-1] + b")\r\n" for head in self._heads(batch)])

    async def _mark_seen(self, indices: Sequence[int]) -> set[int]:
        """BODY[] without PEEK sets \\Seen (RFC 3501 6.4.5); the indices where that is news."""
        view = self._view
        unseen = [i for i in indices if not view.system[i] & Flag.SEEN]
        if unseen:
            uids = [view.uids[i] for i in unseen]
            view.own_change((await self._store.store_flags(view.folder.id, uids, FlagOp.ADD, Flags(Flag.SEEN))).changed)
        return set(unseen)

    async def _with_bodies(self, batch: Batch, seen: set[int]) -> AsyncIterator[bytes]:
        contents = await self._small_contents(batch)
        for head, index, card, content in zip(self._heads(batch), batch.indices, batch.cards, contents, strict=True):
            if content is None and self._view.sizes[index] <= SMALL and self._bodies:
                self.missing += 1
                continue
            pieces, begun = [head], False
            if index in seen:
                pieces.append(self._fresh_flags(index))
            try:
                for item in self._bodies:
                    async for piece in self._body(item, index, card, content):
                        pieces.append(piece)
                        if len(piece) >= SMALL:
                            yield b"".join(pieces)
                            pieces, begun = [], True
            except ContentLost:
                if begun:
                    raise
                self.missing += 1
                continue
            yield b"".join(pieces).removesuffix(b" ") + b")\r\n"

    def _fresh_flags(self, index: int) -> bytes:
        text = b"" if self._shows_flags else b"FLAGS (%b) " % self._view.flags_text(index)
        return text + (b"MODSEQ (%d) " % self._view.modseqs[index] if self._modseq else b"")

    async def _small_contents(self, batch: Batch) -> list[bytes | None]:
        view = self._view

        async def small(index: int) -> bytes | None:
            if not self._bodies or view.sizes[index] > SMALL:
                return None
            return await self._store.content(view.folder.id, view.uids[index])

        return list(await asyncio.gather(*map(small, batch.indices)))

    async def _body(self, item: BodyItem, index: int, card: Card, content: bytes | None) -> AsyncIterator[bytes]:
        section = item.section
        kind = "HEADER" if section.text.startswith("HEADER") else section.text
        span = locate(card.parts, section.part, kind)
        if span is None:
            yield _answer(item, None)
        elif section.fields:
            header = await self._octets(index, content, *span)
            yield _answer(item, header_fields(header, section.fields, section.text.endswith("NOT")))
        else:
            start, end = _window(item, *span)
            if content is not None:
                yield _literal(item, end - start) + content[start:end] + b" "
                return
            yield _literal(item, end - start)
            for at in range(start, end, PIECE):
                yield await self._octets(index, None, at, min(at + PIECE, end))
            yield b" "

    async def _octets(self, index: int, content: bytes | None, start: int, end: int) -> bytes:
        if content is not None:
            return content[start:end]
        view = self._view
        found = await self._store.content(view.folder.id, view.uids[index], start, end - start)
        if found is None or len(found) != end - start:
            raise ContentLost
        return found


def _from_card(item: BodyItem) -> bool:
    """The header of the message itself stands in the card."""
    return not item.section.part and item.section.text.startswith("HEADER")


def _header_column(item: BodyItem) -> tuple[bytes, Column]:
    section = item.section
    if section.fields:
        negate = section.text.endswith("NOT")
        return b"%b", lambda b: [
            _answer(item, header_fields(card.header, section.fields, negate))[:-1] for card in b.cards
        ]
    return b"%b", lambda b: [_answer(item, card.header)[:-1] for card in b.cards]


def _window(item: BodyItem, start: int, end: int) -> tuple[int, int]:
    """The partial's octets inside [start, end); a window beyond the end is an empty one (RFC 3501 6.4.5)."""
    if item.partial is None:
        return start, end
    offset, length = item.partial
    first = min(start + offset, end)
    return first, min(first + length, end)


def _label(item: BodyItem) -> bytes:
    return item.label if item.partial is None else b"%b<%d>" % (item.label, item.partial[0])


def _literal(item: BodyItem, size: int) -> bytes:
    return b"%b {%d}\r\n" % (_label(item), size)


def _answer(item: BodyItem, octets: bytes | None) -> bytes:
    """The whole item with a space behind it."""
    if octets is None:
        return _label(item) + b" NIL "
    start, end = _window(item, 0, len(octets))
    return _literal(item, end - start) + octets[start:end] + b" "

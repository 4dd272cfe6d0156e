"""Renders FETCH (RFC 3501 6.4.5 and 7.4.2): columns for a batch of messages, one %-format per line, octets by slices.

Flags, UIDs, dates, sizes and MODSEQs come from the session's view; ENVELOPE, BODY, BODYSTRUCTURE and the header from the card
that delivery rendered; only BODY[...] beyond the header reads the stored messages: small ones many at once, large ones by
offset, a piece in memory at a time. Nothing is parsed here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from mailserver.imap.commands.fetch import BodyItem, Item
from mailserver.imap.view import FolderView
from mailserver.imap.wire import date_time
from mailserver.mime.sections import fields_filter, locate
from mailserver.store.api import Card, Flag, FlagOp, Flags, MailStore

ROWS_BATCH = 1000  # about 64 KB of flags
CARDS_BATCH = 256
CONTENT_BATCH = 1 << 20  # octets of small messages read at once, and of the answer made of them
FEW = (
    16  # messages marked \Seen before they are sent (a lost connection marks too many), or streamed (their cards wait)
)
SMALL = 65536  # octets: read whole, sliced here
PIECE = 262144  # octets of a large message held at a time


class ContentLost(Exception):
    """A message went away in the middle of its literal: nothing correct can follow, the connection must end."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some messages of the view, with their cards and octets when an item needs them; `seen`: newly marked, as indices."""

    view: FolderView
    indices: Sequence[int]
    cards: Sequence[Card] = ()
    contents: Sequence[bytes] = ()
    seen: Set[int] = frozenset()


# A format and its values: together they are a line of the answer.
Column = tuple[bytes, Callable[[Batch], Sequence[Any]]]

_NUMBER: Column = (b"* %d FETCH (", lambda b: [i + 1 for i in b.indices])
_ROWS: dict[bytes, Column] = {
    b"UID": (b"UID %d ", lambda b: [b.view.uids[i] for i in b.indices]),
    b"FLAGS": (b"FLAGS (%b) ", lambda b: b.view.flag_texts(b.indices)),
    b"INTERNALDATE": (b"INTERNALDATE %b ", lambda b: [date_time(b.view.dates[i]) for i in b.indices]),
    b"RFC822.SIZE": (b"RFC822.SIZE %d ", lambda b: [b.view.sizes[i] for i in b.indices]),
    b"MODSEQ": (b"MODSEQ (%d) ", lambda b: [b.view.modseqs[i] for i in b.indices]),
}
_CARDS: dict[bytes, Column] = {
    b"ENVELOPE": (b"ENVELOPE %b ", lambda b: [card.envelope for card in b.cards]),
    b"BODY": (b"BODY %b ", lambda b: [card.body for card in b.cards]),
    b"BODYSTRUCTURE": (b"BODYSTRUCTURE %b ", lambda b: [card.body_structure for card in b.cards]),
}


class Renderer:
    """One FETCH: `items` as asked, over one view. After `run`, `missing` counts the messages that were gone."""

    def __init__(self, store: MailStore, view: FolderView, items: Sequence[Item], modseq: bool) -> None:
        self._store = store
        self._view = view
        self._modseq = modseq
        asked = [item for item in items if isinstance(item, BodyItem)]
        self._marks_seen = not view.read_only and any(not item.peek for item in asked)
        self._shows_flags = b"FLAGS" in items
        self._bodies = [item for item in asked if not _from_card(item)]
        self._head = [_NUMBER, *(_column(item) for item in items if item not in self._bodies)]
        if self._marks_seen:
            self._head.append((b"%b", self._news_of_seen))
        self._whole = [*self._head, *map(_content_column, self._bodies)]
        self._needs_cards = bool(asked) or any(item in _CARDS for item in items)
        self._octets_at_once = CONTENT_BATCH // max(1, len(asked))  # each item may repeat the whole message
        self.missing = 0

    async def run(self, indices: Sequence[int]) -> AsyncIterator[bytes]:
        if not self._needs_cards:
            for start in range(0, len(indices), ROWS_BATCH):
                yield self._lines(Batch(self._view, indices[start : start + ROWS_BATCH]))
                await asyncio.sleep(0)  # other sessions' turn
            return
        for large, wanted in self._runs(indices):
            seen = await self._mark_seen(wanted) if self._marks_seen else set[int]()
            batch = await self._batch(wanted, seen, with_contents=bool(self._bodies) and not large)
            if large:
                async for piece in self._streamed(batch):
                    yield piece
            else:
                yield self._lines(batch)

    def _runs(self, indices: Sequence[int]) -> Iterator[tuple[bool, list[int]]]:
        """(large?, what is read at once): large messages, whose bodies are streamed, apart from the others."""
        sizes, bodies = self._view.sizes, bool(self._bodies)
        for large, group in groupby(indices, lambda index: bodies and sizes[index] > SMALL):
            most = FEW if large or self._marks_seen else CARDS_BATCH
            run, octets = list[int](), 0
            for index in group:
                size = sizes[index] if bodies and not large else 0
                if run and (len(run) == most or octets + size > self._octets_at_once):
                    yield large, run
                    run, octets = [], 0
                run.append(index)
                octets += size
            yield large, run

    async def _batch(self, indices: Sequence[int], seen: Set[int], with_contents: bool) -> Batch:
        view, contents = self._view, list[bytes]()
        index_of = {view.uids[i]: i for i in indices}
        if with_contents:
            found = await self._store.contents(view.folder.id, list(index_of))
            cards = [(uid, card) for uid, card, _ in found]
            contents = [content for _, _, content in found]
        else:
            cards = [item async for item in self._store.cards(view.folder.id, list(index_of))]
        self.missing += len(indices) - len(cards)
        return Batch(view, [index_of[uid] for uid, _ in cards], [card for _, card in cards], contents, seen)

    def _lines(self, batch: Batch) -> bytes:
        return b"".join([line[:-1] + b")\r\n" for line in _rendered(self._whole, batch)])

    async def _mark_seen(self, indices: Sequence[int]) -> set[int]:
        """BODY[] without PEEK sets \\Seen (RFC 3501 6.4.5); the indices where that is news."""
        view = self._view
        unseen = [i for i in indices if not view.system[i] & Flag.SEEN]
        if unseen:
            uids = [view.uids[i] for i in unseen]
            result = await self._store.store_flags(view.folder.id, uids, FlagOp.ADD, Flags(Flag.SEEN))
            view.learn(await self._store.look(view.folder.id), result)
            view.told(uids)
        return set(unseen)

    def _news_of_seen(self, batch: Batch) -> list[bytes]:
        return [self._fresh_flags(index) if index in batch.seen else b"" for index in batch.indices]

    def _fresh_flags(self, index: int) -> bytes:
        text = b"" if self._shows_flags else b"FLAGS (%b) " % self._view.flags_text(index)
        return text + (b"MODSEQ (%d) " % self._view.modseqs[index] if self._modseq else b"")

    async def _streamed(self, batch: Batch) -> AsyncIterator[bytes]:
        """Large messages, one piece in memory at a time."""
        for head, index, card in zip(_rendered(self._head, batch), batch.indices, batch.cards, strict=True):
            pieces, begun = [head], False
            try:
                for item in self._bodies:
                    async for piece in self._body(item, index, card):
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

    async def _body(self, item: BodyItem, index: int, card: Card) -> AsyncIterator[bytes]:
        span = _span(item, card, self._view.sizes[index])
        if span is None:
            yield _answer(item, None)
        elif item.section.fields:
            yield _answer(item, _filter(item)(await self._octets(index, *span)))
        else:
            start, end = _window(item, *span)
            yield _literal(item, end - start)
            for at in range(start, end, PIECE):
                yield await self._octets(index, at, min(at + PIECE, end))
            yield b" "

    async def _octets(self, index: int, start: int, end: int) -> bytes:
        view = self._view
        found = await self._store.content(view.folder.id, view.uids[index], start, end - start)
        if found is None or len(found) != end - start:
            raise ContentLost
        return found


def _rendered(columns: Sequence[Column], batch: Batch) -> Iterator[bytes]:
    """Each message's line, up to the space behind its last item."""
    form = b"".join([form for form, _ in columns])
    return (form % values for values in zip(*[values(batch) for _, values in columns], strict=True))


def _from_card(item: BodyItem) -> bool:
    """The header of the message itself stands in the card."""
    return not item.section.part and item.section.text.startswith("HEADER")


def _column(item: Item) -> Column:
    if not isinstance(item, BodyItem):
        return (_ROWS | _CARDS)[item]
    keep = _filter(item)
    return b"%b", lambda b: [_answer(item, keep(card.header)) for card in b.cards]


def _content_column(item: BodyItem) -> Column:
    keep = _filter(item)

    def answer(card: Card, content: bytes) -> bytes:
        span = _span(item, card, len(content))
        return _answer(item, None if span is None else keep(content[slice(*span)]))

    return b"%b", lambda b: list(map(answer, b.cards, b.contents))


def _filter(item: BodyItem) -> Callable[[bytes], bytes]:
    """What HEADER.FIELDS leaves of a header; all of it for other sections."""
    section = item.section
    return fields_filter(section.fields, section.text.endswith("NOT")) if section.fields else lambda octets: octets


def _span(item: BodyItem, card: Card, size: int) -> tuple[int, int] | None:
    section = item.section
    if not section.part and not section.text:
        return 0, size  # the whole message: the card's parts need not be read
    return locate(card.parts, section.part, "HEADER" if section.text.startswith("HEADER") else section.text)


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

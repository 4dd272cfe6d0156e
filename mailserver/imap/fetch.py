"""Answers FETCH (RFC 3501 6.4.5 and 7.4.2): which messages are read together, from where, in what order. Nothing is parsed here.

Flags, UIDs, dates, sizes and MODSEQs come from the session's view; ENVELOPE, BODY, BODYSTRUCTURE and the header from the card
that delivery rendered, once (`fetch_items.Run`); only BODY[...] beyond the header reads the stored messages: small ones many at
once, large ones by offset, a piece in memory at a time.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import chain, groupby, islice

from mailserver.imap.commands.fetch import BodyItem, Item
from mailserver.imap.fetch_items import (
    NO_CARD,
    Batch,
    Column,
    Run,
    answer,
    column,
    encoding_of,
    fields_of,
    is_read,
    literal,
    needs_card,
    runs,
    sized,
    span,
    window,
    woven,
)
from mailserver.imap.modes import Modes
from mailserver.imap.shelf import Place, Shelf
from mailserver.imap.view import FolderView, fetch_head, picked
from mailserver.mime.encodings import DECODERS
from mailserver.mime.fields import MAX_HEADER
from mailserver.store.api import Card, Flag, FlagOp, Flags, Front, MailStore, Origin

ROWS_BATCH = 1000  # about 64 KB of flags
CARDS_BATCH = 500
HEADERS_BATCH = 16 << 20  # octets of headers, as often as they are looked through
CONTENT_BATCH = 1 << 20  # octets of small messages read at once, and of the answer made of them
FEW = (
    16  # messages marked \Seen before they are sent (a lost connection marks too many), or streamed (their cards wait)
)
SMALL = 65536  # octets: read whole, sliced here
PIECE = 262144  # octets of a large message held at a time
END = b")\r\n"


class ContentLost(Exception):
    """A message went away in the middle of its literal: nothing correct can follow, the connection must end."""


class Renderer:
    """One FETCH: `items` as asked, over one view. After `run`, `missing` counts the messages that were gone.

    `undecodable`: a part has an encoding that nobody here knows; it was answered with NIL.
    """

    def __init__(self, store: MailStore, shelf: Shelf, view: FolderView, items: Sequence[Item], modes: Modes) -> None:
        self._store = store
        self._shelf = shelf
        self._view = view
        self._modes = modes
        asked = [item for item in items if isinstance(item, BodyItem)]
        self._marks_seen = view.marks_seen and any(not item.peek for item in asked)
        self._bodies = [item for item in asked if is_read(item)]
        heads = list(runs([item for item in items if item not in self._bodies]))
        self._runs = [item for item in heads if isinstance(item, Run)]
        self._head = [column(item) for item in heads]
        self._contents = [column(item) for item in self._bodies]
        # Of a message newly marked \\Seen, unless they are asked for.
        news = (b"FLAGS", b"MODSEQ") if modes.condstore else (b"FLAGS",)
        self._news = [column(item) for item in news if item not in items]
        self._needs_cards = any(map(needs_card, self._bodies))
        self._octets_at_once = CONTENT_BATCH // max(1, len(asked))  # each item may repeat the whole message
        self._headers = sum(max(run.headers, run.needs_card and not run.front) for run in self._runs)
        self._binaries = [item for item in self._bodies if item.decoded]
        self.missing = 0
        self.undecodable = False

    async def run(self, indices: Sequence[int]) -> AsyncIterator[bytes]:
        for place, (large, unseen, wanted) in enumerate(self._portions(indices)):
            if place:
                await asyncio.sleep(0)  # other sessions' turn
            if unseen:
                await self._mark_seen(wanted)
            batch = await self._batch(wanted, with_contents=bool(self._bodies) and not large)
            head = [*self._head, *self._news] if unseen else self._head
            if large:
                async for piece in self._streamed(batch, head):
                    yield piece
            else:
                for piece in _joined(self._lines([*head, *self._contents], batch, END)):
                    yield piece

    def _portions(self, indices: Sequence[int]) -> Iterator[tuple[bool, bool, Sequence[int]]]:
        """(large?, to be marked \\Seen?, what is read at once): large messages, whose bodies are streamed, stand apart."""
        if not self._bodies and not self._marks_seen:
            for some in self._together(indices, CARDS_BATCH if self._runs else ROWS_BATCH, bodies=False):
                yield False, False, some
            return
        sizes, system = self._view.sizes, self._view.system
        limit = SMALL if self._bodies else sys.maxsize

        def kind(index: int) -> tuple[bool, bool]:
            return sizes[index] > limit, self._marks_seen and not system[index] & Flag.SEEN

        for (large, unseen), group in groupby(indices, kind):
            for some in self._together(list(group), FEW if large or unseen else CARDS_BATCH, bodies=not large):
                yield large, unseen, some

    def _together(self, indices: Sequence[int], most: int, bodies: bool) -> Iterator[Sequence[int]]:
        """Neighbours, `most` or fewer: as far as what is made of them stays small, whatever their senders made of them."""
        sizes, start, octets, headers = self._view.sizes, 0, 0, 0
        if not bodies and not self._headers:
            yield from (indices[at : at + most] for at in range(0, len(indices), most))
            return
        for place, index in enumerate(indices):
            body, header = sizes[index] * bodies, min(sizes[index], MAX_HEADER) * self._headers
            full = octets + body > self._octets_at_once or headers + header > HEADERS_BATCH or place - start == most
            if full and start < place:
                yield indices[start:place]
                start, octets, headers = place, 0, 0
            octets, headers = octets + body, headers + header
        if start < len(indices):
            yield indices[start:]

    async def _batch(self, indices: Sequence[int], with_contents: bool) -> Batch:
        """With those of `indices` that still are there."""
        view, uids = self._view, list(picked(self._view.uids, indices))
        cards, contents = dict[int, Card](), dict[int, bytes]()
        if with_contents and self._needs_cards:
            for uid, card, octets in await self._store.contents(view.folder.id, uids):
                cards[uid], contents[uid] = card, octets
        elif with_contents:
            contents = dict(await self._store.octets(view.folder.id, uids))
        elif self._needs_cards:
            cards = {uid: card async for uid, card in self._store.cards(view.folder.id, uids)}
        pieces = {run: await self._pieces(run, indices, uids) for run in self._runs}
        wanted: list[Mapping[int, object]] = [*pieces.values()]
        wanted += [cards] * self._needs_cards + [contents] * with_contents
        gone = set[int]().union(*(set(uids).difference(found) for found in wanted))
        if gone:
            self.missing += len(gone)
            indices = [index for index, uid in zip(indices, uids, strict=True) if uid not in gone]
            uids = [uid for uid in uids if uid not in gone]
        self.undecodable |= any(
            encoding_of(item, card) not in DECODERS for item in self._binaries for card in cards.values()
        )
        return Batch(
            view,
            indices,
            {run: [found[uid] for uid in uids] for run, found in pieces.items()},
            [cards[uid] for uid in uids] if self._needs_cards else (),
            [contents[uid] for uid in uids] if with_contents else (),
        )

    async def _pieces(self, run: Run, indices: Sequence[int], uids: Sequence[int]) -> Mapping[int, bytes]:
        """The run of these messages by UID; those that are gone are left out, others may be in it."""
        view = self._view

        async def make(unknown: Sequence[int]) -> dict[int, bytes]:
            some = indices
            if len(unknown) != len(indices):
                wanted = frozenset(unknown)
                some = [index for uid, index in zip(uids, indices, strict=True) if uid in wanted]
            batch = await self._sources(run, some)
            return dict(zip(picked(view.uids, batch.indices), await run.rendered(batch), strict=True))

        if not run.is_usual:
            return await make(uids)
        return await self._shelf.made(Place(view.folder.box_id, view.folder.id, run), uids, make)

    async def _sources(self, run: Run, indices: Sequence[int]) -> Batch:
        """What the run is rendered from, of those of `indices` that still are there."""
        view, uids = self._view, picked(self._view.uids, indices)
        cards: Mapping[int, Card | Front] = {}
        origins = dict[int, Origin]()
        if run.needs_card and run.front:
            cards = await self._store.fronts(view.folder.id, uids)
        elif run.needs_card:
            cards = {uid: card async for uid, card in self._store.cards(view.folder.id, uids)}
        if run.needs_origin:
            origins = dict(await self._store.origins(view.folder.id, uids))
        sources: list[Mapping[int, object]] = [cards] * run.needs_card + [origins] * run.needs_origin
        if any(len(source) != len(indices) for source in sources):
            indices = [index for index, uid in zip(indices, uids, strict=True) if all(uid in one for one in sources)]
        here = picked(view.uids, indices)
        return Batch(
            view,
            indices,
            cards=[cards[uid] for uid in here] if run.needs_card else (),
            origins=[origins[uid] for uid in here] if run.needs_origin else (),
        )

    async def _mark_seen(self, indices: Sequence[int]) -> None:
        """BODY[] without PEEK sets \\Seen (RFC 3501 6.4.5)."""
        view, uids = self._view, picked(self._view.uids, indices)
        result = await self._store.store_flags(view.folder.id, uids, FlagOp.ADD, Flags(Flag.SEEN))
        view.learn(await self._store.look(view.folder.id), result)
        view.told(uids)

    async def _streamed(self, batch: Batch, columns: Sequence[Column]) -> AsyncIterator[bytes]:
        """Large messages, one piece in memory at a time."""
        cards = batch.cards or [NO_CARD] * len(batch.indices)
        for line, index, card in zip(self._lines(columns, batch), batch.indices, cards, strict=True):
            pieces, begun = list(line), False
            try:
                for number, item in enumerate(self._bodies):
                    if number or columns:
                        pieces.append(b" ")
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
            yield b"".join(pieces) + END

    async def _body(self, item: BodyItem, index: int, card: Card | Front) -> AsyncIterator[bytes]:
        found = span(item, card, self._view.sizes[index])
        if found is None or (item.decoded and encoding_of(item, card) not in DECODERS):
            yield answer(item, None)
        elif item.decoded:
            async for piece in self._decoded(item, index, found, encoding_of(item, card)):
                yield piece
        elif item.section.fields:
            start, end = found
            yield answer(item, fields_of(item)(await self._octets(index, start, min(end, start + MAX_HEADER))))
        else:
            start, end = window(item, *found)
            yield literal(item, end - start)
            async for piece in self._pieces_of(index, start, end):
                yield piece

    async def _decoded(self, item: BodyItem, index: int, found: tuple[int, int], encoding: str) -> AsyncIterator[bytes]:
        """Read twice: a literal says how long it is before it begins."""
        size = 0
        async for piece in self._without_encoding(index, found, encoding):
            size += len(piece)
        if item.sized:
            yield sized(item, size)
            return
        start, end = window(item, 0, size)
        yield literal(item, end - start)
        at = 0
        async for piece in self._without_encoding(index, found, encoding):
            if at >= end:
                return
            yield piece[max(0, start - at) : end - at]
            at += len(piece)

    async def _without_encoding(self, index: int, found: tuple[int, int], encoding: str) -> AsyncIterator[bytes]:
        decoder = DECODERS[encoding]()
        async for piece in self._pieces_of(index, *found):
            yield decoder.feed(piece)
        yield decoder.end()

    async def _pieces_of(self, index: int, start: int, end: int) -> AsyncIterator[bytes]:
        for at in range(start, end, PIECE):
            yield await self._octets(index, at, min(at + PIECE, end))

    async def _octets(self, index: int, start: int, end: int) -> bytes:
        view = self._view
        found = await self._store.content(view.folder.id, view.uids[index], start, end - start)
        if found is None or len(found) != end - start:
            raise ContentLost
        return found

    def _lines(self, columns: Sequence[Column], batch: Batch, end: bytes = b"") -> Iterator[tuple[bytes, ...]]:
        """Each message's line, in pieces."""
        numbers = self._view.numbers(batch.indices, self._modes)
        return woven(fetch_head(self._modes), numbers, columns, batch, end)


def _joined(lines: Iterator[tuple[bytes, ...]]) -> Iterator[bytes]:
    """In pieces of about SMALL octets, that need not be cut again to be sent; neighbours are about as long as each other."""
    for first in lines:
        others = islice(lines, SMALL // sum(map(len, first)))
        yield b"".join(chain(first, chain.from_iterable(others)))

"""Evaluates SEARCH (RFC 3501 6.4.4) over a view: sets of message indices, texts only where they decide.

A key gives two sets: the messages that match for sure, and those that may match once more is known (Kleene's logic).
Columns speak first, of all messages. Then, for those still open, in batches: the headers kept in memory, all headers, the bodies,
each only when the key asks for it, and only for what the sources before it left open.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial

from mailserver.imap import dates
from mailserver.imap.commands.search_keys import (
    All,
    And,
    Arrived,
    Body,
    HasFlag,
    HasKeyword,
    Header,
    Key,
    ModSeq,
    Not,
    Numbers,
    Or,
    Sent,
    SizeIn,
    Text,
    leaves,
)
from mailserver.imap.heads import KEPT, field, kept_heads, values
from mailserver.imap.shelf import Shelf
from mailserver.imap.view import NO_KEYWORDS, FolderView, picked
from mailserver.store.api import MailStore

BATCH = 500  # messages: a read of about 3 ms, and the other sessions' turn
OCTETS = 8 << 20  # of these messages; above it,
FEW = 32  # at once: a text has at most 256 Ki characters, however long its message (`mime.message.MAX_SEARCH`)

Indices = frozenset[int]
NONE: Indices = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    sure: Indices
    maybe: Indices  # contains `sure`


TextKey = Header | Body | Text | Sent
# What is known of a text key in the universe under evaluation.
Oracle = Callable[[TextKey, Indices], Found]


class Source(Enum):
    """Where texts come from, the cheapest first."""

    KEPT = "the headers kept in memory"
    HEADERS = "all headers"
    BODIES = "bodies"


async def search(
    store: MailStore, shelf: Shelf, view: FolderView, key: Key, among: Sequence[int], reach: int | None = None
) -> list[int]:
    """Indices of the messages `among` these that match, ascending; those gone meanwhile do not match what had to be read.

    With `reach`, enough that its first `reach` are right, or its last when it is negative.
    """
    first = evaluate(key, view, frozenset(among), lambda _, universe: Found(NONE, universe))
    sure, read = sorted(first.sure), set[int]()
    undecided = sorted(first.maybe - first.sure, reverse=reach is not None and reach < 0)
    wanted = {source for leaf in leaves(key) for source in _sources(leaf)}
    sources = [source for source in Source if source in wanted]
    for batch in _batches(view, undecided):
        read |= await _by_text(store, shelf, view, key, sources, batch)
        await asyncio.sleep(0)  # other sessions' turn
        if reach is not None and len(read) + _before(sure, batch[-1], reach < 0) >= abs(reach):
            break
    return sorted(read.union(sure))


def _before(sure: Sequence[int], index: int, backwards: bool) -> int:
    """How many of `sure` stand on the way to `index`."""
    return len(sure) - bisect_left(sure, index) if backwards else bisect_left(sure, index)


def _batches(view: FolderView, indices: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(indices), BATCH):
        some = indices[start : start + BATCH]
        step = BATCH if sum(picked(view.sizes, some)) <= OCTETS else FEW
        for at in range(0, len(some), step):
            yield some[at : at + step]


async def _by_text(
    store: MailStore, shelf: Shelf, view: FolderView, key: Key, sources: Sequence[Source], batch: Sequence[int]
) -> Indices:
    uids, sure, texts = view.uids, NONE, dict[Source, Mapping[int, bytes]]()
    for source in sources:
        texts[source] = by_uid = await _read(source, store, shelf, view, batch)
        here = frozenset([index for index in batch if uids[index] in by_uid])
        found = evaluate(key, view, here, partial(_matching, uids, texts))
        sure |= found.sure
        batch = sorted(found.maybe - found.sure)
        if not batch:
            break
    return sure


async def _read(
    source: Source, store: MailStore, shelf: Shelf, view: FolderView, batch: Sequence[int]
) -> Mapping[int, bytes]:
    """By UID; those of other messages may be in it."""
    if source is Source.KEPT:
        return await kept_heads(store, shelf, view, batch)
    uids = picked(view.uids, batch)
    return dict(await (store.heads if source is Source.HEADERS else store.bodies)(view.folder.id, uids))


def _sources(leaf: Key) -> tuple[Source, ...]:
    match leaf:
        case Header(name, _):
            return (Source.KEPT if name in KEPT else Source.HEADERS,)
        case Sent():
            return (Source.KEPT,)
        case Text():
            return (Source.HEADERS, Source.BODIES)
        case Body():
            return (Source.BODIES,)
    return ()


def _matching(
    uids: Sequence[int], texts: Mapping[Source, Mapping[int, bytes]], key: TextKey, universe: Indices
) -> Found:
    """By the texts at hand; a message that they do not decide may match."""
    sources = _sources(key)
    sure = NONE
    for source in sources:
        if source in texts:
            sure |= _holding(key, uids, texts[source], universe - sure)
    return _exactly(sure) if texts.keys() >= set(sources) else Found(sure, universe)


def _holding(key: TextKey, uids: Sequence[int], texts: Mapping[int, bytes], universe: Indices) -> Indices:
    if isinstance(key, Sent):
        return frozenset([i for i in universe if matches(key, texts[uids[i]])])
    needle = key.needle
    found = [i for i in universe if needle in texts[uids[i]]]
    return frozenset([i for i in found if matches(key, texts[uids[i]])] if isinstance(key, Header) else found)


def evaluate(key: Key, view: FolderView, universe: Indices, oracle: Oracle) -> Found:
    """`key` over the messages of `universe`."""
    match key:
        case And(keys):
            # Narrowing as it goes: later keys only look at what earlier ones left.
            sure = maybe = universe
            for part in keys:
                found = evaluate(part, view, maybe, oracle)
                sure, maybe = sure & found.sure, found.maybe
            return Found(sure, maybe)
        case Or(keys):
            sure = maybe = NONE
            for part in keys:
                found = evaluate(part, view, universe - sure, oracle)
                sure, maybe = sure | found.sure, maybe | found.maybe
            return Found(sure, maybe)
        case Not(inner):
            found = evaluate(inner, view, universe, oracle)
            return Found(universe - found.maybe, universe - found.sure)
        case Header() | Body() | Text() | Sent():
            return oracle(key, universe)
        case All():
            return _exactly(universe)
        case _:
            return _exactly(frozenset(_by_column(key, view, universe)))


def _exactly(indices: Indices) -> Found:
    return Found(indices, indices)


def _by_column(key: Key, view: FolderView, universe: Indices) -> Collection[int]:
    match key:
        case HasFlag(flag):
            system, bit = view.system, int(flag)
            return [i for i in universe if system[i] & bit]
        case HasKeyword(keyword):
            return [i for i in universe if _has_keyword(view, i, keyword)]
        case Numbers(messages, uid):
            return universe.intersection(messages.of_uids(view.uids) if uid else messages.of_numbers(len(view)))
        case Arrived(start, end):
            dates = view.dates
            return [i for i in universe if _within(dates[i], start, end)]
        case SizeIn(above, below):
            sizes = view.sizes
            return [i for i in universe if (above is None or sizes[i] > above) and (below is None or sizes[i] < below)]
        case ModSeq(value):
            modseqs = view.modseqs
            return [i for i in universe if modseqs[i] >= value]
    raise AssertionError(key)


def _within(value: int, start: int | None, end: int | None) -> bool:
    return (start is None or value >= start) and (end is None or value < end)


def _has_keyword(view: FolderView, index: int, keyword: str) -> bool:
    if not view.keywords:
        return False
    return any(keyword == found.lower() for found in view.keywords.get(view.uids[index], NO_KEYWORDS))


def matches(key: TextKey, text: bytes) -> bool:
    """`text`: a body, or headers, one field a line; decoded, case-folded, in UTF-8 (`MailStore.heads`, `MailStore.bodies`)."""
    match key:
        case Text(needle) | Body(needle):
            return needle in text
        case Header(name, needle):
            return needle in text and any(needle in value for value in values(text, name))
        case Sent(start, end):
            date = dates.sent(field(text, b"date"))
            return date is not None and _within(date.day, start, end)

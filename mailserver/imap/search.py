"""Evaluates SEARCH (RFC 3501 6.4.4) over a view: sets of message indices, texts only where they decide.

A key gives two sets: the messages that match for sure, and those that may match once more is known (Kleene's logic).
Columns speak first, of all messages. Then, for those still open, in batches: the headers kept in memory, all headers, the bodies,
each only when the key asks for it, and only for what the sources before it left open.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
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
    Or,
    Sent,
    SizeIn,
    Text,
    leaves,
)
from mailserver.imap.heads import KEPT, KeptHeads, batches, field, grouped, kept_heads, values
from mailserver.imap.sequences import Places
from mailserver.imap.shelf import Shelf
from mailserver.imap.view import NO_KEYWORDS, FolderView, picked
from mailserver.store.api import MailStore

LOOKS = 200_000  # at a column for a message, in one go, 10 ms
GROUP = 4096  # messages whose kept headers are looked at in one go, 1 ms

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
    wanted, count = set[Source](), 0
    for leaf in leaves(key):
        wanted.update(_sources(leaf))
        count += 1
    sure, undecided, read = list[int](), list[int](), set[int]()
    for some in grouped(among, LOOKS // max(1, count)):
        found = evaluate(key, view, frozenset(some), lambda _, universe: Found(NONE, universe))
        sure += sorted(found.sure)
        undecided += sorted(found.maybe - found.sure)
        await asyncio.sleep(0)  # other sessions' turn
    if reach is not None and reach < 0:
        undecided.reverse()
    sources = [source for source in Source if source in wanted]
    for group in grouped(undecided, GROUP) if Source.KEPT in sources else batches(view, undecided):
        read |= await _by_text(store, shelf, view, key, sources, group)
        await asyncio.sleep(0)  # other sessions' turn
        if reach is not None and len(read) + _before(sure, group[-1], reach < 0) >= abs(reach):
            break
    return sorted(read.union(sure))


def _before(sure: Sequence[int], index: int, backwards: bool) -> int:
    """How many of `sure` stand on the way to `index`."""
    return len(sure) - bisect_left(sure, index) if backwards else bisect_left(sure, index)


async def _by_text(
    store: MailStore, shelf: Shelf, view: FolderView, key: Key, sources: Sequence[Source], group: Sequence[int]
) -> Indices:
    group = sorted(group)
    if Source.KEPT not in sources:
        return await _by_reading(store, view, key, sources, group, {})
    heads = await kept_heads(store, shelf, view, group)
    found = evaluate(key, view, heads.here, partial(_matching, {Source.KEPT: heads}))
    sure, undecided = found.sure, sorted(found.maybe - found.sure)
    sure |= await _by_reading(store, view, key, sources, undecided, {Source.KEPT: heads})
    apart = [index for index in group if index not in heads.here] if len(heads.here) < len(group) else []
    return sure | await _by_reading(store, view, key, [Source.HEADERS, *sources], apart, {})


async def _by_reading(
    store: MailStore,
    view: FolderView,
    key: Key,
    sources: Sequence[Source],
    indices: Sequence[int],
    known: Mapping[Source, Texts],
) -> Indices:
    """All headers, then the bodies, if they are among the `sources`; where nothing kept is `known`, all headers stand for that."""
    sure = NONE
    for batch in batches(view, indices):
        texts, undecided = dict(known), frozenset(batch)
        for source, read in ((Source.HEADERS, store.heads), (Source.BODIES, store.bodies)):
            if source in sources and undecided:
                texts[source] = some = await _read(read, view, sorted(undecided))
                if source is Source.HEADERS:
                    texts.setdefault(Source.KEPT, some)
                found = evaluate(key, view, some.here, partial(_matching, texts))
                sure, undecided = sure | found.sure, found.maybe - found.sure
    return sure


async def _read(
    read: Callable[[int, Sequence[int]], Awaitable[list[tuple[int, bytes]]]], view: FolderView, indices: Sequence[int]
) -> Read:
    uids = picked(view.uids, indices)
    by_uid = dict(await read(view.folder.id, uids))
    return Read({index: by_uid[uid] for index, uid in zip(indices, uids, strict=True) if uid in by_uid})


class Read(dict[int, bytes]):
    """Texts by index, as the store gave them."""

    @property
    def here(self) -> Indices:
        return frozenset(self)

    def containing(self, needle: bytes, universe: Indices) -> list[int]:
        return [index for index in universe if needle in self[index]]


Texts = KeptHeads | Read


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


def _matching(known: Mapping[Source, Texts], key: TextKey, universe: Indices) -> Found:
    """By the texts at hand; a message that they do not decide may match."""
    sources = _sources(key)
    sure = NONE
    for source in sources:
        if source in known:
            sure |= _holding(key, known[source], universe - sure)
    return _exactly(sure) if known.keys() >= set(sources) else Found(sure, universe)


def _holding(key: TextKey, texts: Texts, universe: Indices) -> Indices:
    if isinstance(key, Sent):
        return frozenset([index for index in universe if _sent_within(key, texts[index])])
    found = texts.containing(key.needle, universe)
    return frozenset([index for index in found if _in_field(key, texts[index])] if isinstance(key, Header) else found)


def _in_field(key: Header, head: bytes) -> bool:
    """`head`: one field a line, decoded, case-folded, in UTF-8 (`MailStore.heads`)."""
    return any(key.needle in value for value in values(head, key.name))


def _sent_within(key: Sent, head: bytes) -> bool:
    date = dates.sent(field(head, b"date"))
    return date is not None and _within(date.day, key.start, key.end)


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
        case Places():
            return key.within(universe)
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

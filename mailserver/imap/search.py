"""Evaluates SEARCH (RFC 3501 6.4.4) over a view: sets of message indices, texts only where they decide.

A key gives two sets: the messages that match for sure, and those that may match once their text is known (Kleene's logic).
Most keys need columns only; the texts of the store are read, in batches, for the messages still open, and never else.
"""

from __future__ import annotations

import asyncio
from calendar import timegm
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from email.utils import parsedate

from mailserver.imap.commands.search import (
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
)
from mailserver.imap.view import NO_KEYWORDS, FolderView
from mailserver.store.api import MailStore

TEXT_BATCH = 100  # at most 25 MB of texts

Indices = frozenset[int]
NONE: Indices = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    sure: Indices
    maybe: Indices  # contains `sure`


TextKey = Header | Body | Text | Sent
# What is known of a text key in the universe under evaluation.
Oracle = Callable[[TextKey, Indices], Found]


async def search(store: MailStore, view: FolderView, key: Key) -> list[int]:
    """Indices of the messages that match, ascending; messages gone meanwhile do not match text keys."""
    everything = frozenset(range(len(view)))
    first = evaluate(key, view, everything, lambda _, universe: Found(NONE, universe))
    result = set(first.sure)
    undecided = sorted(first.maybe - first.sure)
    for start in range(0, len(undecided), TEXT_BATCH):
        result |= await _by_text(store, view, key, undecided[start : start + TEXT_BATCH])
        await asyncio.sleep(0)  # other sessions' turn
    return sorted(result)


async def _by_text(store: MailStore, view: FolderView, key: Key, indices: Sequence[int]) -> Indices:
    texts: dict[int, tuple[str, str]] = {}
    async for uid, header, body in store.texts(view.folder.id, [view.uids[i] for i in indices]):
        index = view.index_of(uid)
        if index is not None:
            texts[index] = (header, body)

    def look(text_key: TextKey, universe: Indices) -> Found:
        return _exactly(frozenset(i for i in universe if text_matches(text_key, *texts[i])))

    return evaluate(key, view, frozenset(texts), look).sure


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
            parts = [evaluate(part, view, universe, oracle) for part in keys]
            return Found(NONE.union(*(p.sure for p in parts)), NONE.union(*(p.maybe for p in parts)))
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


def text_matches(key: TextKey, header: str, body: str) -> bool:
    """`header`: one field a line, decoded, unfolded, case-folded; `body` case-folded (`MailStore.texts`)."""
    match key:
        case Text(needle):
            return needle in header or needle in body
        case Body(needle):
            return needle in body
        case Header(name, needle):
            return any(needle in value for value in _fields(header, name))
        case Sent(start, end):
            day = _sent_day(header)
            return day is not None and _within(day, start, end)


def _fields(header: str, name: str) -> list[str]:
    start = name + ":"
    return [line[len(start) :] for line in header.split("\n") if line.startswith(start)]


def _sent_day(header: str) -> int | None:
    """Midnight of the Date header's own day, zone disregarded (RFC 3501 6.4.4 SENTBEFORE)."""
    for value in _fields(header, "date"):
        parsed = parsedate(value.strip())
        if parsed is not None:
            try:
                return timegm((*parsed[:3], 0, 0, 0))
            except (ValueError, OverflowError):
                return None
    return None

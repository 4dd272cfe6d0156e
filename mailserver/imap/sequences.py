"""Sequence sets (RFC 3501 9, `sequence-set`): numbers and ranges of message numbers or of UIDs, with `*` for the last."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from mailserver.imap.wire import runs

STAR = 0  # `*` inside a range; no message bears the number 0


@dataclass(frozen=True, slots=True)
class SequenceSet:
    ranges: tuple[tuple[int, int], ...]  # as written, ends in any order

    @staticmethod
    def of(numbers: Iterable[int]) -> SequenceSet:
        """Of ascending numbers."""
        return SequenceSet(tuple(runs(numbers)))

    @staticmethod
    def parse(text: bytes) -> SequenceSet:
        """Of a text that fits the grammar; what the grammar lets through (0, over 32 bits) shows in `valid`."""
        ranges = []
        for item in text.split(b","):
            first, _, last = item.partition(b":")
            low = _bound(first)
            ranges.append((low, _bound(last) if last else low))
        return SequenceSet(tuple(ranges))

    def valid(self) -> bool:
        """False when a number is zero or over 32 bits."""
        return all(0 <= bound < 1 << 32 for pair in self.ranges for bound in pair)

    def fits(self, exists: int) -> bool:
        """No number is above `exists` (RFC 9051 6: else BAD); ranges with `*` are what pollers send, and are clipped."""
        return all(STAR in pair or max(pair) <= exists for pair in self.ranges)

    @property
    def single(self) -> bool:
        """One message."""
        return len(self.ranges) == 1 and self.ranges[0][0] == self.ranges[0][1]

    @property
    def starred(self) -> bool:
        return any(STAR in pair for pair in self.ranges)

    def count(self) -> int:
        """How many numbers, of a set without `*`."""
        return sum(abs(high - low) + 1 for low, high in self.ranges)

    def each(self) -> Iterator[int]:
        """Its numbers as written, one by one: there can be four billion. Of a set without `*`."""
        return chain.from_iterable(range(min(pair), max(pair) + 1) for pair in self.ranges)

    def missing(self, uids: Sequence[int], above: int, last: int) -> list[tuple[int, int]]:
        """Runs of its numbers `above` < n <= `last` that are none of `uids` (ascending); `last`: what `*` stands for."""
        spans = Places.of((max(low, above + 1), min(high, last) + 1) for low, high in self._bounds(last))
        return [run for start, stop in zip(spans.starts, spans.stops, strict=True) for run in gaps(uids, start, stop)]

    def of_numbers(self, exists: int) -> Sequence[int]:
        """Indices from 0 of the messages meant, ascending."""
        return self.places_of_numbers(exists).indices()

    def of_uids(self, uids: Sequence[int], last: int | None = None) -> Sequence[int]:
        """Indices in `uids` (ascending); UIDs that are not there are no error (RFC 3501 6.4.8). `last`: what `*` stands for."""
        return self.places_of_uids(uids, last).indices()

    def places_of_numbers(self, exists: int) -> Places:
        return Places.of((low - 1, min(high, exists)) for low, high in self._bounds(exists))

    def places_of_uids(self, uids: Sequence[int], last: int | None = None) -> Places:
        if last is None:
            last = uids[-1] if uids else 0
        return Places.of((bisect_left(uids, low), bisect_right(uids, high)) for low, high in self._bounds(last))

    def in_uids(self, uids: Sequence[int]) -> SequenceSet:
        """The messages that have these numbers in a folder of `uids` (ascending), by UID: what comes later is none of them."""
        places = self.places_of_numbers(len(uids))
        return SequenceSet(
            tuple((uids[start], uids[stop - 1]) for start, stop in zip(places.starts, places.stops, strict=True))
        )

    def _bounds(self, last: int) -> list[tuple[int, int]]:
        """Ascending ends; with `*` = `last`: `9:*` with 4 messages is 4:9, which holds the last one."""
        if last == 0:
            return []
        pairs = [(first or last, second or last) for first, second in self.ranges]
        return [(min(pair), max(pair)) for pair in pairs]


@dataclass(frozen=True, slots=True)
class Page:
    """partial-range (RFC 9394 4): places in a result, 1 its first message, or -1 its last; ends as written, of one sign."""

    start: int
    stop: int

    @property
    def reach(self) -> int:
        """How much of the result decides: its first n messages, or with -n its last n."""
        return max(self.start, self.stop, key=abs)

    def of(self, found: Sequence[int]) -> Sequence[int]:
        """What stands there; less when the result is shorter."""
        low, high = sorted((self.start, self.stop))
        if low > 0:
            return found[low - 1 : high]
        return found[max(0, len(found) + low) : max(0, len(found) + high + 1)]

    def __bytes__(self) -> bytes:
        return b"%d:%d" % (self.start, self.stop)


@dataclass(frozen=True, slots=True)
class Places:
    """Indices of messages in spans [start, stop), ascending and apart from each other, `total` of them."""

    starts: Sequence[int]
    stops: Sequence[int]
    total: int

    @staticmethod
    def of(spans: Iterable[tuple[int, int]]) -> Places:
        """Of spans in any order, empty ones and such that overlap among them."""
        starts: list[int] = []
        stops: list[int] = []
        for start, stop in sorted(spans):
            if start >= stop:
                continue
            if stops and start <= stops[-1]:
                stops[-1] = max(stop, stops[-1])
            else:
                starts.append(start)
                stops.append(stop)
        return Places(starts, stops, sum(stops) - sum(starts))

    def indices(self) -> Sequence[int]:
        """Ascending; a range when it is one, for columns are sliced faster than picked."""
        if len(self.starts) == 1:
            return range(self.starts[0], self.stops[0])
        return list(self._all())

    def within(self, universe: frozenset[int]) -> frozenset[int]:
        """At the cost of the smaller one."""
        if self.total <= len(universe):
            return universe.intersection(self._all())
        starts, stops = self.starts, self.stops
        if len(starts) == 1:
            start, stop = starts[0], stops[0]
            return frozenset([index for index in universe if start <= index < stop])
        return frozenset([i for i in universe if (after := bisect_right(starts, i)) and i < stops[after - 1]])

    def _all(self) -> Iterable[int]:
        return chain.from_iterable(map(range, self.starts, self.stops))


def gaps(uids: Sequence[int], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Runs of numbers in [start, stop) that are none of `uids` (ascending)."""
    for uid in uids[bisect_left(uids, start) : bisect_left(uids, stop)]:
        if uid > start:
            yield start, uid - 1
        start = uid + 1
    if start < stop:
        yield start, stop - 1


def _bound(text: bytes) -> int:
    if text == b"*":
        return STAR
    return int(text) or -1

"""The items of FETCH as columns: a %-format and the values of many messages; together they are the lines of the answer. Pure.

Items that never change for a message and come from its card stand in *runs*, rendered once and kept (`shelf`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, repeat
from typing import Any, NamedTuple

from mailserver.imap.commands.fetch import BodyItem, Item
from mailserver.imap.view import FolderView, picked
from mailserver.imap.wire import date_time, string
from mailserver.mime.encodings import DECODERS, decoded
from mailserver.mime.sections import fields_filter, locate
from mailserver.store.api import Card, Front, Origin

USUAL = 64  # items, and fields of them
TURN = 1 << 20  # octets of headers looked through in one go, 50 ms


@dataclass(frozen=True, slots=True)
class Batch:
    """Some messages of the view, with what their items need: `pieces` of runs, cards, octets."""

    view: FolderView
    indices: Sequence[int]
    pieces: Mapping[Run, Sequence[bytes]] = field(default_factory=dict)
    cards: Sequence[Any] = ()  # Card; Front for runs that need no more
    contents: Sequence[bytes] = ()
    origins: Sequence[Origin] = ()

    def part(self, start: int, stop: int) -> Batch:
        """Of what runs are rendered from."""
        if start == 0 and stop == len(self.indices):
            return self
        some = slice(start, stop)
        return Batch(self.view, self.indices[some], cards=self.cards[some], origins=self.origins[some])


class Column(NamedTuple):
    """`form` begins with a space and takes one value of each of `values`; the last of a `long` one is its end, and never copied."""

    form: bytes
    values: tuple[Callable[[Batch], Sequence[Any]], ...]
    long: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Items next to each other that never change, at least one of them from the card or from the message's origin."""

    items: tuple[Item, ...]

    @property
    def front(self) -> bool:
        """The card's front is enough."""
        return all(item in _LASTING or item in _FRONT or item in _ORIGIN for item in self.items)

    @property
    def is_usual(self) -> bool:
        """As mail programs ask: worth keeping, and its name not larger than what is kept."""
        return sum(1 + len(item.section.fields) if isinstance(item, BodyItem) else 1 for item in self.items) <= USUAL

    @property
    def headers(self) -> int:
        """How many of the items look through the message's header, or repeat it."""
        return sum(isinstance(item, BodyItem) for item in self.items)

    @property
    def needs_card(self) -> bool:
        return any(item not in _LASTING and item not in _ORIGIN for item in self.items)

    @property
    def needs_origin(self) -> bool:
        return any(item in _ORIGIN for item in self.items)

    async def rendered(self, batch: Batch) -> list[bytes]:
        """Without the space in front."""
        form, values = joined([_lasting_column(item) for item in self.items])
        found: list[bytes] = []
        for part in self._in_turns(batch):
            columns = []
            for one in values:
                columns.append(one(part))
                if self.headers:
                    await asyncio.sleep(0)  # other sessions' turn
            found += map(form[1:].__mod__, zip(*columns, strict=True))
        return found

    def _in_turns(self, batch: Batch) -> Iterator[Batch]:
        """Nearly always one; headers are as long as their senders liked."""
        if not self.headers:
            yield batch
            return
        start, octets = 0, 0
        for place, card in enumerate(batch.cards):
            octets += len(card.header)
            if octets > TURN:
                yield batch.part(start, place + 1)
                start, octets = place + 1, 0
        if start < len(batch.cards):
            yield batch.part(start, len(batch.cards))


def _column(form: bytes, *values: Callable[[Batch], Sequence[Any]]) -> Column:
    return Column(form, values)


NO_CARD = Front(b"", b"")  # where none is needed
_CHANGING = {
    b"UID": _column(b" UID %d", lambda b: picked(b.view.uids, b.indices)),
    b"FLAGS": _column(b" FLAGS (%b)", lambda b: b.view.flag_texts(b.indices)),
    b"MODSEQ": _column(b" MODSEQ (%d)", lambda b: picked(b.view.modseqs, b.indices)),
}
_LASTING = {
    b"INTERNALDATE": _column(b" INTERNALDATE %b", lambda b: list(map(date_time, picked(b.view.dates, b.indices)))),
    b"RFC822.SIZE": _column(b" RFC822.SIZE %d", lambda b: picked(b.view.sizes, b.indices)),
}
_FRONT = {
    b"ENVELOPE": _column(b" ENVELOPE %b", lambda b: [card.envelope for card in b.cards]),
    b"BODYSTRUCTURE": _column(b" BODYSTRUCTURE %b", lambda b: [card.body_structure for card in b.cards]),
}
_BACK = {
    b"BODY": _column(b" BODY %b", lambda b: [card.body for card in b.cards]),
    # RFC 8970 3.1; made at delivery, so LAZY never has to wait for it.
    b"PREVIEW": _column(b" PREVIEW %b", lambda b: [string(card.preview.encode(errors="replace")) for card in b.cards]),
}
_ORIGIN = {
    b"EMAILID": _column(b" EMAILID (M%d)", lambda b: [origin.email for origin in b.origins]),
    b"THREADID": _column(b" THREADID (T%d)", lambda b: [origin.thread for origin in b.origins]),
    b"SAVEDATE": _column(
        b" SAVEDATE %b", lambda b: [date_time(origin.saved_at) if origin.saved_at else b"NIL" for origin in b.origins]
    ),
}


def runs(items: Sequence[Item]) -> Iterator[Item | Run]:
    """The items in their order, those that last put together."""
    for lasting, group in groupby(items, _lasts):
        together = tuple(group)
        if lasting and any(item not in _LASTING for item in together):
            yield Run(together)
        else:
            yield from together


def is_read(item: Item) -> bool:
    """The stored octets must be read: the header of the message itself stands in the card."""
    return isinstance(item, BodyItem) and (bool(item.section.part) or not item.section.text.startswith("HEADER"))


def column(item: Item | Run) -> Column:
    if isinstance(item, Run):
        return Column(b" %b", (lambda b: b.pieces[item],), long=True)
    if isinstance(item, BodyItem):
        return _content_column(item)
    return _CHANGING.get(item) or _LASTING[item]


def joined(columns: Sequence[Column]) -> tuple[bytes, list[Callable[[Batch], Sequence[Any]]]]:
    return b"".join([one.form for one in columns]), [values for one in columns for values in one.values]


def woven(
    head: bytes, numbers: Sequence[int], columns: Sequence[Column], batch: Batch, end: bytes
) -> Iterator[tuple[bytes, ...]]:
    """What stands on each message's line, behind `head` and its number."""
    form, values = head, list[Sequence[Any]]([numbers])
    pieces: list[Iterable[bytes]] = []
    for place, one in enumerate(columns):
        form += one.form[not place :]
        values += [value(batch) for value in one.values]
        if one.long:
            last = values.pop()
            pieces += [_filled(form.removesuffix(b"%b"), values, len(numbers)), last]
            form, values = b"", []
    return zip(*pieces, _filled(form + end, values, len(numbers)), strict=True)


def _filled(form: bytes, values: Sequence[Sequence[Any]], count: int) -> Iterable[bytes]:
    return map(form.__mod__, zip(*values, strict=True)) if values else repeat(form, count)


def _lasts(item: Item) -> bool:
    if isinstance(item, BodyItem):
        return not is_read(item)
    return item not in _CHANGING


def _lasting_column(item: Item) -> Column:
    if isinstance(item, BodyItem):
        keep = fields_of(item)
        return _column(b" %b", lambda b: [answer(item, keep(card.header)) for card in b.cards])
    return (_LASTING | _FRONT | _BACK | _ORIGIN)[item]


def _content_column(item: BodyItem) -> Column:
    if item.decoded:
        return _column(
            b" %b", lambda b: list(map(partial(_decoded, item), b.cards or [NO_CARD] * len(b.contents), b.contents))
        )
    if not (item.section.part or item.section.text or item.partial):  # the whole message: the card need not be read
        form = b" " + item.label + b" {%d}\r\n%b"
        return Column(form, (lambda b: list(map(len, b.contents)), lambda b: b.contents), long=True)
    keep = fields_of(item)

    def one(card: Card | Front, content: bytes) -> bytes:
        found = span(item, card, len(content))
        return answer(item, None if found is None else keep(content[slice(*found)]))

    return _column(b" %b", lambda b: list(map(one, b.cards or [NO_CARD] * len(b.contents), b.contents)))


def _decoded(item: BodyItem, card: Card | Front, content: bytes) -> bytes:
    found, encoding = span(item, card, len(content)), encoding_of(item, card)
    if found is None or encoding not in DECODERS:
        return answer(item, None)
    octets = decoded(content[slice(*found)], encoding)
    return sized(item, len(octets)) if item.sized else answer(item, octets)


def encoding_of(item: BodyItem, card: Card | Front) -> str:
    """The transfer encoding of the part; the message itself has none."""
    part = card.parts.get(item.section.part) if isinstance(card, Card) else None
    return "binary" if part is None else part.encoding


def sized(item: BodyItem, size: int) -> bytes:
    return b"%b %d" % (item.label, size)


def needs_card(item: BodyItem) -> bool:
    """To find its span."""
    return bool(item.section.part or item.section.text)


def fields_of(item: BodyItem) -> Callable[[bytes], bytes]:
    """What HEADER.FIELDS leaves of a header; all of it for other sections."""
    section = item.section
    return fields_filter(section.fields, section.text.endswith("NOT")) if section.fields else lambda octets: octets


def span(item: BodyItem, card: Card | Front, size: int) -> tuple[int, int] | None:
    """(start, end) of the section in a message of `size` octets; None when there is no such part."""
    if not needs_card(item):
        return 0, size
    assert isinstance(card, Card)
    section = item.section
    return locate(card.parts, section.part, "HEADER" if section.text.startswith("HEADER") else section.text)


def window(item: BodyItem, start: int, end: int) -> tuple[int, int]:
    """The partial's octets inside [start, end); a window beyond the end is an empty one (RFC 3501 6.4.5)."""
    if item.partial is None:
        return start, end
    offset, length = item.partial
    first = min(start + offset, end)
    return first, min(first + length, end)


def literal(item: BodyItem, size: int) -> bytes:
    """What stands before the octets; those of BINARY may hold NUL (RFC 3516 4.3.1: literal8)."""
    return (b"%b ~{%d}\r\n" if item.decoded else b"%b {%d}\r\n") % (_label(item), size)


def answer(item: BodyItem, octets: bytes | None) -> bytes:
    """The whole item."""
    if octets is None:  # BINARY.SIZE has a number in any case (RFC 9051 9, msg-att-static)
        return sized(item, 0) if item.sized else _label(item) + b" NIL"
    start, end = window(item, 0, len(octets))
    return literal(item, end - start) + octets[start:end]


def _label(item: BodyItem) -> bytes:
    return item.label if item.partial is None else b"%b<%d>" % (item.label, item.partial[0])

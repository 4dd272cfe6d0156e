"""The keys of SEARCH (RFC 3501 6.4.4 and its extensions) as a tree of small values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from mailserver.imap.sequences import Places, SequenceSet
from mailserver.store.api import Flag


@dataclass(frozen=True, slots=True)
class All:
    """Every message."""


@dataclass(frozen=True, slots=True)
class HasFlag:
    flag: Flag


@dataclass(frozen=True, slots=True)
class HasKeyword:
    keyword: str  # lower case


@dataclass(frozen=True, slots=True)
class Numbers:
    messages: SequenceSet
    uid: bool


@dataclass(frozen=True, slots=True)
class Arrived:
    """INTERNALDATE in [`start`, `end`), seconds since the epoch, None = open (BEFORE, ON, SINCE)."""

    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Sent:
    """The Date header's own day in [`start`, `end`), zone disregarded (SENTBEFORE, SENTON, SENTSINCE)."""

    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Aged:
    """INTERNALDATE at least `seconds` ago, or at most when `younger` (RFC 5032 3)."""

    seconds: int
    younger: bool


@dataclass(frozen=True, slots=True)
class SizeIn:
    """RFC822.SIZE strictly above `above` and strictly below `below`."""

    above: int | None = None
    below: int | None = None


@dataclass(frozen=True, slots=True)
class ModSeq:
    """MODSEQ at least `value`."""

    value: int


@dataclass(frozen=True, slots=True)
class Header:
    """`name` in lower case; `needle` as `mime.words.comparable` makes it, in UTF-8; an empty needle means that the field exists."""

    name: bytes
    needle: bytes


@dataclass(frozen=True, slots=True)
class Body:
    needle: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """Header or body."""

    needle: bytes


@dataclass(frozen=True, slots=True)
class Not:
    key: Key


@dataclass(frozen=True, slots=True)
class And:
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Or:
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class OriginIs:
    """RFC 8474 6: EMAILID, THREADID; `field` of `store.api.Origin`."""

    field: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Saved:
    """RFC 8514 4.3: saved in [start, end), seconds since the epoch."""

    start: float = 0
    end: float = inf


Key = (
    OriginIs
    | Saved
    | All
    | HasFlag
    | HasKeyword
    | Numbers
    | Places
    | Arrived
    | Aged
    | Sent
    | SizeIn
    | ModSeq
    | Header
    | Body
    | Text
    | Not
    | And
    | Or
)

DAY = 86400
NOTHING = Not(All())


def leaves(key: Key) -> Iterator[Key]:
    """The keys that hold no others."""
    match key:
        case And(keys) | Or(keys):
            for one in keys:
                yield from leaves(one)
        case Not(inner):
            yield from leaves(inner)
        case _:
            yield key

"""A folder's narrow rows as columns: what every session of the process that looks at the folder shares.

Columns never change: news make new ones (a copy of 10,000 rows takes 30 microseconds). So a session keeps those that its client
was told, at no cost while others keep the same. Arrays, not objects: 37 octets a message.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from mailserver.store.api import Flag, FlagOp, FolderStatus, Row
from mailserver.store.flags import after, flags_of, keywords_text

Narrow = tuple[int, int, int, str, int, int]
"""uid, modseq, system flags, keywords (separated by a space), internal date, size: as the table has them."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Index i is the folder's message i + 1, in UID order, in the state that `status` counts.

    `keywords` by UID, most messages have none; `known` gives a keyword's one spelling in this folder by its lower case.
    `numbering`: the same object as long as no message went away, so that an index means the same message.
    `latest`: (MODSEQ, UIDs): what changed after that MODSEQ; after an older one, the MODSEQs tell.
    """

    status: FolderStatus
    uids: array[int]
    modseqs: array[int]
    system: array[int]
    dates: array[int]
    sizes: array[int]
    keywords: Mapping[int, frozenset[str]]
    known: Mapping[str, str]
    numbering: object
    latest: tuple[int, Sequence[int]]

    def __len__(self) -> int:
        return len(self.uids)

    @property
    def modseq(self) -> int:
        return self.status.highest_modseq

    def index_of(self, uid: int) -> int | None:
        index = bisect_left(self.uids, uid)
        return index if index < len(self.uids) and self.uids[index] == uid else None

    def changed_since(self, modseq: int) -> Sequence[int]:
        """UIDs of the messages new or changed after `modseq`, ascending."""
        if modseq >= self.modseq:
            return ()
        if modseq >= self.latest[0]:
            return self.latest[1]
        return [uid for uid, at in zip(self.uids, self.modseqs, strict=True) if at > modseq]

    def gone_from(self, older: Columns) -> list[int]:
        """UIDs of `older` that are here no more, ascending."""
        if older.numbering is self.numbering:
            return []
        return sorted(set(older.uids).difference(self.uids))

    def advanced(self, status: FolderStatus, rows: Sequence[Narrow], vanished: Iterable[int]) -> Columns:
        """With the `rows` (ascending) new or changed since, without the UIDs `vanished`."""
        here = self._without({index for uid in vanished if (index := self.index_of(uid)) is not None})
        known = len(here.uids)
        last = here.uids[-1] if known else 0
        new = bisect_right(rows, last, key=_uid)
        table = list(zip(*rows, strict=True)) or [()] * 6
        uids, modseqs, system, texts, dates, sizes = table
        changed = [*map(partial(bisect_left, here.uids), uids[:new])]
        keywords, spellings = _with_keywords(here, uids, texts)
        return Columns(
            status,
            here.uids + array("I", uids[new:]),
            _with(here.modseqs, changed, modseqs),
            _with(here.system, changed, system),
            here.dates + array("q", dates[new:]),
            here.sizes + array("Q", sizes[new:]),
            keywords,
            spellings,
            here.numbering,
            (self.modseq, uids),
        )

    def stored(self, status: FolderStatus, uids: Sequence[int], op: FlagOp, system: Flag, limit: int) -> Columns:
        """After a STORE of system flags, and no keyword, to those of `uids` (ascending) whose MODSEQ is at most `limit`."""
        became = _became(op, system)
        flags, modseqs = self.system[:], self.modseqs[:]
        changed = [i for i in self._indices(uids) if became[flags[i]] != flags[i] and modseqs[i] <= limit]
        for i in changed:
            flags[i] = became[flags[i]]
            modseqs[i] = status.highest_modseq
        told = (self.modseq, [self.uids[i] for i in changed])
        return replace(self, status=status, system=flags, modseqs=modseqs, latest=told)

    def with_gone(self, older: Columns, gone: Sequence[int]) -> Columns:
        """These, and still the messages `gone` of `older`: for a session that may not say yet that they went."""
        lost = [index for uid in gone if (index := older.index_of(uid)) is not None]
        order = sorted(range(len(self) + len(lost)), key=[*self.uids, *(older.uids[i] for i in lost)].__getitem__)

        def merged(mine: array[int], theirs: array[int]) -> array[int]:
            both = mine + array(mine.typecode, [theirs[i] for i in lost])
            return array(mine.typecode, [both[i] for i in order])

        return replace(
            self,
            uids=merged(self.uids, older.uids),
            modseqs=merged(self.modseqs, older.modseqs),
            system=merged(self.system, older.system),
            dates=merged(self.dates, older.dates),
            sizes=merged(self.sizes, older.sizes),
            keywords={**{uid: older.keywords[uid] for uid in gone if uid in older.keywords}, **self.keywords},
            numbering=object(),
        )

    def _indices(self, uids: Sequence[int]) -> Sequence[int]:
        """Of those of `uids` (ascending) that are here; nearly always neighbours."""
        first = bisect_left(self.uids, uids[0]) if uids else 0
        if self.uids[first : first + len(uids)] == array("I", uids):
            return range(first, first + len(uids))
        return [index for uid in uids if (index := self.index_of(uid)) is not None]

    def _without(self, lost: Collection[int]) -> Columns:
        if not lost:
            return self
        kept = [index for index in range(len(self)) if index not in lost]

        def picked(column: array[int]) -> array[int]:
            return array(column.typecode, [column[i] for i in kept])

        gone = {self.uids[index] for index in lost}
        return replace(
            self,
            uids=picked(self.uids),
            modseqs=picked(self.modseqs),
            system=picked(self.system),
            dates=picked(self.dates),
            sizes=picked(self.sizes),
            keywords={uid: words for uid, words in self.keywords.items() if uid not in gone},
            numbering=object(),
        )


@cache
def _became(op: FlagOp, wish: Flag) -> Sequence[int]:
    """What becomes of each set of system flags."""
    return [int(after(op, wish, Flag(bits))) for bits in range(1 << len(Flag))]


def columns_of(status: FolderStatus, rows: Sequence[Narrow]) -> Columns:
    """Of a whole folder."""
    nothing: Callable[[str], array[int]] = array
    empty = Columns(
        status, nothing("I"), nothing("Q"), nothing("B"), nothing("q"), nothing("Q"), {}, {}, object(), (0, ())
    )
    return empty.advanced(status, rows, ())


def narrow(row: Row) -> Narrow:
    return row.uid, row.modseq, int(row.flags.system), keywords_text(row.flags), row.internal_date, row.size


def _uid(row: Narrow) -> int:
    return row[0]


def _with(column: array[int], changed: Sequence[int], values: Sequence[int]) -> array[int]:
    """The first values replace those at the indices `changed`, the others are added."""
    if len(changed) == len(column):
        return array(column.typecode, values)
    made = column + array(column.typecode, values[len(changed) :])
    for index, value in zip(changed, values, strict=False):
        made[index] = value
    return made


def _with_keywords(
    here: Columns, uids: Sequence[int], texts: Sequence[str]
) -> tuple[Mapping[int, frozenset[str]], Mapping[str, str]]:
    """One spelling of a keyword for the whole folder: the first seen."""
    if not any(texts) and not here.keywords:
        return here.keywords, here.known
    keywords, known = dict(here.keywords), dict(here.known)
    spelled: dict[str, frozenset[str]] = {}
    for uid, text in zip(uids, texts, strict=True):
        if not text:
            keywords.pop(uid, None)
            continue
        if text not in spelled:
            words = sorted(flags_of(0, text).keywords)
            spelled[text] = frozenset(known.setdefault(word.lower(), word) for word in words)
        keywords[uid] = spelled[text]
    return keywords, known

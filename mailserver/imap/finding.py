"""What SEARCH and SORT find in one folder: keys made plain, evaluated, put in order. Knows no session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailserver.imap.commands.search_keys import Key
from mailserver.imap.heads import batches, cut, grouped, kept_heads
from mailserver.imap.origin_keys import resolved
from mailserver.imap.search import search
from mailserver.imap.shelf import Shelf
from mailserver.imap.sorting import FROM_COLUMNS, KEYS, LONGEST, NO_HEAD, Criterion
from mailserver.imap.threads import REFERENCES, Letter, letter_of
from mailserver.imap.view import FolderView, picked
from mailserver.store.api import MailStore

GROUP = 512  # messages whose headers are taken to pieces in one go, 5 ms, and forgotten: 16 MB at the worst
KEYS_IN_ALL = 32 << 20  # characters of the texts that one SORT compares: of a large folder their beginnings,
SHORTEST = 100
NAMES_IN_ALL = 10_000_000  # References that one THREAD looks at: in a large folder the nearest,
FEWEST = 10


@dataclass(frozen=True, slots=True)
class Finder:
    store: MailStore
    shelf: Shelf
    view: FolderView

    async def find(
        self, key: Key, now: int, *, among: Sequence[int] | None = None, reach: int | None = None
    ) -> list[int]:
        """Indices of the messages that match at `now` (seconds), ascending; of those `among` when given.

        `reach` as in `imap.search`.
        """
        among = range(len(self.view)) if among is None else among
        plain = await resolved(self.store, self.view, key, now, among)
        return await search(self.store, self.shelf, self.view, plain, among, reach)

    async def ordered(self, indices: Sequence[int], criteria: Sequence[Criterion]) -> list[int]:
        """`indices` (ascending) in the order asked; equal ones by message number, reversed or not."""
        wanted = dict[bytes, Criterion]()
        for criterion in criteria:
            wanted.setdefault(criterion.name, criterion)  # named again, it would find nothing undecided
        keys: dict[bytes, dict[int, Any]] = {name: {} for name in wanted}
        longest = max(SHORTEST, min(LONGEST, KEYS_IN_ALL // max(1, len(indices))))
        for some in grouped(indices, GROUP):
            heads = await self.heads(some) if wanted.keys() - FROM_COLUMNS else {}
            for name, found in keys.items():
                key = KEYS[name](self.view.columns, heads)
                found.update((index, _beginning(key(index), longest)) for index in some)
            await asyncio.sleep(0)  # other sessions' turn
        result = list(indices)
        for criterion in reversed(wanted.values()):  # each pass keeps the order of the later criteria among equals
            result.sort(key=keys[criterion.name].__getitem__, reverse=criterion.reverse)
            await asyncio.sleep(0)
        return result

    async def letters(self, numbers: Sequence[int], indices: Sequence[int]) -> list[Letter]:
        """What THREAD looks at, of the messages `indices` (ascending), which are to be called `numbers`."""
        dates, found = self.view.dates, list[Letter]()
        nearest = max(FEWEST, min(REFERENCES, NAMES_IN_ALL // max(1, len(indices))))
        for some in grouped(indices, GROUP):
            heads = await self.heads(some)
            called = zip(numbers[len(found) : len(found) + len(some)], some, strict=True)
            found += [letter_of(number, heads.get(i, NO_HEAD), dates[i], nearest) for number, i in called]
            await asyncio.sleep(0)  # other sessions' turn
        return found

    async def heads(self, indices: Sequence[int]) -> dict[int, bytes]:
        """By index (`indices` ascending), as SORT and THREAD read them; those of messages gone meanwhile are missing."""
        kept = await kept_heads(self.store, self.shelf, self.view, indices)
        found = kept.by_index()
        for batch in batches(self.view, [index for index in indices if index not in kept.here]):
            uids = picked(self.view.uids, batch)
            long = dict(await self.store.heads(self.view.folder.id, uids))
            found |= {index: cut(long[uid]) for index, uid in zip(batch, uids, strict=True) if uid in long}
        return found


def _beginning(key: Any, longest: int) -> Any:
    return key[:longest] if isinstance(key, str) else key

"""What SEARCH and SORT find in one folder: keys made plain, evaluated, put in order. Knows no session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailserver.imap.commands.search_keys import Key
from mailserver.imap.heads import batches, cut, kept_heads
from mailserver.imap.origin_keys import resolved
from mailserver.imap.search import search
from mailserver.imap.shelf import Shelf
from mailserver.imap.sorting import FROM_COLUMNS, Criterion, ordered
from mailserver.imap.view import FolderView, picked
from mailserver.store.api import MailStore


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
        """`indices` (ascending) in the order asked."""
        heads: dict[int, bytes] = {}
        if any(criterion.name not in FROM_COLUMNS for criterion in criteria):
            heads = await self.heads(indices)
        return ordered(indices, criteria, self.view.columns, heads)

    async def heads(self, indices: Sequence[int]) -> dict[int, bytes]:
        """By index (`indices` ascending), as SORT and THREAD read them; those of messages gone meanwhile are missing."""
        kept = await kept_heads(self.store, self.shelf, self.view, indices)
        found = kept.by_index()
        for batch in batches(self.view, [index for index in indices if index not in kept.here]):
            uids = picked(self.view.uids, batch)
            long = dict(await self.store.heads(self.view.folder.id, uids))
            found |= {index: cut(long[uid]) for index, uid in zip(batch, uids, strict=True) if uid in long}
        return found

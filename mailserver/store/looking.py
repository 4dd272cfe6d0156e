"""The columns of the folders looked at in this process, each read once for all its sessions and advanced by the change log.

The table is the truth: a look always asks it. Looks that wait for each other share the next one; a folder that no session has
selected is forgotten when the memory is wanted for another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from mailserver.store.api import StoreError
from mailserver.store.columns import Columns

MESSAGES = 1_000_000  # remembered in all; 37 MB

Read = Callable[[int, Columns | None], Awaitable[Columns]]
"""(folder id, columns known) -> columns now; raises `StoreError` NONEXISTENT."""
Glance = Callable[[int, Columns], Columns | None]
"""(folder id, columns known) -> columns now; at once, so None where that takes longer."""


class _Post:
    """One folder's: `asked` and `served` count looks."""

    __slots__ = ("asked", "columns", "served", "turn")

    def __init__(self) -> None:
        self.columns: Columns | None = None
        self.asked = self.served = 0
        self.turn = asyncio.Lock()

    @property
    def weight(self) -> int:
        """In messages; an empty folder costs something too."""
        return 0 if self.columns is None else len(self.columns) + 20


class Lookout:
    def __init__(self, read: Read, glance: Glance = lambda _id, _known: None, messages: int = MESSAGES) -> None:
        self._read = read
        self._glance = glance
        self._room = messages
        self._held = 0
        self._posts: OrderedDict[int, _Post] = OrderedDict()

    async def look(self, folder_id: int) -> Columns:
        """The folder with all that was committed before the call."""
        post = self._posts.get(folder_id)
        if post is None:
            post = self._posts[folder_id] = _Post()
        self._posts.move_to_end(folder_id)
        if post.columns is not None and (seen := self._glance(folder_id, post.columns)) is not None:
            if seen is not post.columns:
                self._keep(folder_id, post, seen)
            return seen
        post.asked += 1
        ticket = post.asked
        async with post.turn:
            if post.columns is not None and post.served >= ticket:  # read after this call, for somebody before us
                return post.columns
            serving = post.asked
            try:
                columns = await self._read(folder_id, post.columns)
            except StoreError:
                self._forget(folder_id, post)
                raise
            post.served = serving
            # A glance, or `advance`, may have seen more meanwhile.
            if post.columns is not None and post.columns.modseq > columns.modseq:
                return post.columns
            self._keep(folder_id, post, columns)
            return columns

    def advance(self, folder_id: int, since: int, change: Callable[[Columns], Columns]) -> None:
        """A commit of ours did `change` after MODSEQ `since`: nothing to read when that is where we are."""
        post = self._posts.get(folder_id)
        if post is not None and post.columns is not None and post.columns.modseq == since:
            self._keep(folder_id, post, change(post.columns))

    def _keep(self, folder_id: int, post: _Post, columns: Columns) -> None:
        kept = self._posts.get(folder_id) is post
        self._held -= post.weight if kept else 0
        post.columns = columns
        self._held += post.weight if kept else 0
        while self._held > self._room and len(self._posts) > 1:
            self._forget(*next(iter(self._posts.items())))

    def _forget(self, folder_id: int, post: _Post) -> None:
        if self._posts.get(folder_id) is post:
            del self._posts[folder_id]
            self._held -= post.weight

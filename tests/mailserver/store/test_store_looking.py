"""Looks at a folder: read once for all that wait, remembered, forgotten when others need the memory."""

from __future__ import annotations

import asyncio

import pytest

from mailserver.store.api import FolderStatus, StoreError
from mailserver.store.columns import Columns, columns_of
from mailserver.store.looking import Lookout


class Table:
    """Folders of `size` messages; each read takes its snapshot when it begins and gives it after `gate`."""

    def __init__(self, size: int = 3) -> None:
        self.size = size
        self.modseq = 1
        self.reads: list[tuple[int, bool]] = []  # folder, something known
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, folder_id: int, known: Columns | None) -> Columns:
        self.reads.append((folder_id, known is not None))
        if folder_id == 404:
            raise StoreError("NONEXISTENT", "no such folder")
        status = FolderStatus(self.size, 0, 0, 9, 1, self.modseq, 0)
        await self.gate.wait()
        return columns_of(status, [(uid, 1, 0, "", 0, 0) for uid in range(1, self.size + 1)])


async def test_looks_that_wait_share_the_next_read_and_none_sees_the_past() -> None:
    table = Table()
    lookout = Lookout(table.read)
    table.gate.clear()
    first = asyncio.create_task(lookout.look(7))
    await asyncio.sleep(0)
    table.modseq = 2  # committed while the first read is under way
    later = [asyncio.create_task(lookout.look(7)) for _ in range(50)]
    await asyncio.sleep(0)
    table.gate.set()
    assert (await first).modseq == 1
    seen = await asyncio.gather(*later)
    assert {columns.modseq for columns in seen} == {2}
    assert len(set(map(id, seen))) == 1, "all share the same columns"
    assert table.reads == [(7, False), (7, True)]


async def test_a_look_given_up_does_not_hold_the_others() -> None:
    table = Table()
    lookout = Lookout(table.read)
    table.gate.clear()
    first, second = (asyncio.create_task(lookout.look(7)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    table.gate.set()
    assert len(await second) == 3


async def test_the_folder_looked_at_least_lately_is_forgotten_first() -> None:
    table = Table()
    lookout = Lookout(table.read, messages=50)
    for folder in (1, 2, 1, 3, 1, 2):
        await lookout.look(folder)
    assert table.reads == [(1, False), (2, False), (1, True), (3, False), (1, True), (2, False)]


async def test_a_folder_that_is_no_more_leaves_nothing_behind() -> None:
    lookout = Lookout(Table().read)
    with pytest.raises(StoreError):
        await lookout.look(404)
    assert not lookout._posts
    assert lookout._held == 0


async def test_what_a_glance_sees_spares_the_read_and_is_kept() -> None:
    table = Table()
    says: list[Columns | None] = []
    lookout = Lookout(table.read, lambda folder, known: says.pop())
    known = await lookout.look(7)
    more = columns_of(FolderStatus(4, 0, 0, 9, 1, 2, 0), [(uid, 1, 0, "", 0, 0) for uid in range(1, 5)])
    for answer in (known, more, None):
        says.append(answer)
        seen = await lookout.look(7)
        assert answer is None or seen is answer
    assert table.reads == [(7, False), (7, True)]


async def test_a_read_that_ends_after_a_glance_saw_more_does_not_take_it_back() -> None:
    table = Table()
    says: list[Columns | None] = [None]
    lookout = Lookout(table.read, lambda folder, known: says.pop())
    await lookout.look(7)
    table.gate.clear()
    slow = asyncio.create_task(lookout.look(7))
    await asyncio.sleep(0)
    more = columns_of(FolderStatus(4, 0, 0, 9, 1, 2, 0), [(uid, 1, 0, "", 0, 0) for uid in range(1, 5)])
    says.append(more)
    assert await lookout.look(7) is more
    table.gate.set()
    assert await slow is more
    says.append(more)
    assert await lookout.look(7) is more

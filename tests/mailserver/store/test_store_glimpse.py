"""A glance at a folder: the usual news without a thread, and nothing that a look would not say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mailserver.store import reading
from mailserver.store.api import Flag, FlagOp, Flags, NewMessage
from mailserver.store.columns import Columns

BOX, FEW = 1, reading.FEW

Act = Callable[[Any, dict[str, int]], Awaitable[object]]


def letters(count: int, flags: Flags = Flags()) -> list[NewMessage]:
    return [NewMessage(b"Subject: s\r\n\r\nb\r\n", flags) for _ in range(count)]


async def nothing(store: Any, folder: dict[str, int]) -> None: ...


async def one_comes(store: Any, folder: dict[str, int]) -> None:
    await store.append(folder["INBOX"], letters(1))


async def few_come(store: Any, folder: dict[str, int]) -> None:
    await store.append(folder["INBOX"], letters(FEW - 1, Flags(Flag.SEEN, frozenset({"$Forwarded"}))))
    await store.append(folder["INBOX"], letters(1))


async def many_come(store: Any, folder: dict[str, int]) -> None:
    await store.append(folder["INBOX"], letters(FEW + 1))


async def copied_in(store: Any, folder: dict[str, int]) -> None:
    await store.append(folder["Archive"], letters(2, Flags(Flag.FLAGGED)))
    await store.copy(folder["Archive"], [1, 2], folder["INBOX"])


async def flagged(store: Any, folder: dict[str, int]) -> None:
    await store.store_flags(folder["INBOX"], [2], FlagOp.ADD, Flags(Flag.FLAGGED))


async def comes_and_is_flagged(store: Any, folder: dict[str, int]) -> None:
    await one_comes(store, folder)
    await store.store_flags(folder["INBOX"], [6], FlagOp.ADD, Flags(Flag.FLAGGED))


async def expunged(store: Any, folder: dict[str, int]) -> None:
    await store.store_flags(folder["INBOX"], [2], FlagOp.ADD, Flags(Flag.DELETED))
    await store.expunge(folder["INBOX"])


async def one_comes_and_one_goes(store: Any, folder: dict[str, int]) -> None:
    await one_comes(store, folder)
    await store.move(folder["INBOX"], [3], folder["Archive"])


async def comes_and_goes(store: Any, folder: dict[str, int]) -> None:
    await one_comes(store, folder)
    await store.move(folder["INBOX"], [6], folder["Archive"])


def seen(columns: Columns) -> tuple[object, ...]:
    return (
        columns.status, columns.uids, columns.modseqs, columns.system, columns.dates, columns.sizes, columns.keywords,
        [*columns.changed_since(columns.latest[0])],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("act", "enough"),
    [
        (nothing, True),
        (one_comes, True),
        (few_come, True),
        (copied_in, True),
        (many_come, False),
        (flagged, False),
        (comes_and_is_flagged, False),
        (expunged, False),
        (one_comes_and_one_goes, False),
        (comes_and_goes, False),
    ],
)
async def test_a_glance_says_what_a_look_would_or_nothing(parts: Any, act: Act, enough: bool) -> None:
    folder = {one.name: one.id for one in await parts.store.folders(BOX)}
    if "Archive" not in folder:
        folder["Archive"] = (await parts.store.create(BOX, "Archive")).id
    inbox = folder["INBOX"]
    await parts.store.append(inbox, letters(5))
    known = await parts.db.read(reading.look, inbox, None)
    await act(parts.store, folder)
    found = await parts.db.read(reading.glimpse, inbox, known)
    assert (found is not None) is enough
    if found is not None:
        assert seen(found) == seen(await parts.db.read(reading.look, inbox, known))


async def test_a_folder_that_is_no_more_is_left_to_the_look(parts: Any) -> None:
    made = await parts.store.create(BOX, "Provisoire")
    known = await parts.db.read(reading.look, made.id, None)
    await parts.store.delete(BOX, "Provisoire")
    assert await parts.db.read(reading.glimpse, made.id, known) is None

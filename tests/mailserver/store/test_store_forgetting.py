"""Expunges are remembered up to a number and an age (RFC 7162 3.2.5 lets a server forget)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from foundation.clock import DAY
from mailserver.store import forgetting
from mailserver.store.api import Flag, FlagOp, Flags, MailStore, NewMessage
from mailserver.store.tables import expunged, folders
from tests.mailserver.store.conftest import BOX, SqlParts, clock

LETTER = b"From: <a@x.example>\r\nSubject: s\r\n\r\nb\r\n"
DELETED = Flags(Flag.DELETED)


async def inbox_of(store: MailStore) -> int:
    return next(folder.id for folder in await store.folders(BOX) if folder.name == "INBOX")


async def come_and_go(store: Any, inbox: int, count: int) -> None:
    """`count` messages, each expunged before the next one comes."""
    for _ in range(count):
        await store.append(inbox, [NewMessage(LETTER, DELETED)])
        assert len(await store.expunge(inbox)) == 1


async def rows(parts: SqlParts) -> tuple[int, int]:
    """(expunges on disk, those the folders count)."""

    def work(conn: Any) -> tuple[int, int]:
        counted = conn.execute(select(func.sum(folders.c.remembered))).scalar()
        return conn.execute(select(func.count()).select_from(expunged)).scalar_one(), int(counted)

    return await parts.db.read(work)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "FEWEST", 5)


async def test_coming_and_going_for_ever_fills_nothing(parts: Any) -> None:
    inbox = await inbox_of(parts.store)
    for _ in range(4):
        await come_and_go(parts.store, inbox, 9)
        kept, counted = await rows(parts)
        assert 5 <= kept == counted <= 10


async def test_a_folder_says_up_to_where_it_forgot(store: Any) -> None:
    """UIDs 1 to 25 went one by one: 11 expunges are one too many, and leave the last 5."""
    inbox = await inbox_of(store)
    await come_and_go(store, inbox, 10)
    changes = await store.changes(inbox, 1)
    assert (changes.vanished, changes.forgotten) == ([*range(1, 11)], 0)
    seventh = changes.highest_modseq - 2 * 3  # of each: an APPEND and an EXPUNGE
    await come_and_go(store, inbox, 1)
    changes = await store.changes(inbox, 1)
    assert (changes.vanished, changes.forgotten) == ([7, 8, 9, 10, 11], seventh - 2)
    assert (await store.changes(inbox, seventh - 2)).vanished == [7, 8, 9, 10, 11], "nothing after it is missing"


async def test_a_folder_with_more_messages_remembers_more(store: Any) -> None:
    inbox = await inbox_of(store)
    await store.append(inbox, [NewMessage(LETTER)] * 8)
    await come_and_go(store, inbox, 16)
    assert (await store.changes(inbox, 1)).forgotten == 0
    await come_and_go(store, inbox, 1)
    assert (await store.changes(inbox, 1)).vanished == [*range(8 + 10, 8 + 18)]


async def test_one_expunge_of_too_many_is_forgotten_whole(store: Any) -> None:
    """They share a MODSEQ: half of them would be no answer."""
    inbox = await inbox_of(store)
    await store.append(inbox, [NewMessage(LETTER, DELETED)] * 20)
    known = await store.look(inbox)
    await store.expunge(inbox)
    changes = await store.changes(inbox, known.modseq)
    assert (changes.vanished, changes.forgotten) == ([], changes.highest_modseq)
    seen = await store.look(inbox)
    assert (len(seen), seen.gone_from(known)) == (0, [*range(1, 21)])


async def test_what_is_old_is_swept(parts: Any) -> None:
    store, inbox = parts.store, await inbox_of(parts.store)
    store._clock = lambda: clock() - 2 * DAY
    await come_and_go(store, inbox, 2)
    floor = (await store.changes(inbox, 0)).highest_modseq
    store._clock = clock
    await come_and_go(store, inbox, 1)
    store._clock = lambda: clock() + (forgetting.DAYS - 2) * DAY
    await store.sweep()
    assert (await store.changes(inbox, 1)).vanished == [1, 2, 3]
    store._clock = lambda: clock() + (forgetting.DAYS - 1) * DAY
    await store.sweep()
    changes = await store.changes(inbox, 1)
    assert (changes.vanished, changes.forgotten, await rows(parts)) == ([3], floor, (1, 1))


async def test_a_moved_message_is_an_expunge_too(parts: Any) -> None:
    store, inbox = parts.store, await inbox_of(parts.store)
    archive = next(folder.id for folder in await store.folders(BOX) if folder.name == "Archives")
    await store.append(inbox, [NewMessage(LETTER)] * 3)
    await store.store_flags(inbox, [1], FlagOp.ADD, DELETED)
    await store.move(inbox, [1, 2], archive)
    assert await rows(parts) == (2, 2)
    await store.rename(BOX, "INBOX", "Ancien")
    assert await rows(parts) == (3, 3)

"""Threads over the store's tables, on SQLite and PostgreSQL: order, counters, copies, folders that are no conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from citizen_inbox import conversations
from citizen_inbox.conversations import Listing
from mailserver.store.api import Flag, FlagOp, Flags
from tests.support.citizen import DOCTOR, PEER, Town, town


@pytest.fixture(params=["sqlite", "postgresql"])
async def here(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    async with town(tmp_path, url) as made:
        yield made


async def listing(here: Town, **more: bool) -> Listing:
    box = here.ids["jacqueline"]

    def read(conn: object) -> Listing:
        where = conversations.folders_of(conn, box)  # type: ignore[arg-type]
        return conversations.listed(conn, here.space.mailboxes.key(conn, box), where, **more)  # type: ignore[arg-type]

    return await here.db.read(read)


async def test_newest_first_with_counters(here: Town) -> None:
    await here.mail(here.letter(subject="Un"))
    await here.mail(here.letter(subject="Deux", sender=PEER, name="Dr Loin"), PEER)
    await here.mail(here.letter(subject="Re: Un", In_Reply_To="<m1@cabinet.example>"))
    found = await listing(here)
    assert found.total == 2
    assert [(one.head.subject, one.count, one.unread, one.attachment) for one in found.items] == [
        ("Re: Un", 2, 2, False),
        ("Deux", 1, 1, False),
    ]


async def test_two_professionals_are_never_one_conversation(here: Town) -> None:
    await here.mail(here.letter(subject="Un"))
    await here.mail(here.letter(subject="Re: Un", sender=PEER, In_Reply_To="<m1@cabinet.example>"), PEER)
    assert (await listing(here)).total == 2


async def test_copies_count_once_and_the_bin_is_no_conversation(here: Town) -> None:
    await here.mail(here.letter(subject="Un"))
    await here.mail(here.letter(subject="Deux"))
    store = here.space.store
    folders = {folder.name: folder.id for folder in await store.folders(here.ids["jacqueline"])}
    await store.copy(folders["INBOX"], [1], folders["Archives"])
    await store.move(folders["INBOX"], [2], folders["Corbeille"])
    found = await listing(here)
    assert [one.head.subject for one in found.items] == ["Un"]
    where = await here.db.read(conversations.folders_of, here.ids["jacqueline"])
    assert len(await here.db.read(conversations.thread, where, found.items[0].thread)) == 1


async def test_unread_only_and_the_number_beside_the_link(here: Town) -> None:
    await here.mail(here.letter(subject="Un"))
    await here.mail(here.letter(subject="Deux"))
    inbox = next(f for f in await here.space.store.folders(here.ids["jacqueline"]) if f.name == "INBOX")
    await here.space.store.store_flags(inbox.id, [2], FlagOp.ADD, Flags(Flag.SEEN))
    found = await listing(here, unread_only=True)
    assert (found.total, [one.head.subject for one in found.items]) == (1, ["Un"])
    assert await here.db.read(conversations.unread_conversations, here.ids["jacqueline"]) == 1
    assert await here.db.read(conversations.unread_conversations, here.ids["paul"]) == 0


async def test_a_neighbour_s_thread_is_empty(here: Town) -> None:
    await here.mail(here.letter(subject="Un"))
    number = (await listing(here)).items[0].thread
    for other in (here.ids["paul"], here.ids[DOCTOR]):
        where = await here.db.read(conversations.folders_of, other)
        assert await here.db.read(conversations.thread, where, number) == []

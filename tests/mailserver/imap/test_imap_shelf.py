"""Rendered pieces kept between FETCHes: bounded, forgotten with the mailbox, never older than the message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mailserver.imap.shelf import OVERHEAD, Place, Shelf
from mailserver.store.api import Flag, FlagOp, Flags, Front, NewMessage
from mailserver.store.memory import MemoryMailStore
from tests.mailserver.imap.player import BOX, connect, inbox_of, mail, new_store


def place(folder: int, what: str = "ENVELOPE", box: int = 1) -> Place:
    return Place(box, folder, what)


def some(*uids: int, size: int = 100) -> dict[int, bytes]:
    return {uid: bytes(size) for uid in uids}


def test_the_place_used_least_lately_makes_room() -> None:
    shelf = Shelf(room=4 * (100 + OVERHEAD))
    shelf.keep(place(1), some(1, 2))
    shelf.keep(place(2), some(1))
    shelf.pieces(place(1))
    shelf.keep(place(3), some(1, 2))
    assert [len(shelf.pieces(place(folder))) for folder in (1, 2, 3)] == [2, 0, 2]
    shelf.keep(place(3), some(3))
    assert [len(shelf.pieces(place(folder))) for folder in (1, 3)] == [0, 3]


def test_one_place_larger_than_the_room_keeps_what_it_has() -> None:
    shelf = Shelf(room=2 * (100 + OVERHEAD))
    shelf.keep(place(1), some(1, 2))
    shelf.keep(place(1), some(3))
    assert sorted(shelf.pieces(place(1))) == [1, 2]


def test_a_mailbox_is_forgotten_whole_and_alone() -> None:
    shelf = Shelf(room=1000)
    shelf.keep(place(1), some(1))
    shelf.keep(place(1, "BODY"), some(1))
    shelf.keep(place(2, box=2), some(1))
    shelf.forget(1)
    assert [len(shelf.pieces(one)) for one in (place(1), place(1, "BODY"), place(2, box=2))] == [0, 0, 1]
    assert shelf._held == 100 + OVERHEAD


class Counting(MemoryMailStore):
    """Notes which fronts of cards are read."""

    reads: list[list[int]]

    async def fronts(self, folder_id: int, uids: Sequence[int]) -> dict[int, Front]:
        self.reads.append(list(uids))
        await asyncio.sleep(0.01)
        return await super().fronts(folder_id, uids)


async def test_a_second_look_opens_no_card_but_of_new_messages_and_shows_the_flags_of_now() -> None:
    store = Counting()
    store.reads = []
    await store.open_box(BOX)
    inbox = await inbox_of(store)
    await store.append(inbox, [NewMessage(mail(n, f"n{n}", "x")) for n in range(1, 4)])
    connection = await connect(store, "selected")
    fetch = b"a FETCH 1:* (UID ENVELOPE BODYSTRUCTURE FLAGS)"
    first = await connection.ask(fetch)
    await store.store_flags(inbox, [2], FlagOp.ADD, Flags(Flag.FLAGGED))
    await store.append(inbox, [NewMessage(mail(4, "n4", "x"))])
    await connection.ask(b"n NOOP")
    second = await connection.ask(fetch)
    assert store.reads == [[1, 2, 3], [4]]
    assert second.count(b" FETCH (UID ") == 4
    assert first.splitlines()[1].replace(b"FLAGS ()", b"FLAGS (\\Flagged)") == second.splitlines()[1]
    await connection.close()


async def test_sessions_that_ask_at_the_same_time_open_each_card_once() -> None:
    store, shelf = Counting(), Shelf()
    store.reads = []
    await store.open_box(BOX)
    inbox = await inbox_of(store)
    await store.append(inbox, [NewMessage(mail(n, f"n{n}", "x")) for n in range(1, 4)])
    connections = [await connect(store, "selected") for _ in range(5)]
    for connection in connections:
        connection.session.context.shelf = shelf
    said = await asyncio.gather(*(connection.ask(b"a FETCH 1:* ENVELOPE") for connection in connections))
    assert len(set(said)) == 1
    assert store.reads == [[1, 2, 3]]
    for connection in connections:
        await connection.close()


async def test_a_field_name_is_never_a_format() -> None:
    connection = await connect(await new_store("three messages"), "selected")
    said = await connection.ask(
        b'a FETCH 1 (BODY.PEEK[HEADER.FIELDS ("%d" Subject)] BODY.PEEK[HEADER.FIELDS.NOT ("%s")])'
    )
    assert b'BODY[HEADER.FIELDS ("%d" Subject)] {' in said
    assert b"a OK" in said
    await connection.close()


async def test_what_no_mail_program_asks_is_not_kept() -> None:
    """Its name could be twenty times larger than what is kept of it."""
    connection = await connect(await new_store("three messages"), "selected")
    shelf = connection.session.context.shelf
    many = b" ".join([b"X-%d" % number for number in range(100)])
    assert b"a1 OK" in await connection.ask(b"a1 FETCH 1 BODY.PEEK[HEADER.FIELDS (%b)]" % many)
    assert len(shelf._places) == 0
    assert b"a2 OK" in await connection.ask(b"a2 FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]")
    assert len(shelf._places) == 1

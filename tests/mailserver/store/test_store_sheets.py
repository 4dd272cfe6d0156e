"""Sheets: a list of neighbours opens one row for 64 of them, and nothing of a message that went stays on one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from foundation.keys import Tampered
from mailserver.store import emptying, sealed
from mailserver.store.api import Flag, FlagOp, Flags, Front, NewMessage
from mailserver.store.reading import PAGE_BITS, WORTH, card_fronts
from mailserver.store.sheets import LONGEST
from mailserver.store.tables import cards, sheets

BOX = 1
PAGE = 1 << PAGE_BITS


def letter(number: int, subject: str = "Suivi") -> bytes:
    lines = [
        "From: <dr.a@x.example>",
        f"Subject: {subject} {number}",
        f"Message-ID: <{number}@x.example>",
        "",
        "Bonjour",
    ]
    return "\r\n".join([*lines, ""]).encode()


async def ids(parts: Any) -> dict[str, int]:
    return {folder.name: folder.id for folder in await parts.store.folders(BOX)}


async def filled(parts: Any, count: int, name: str = "INBOX") -> int:
    folder_id = (await ids(parts))[name]
    await parts.store.append(folder_id, [NewMessage(letter(number)) for number in range(1, count + 1)])
    await written(parts)
    return folder_id


async def written(parts: Any) -> None:
    """Sheets too, which are made behind the messages."""
    await parts.db.write(lambda _: None)


async def pages(parts: Any, folder_id: int) -> list[int]:
    """Of the sheets there are, once what was handed in is written."""
    await written(parts)
    query = select(sheets.c.page).where(sheets.c.folder_id == folder_id).order_by(sheets.c.page)
    found: list[int] = await parts.db.read(lambda conn: list(conn.execute(query).scalars()))
    return found


async def opened(parts: Any, folder_id: int, page: int, of: tuple[int, int] | None = None) -> dict[int, Front]:
    """What stands on a sheet; `of`: opened as if it were that one."""
    query = select(sheets.c.sealed).where(sheets.c.folder_id == folder_id, sheets.c.page == page)
    octets = bytes(await parts.db.read(lambda conn: conn.execute(query).scalar_one()))
    context = sealed.sheet_context(*(of or (folder_id, page)))
    return dict(sealed.unpack_sheet(parts.boxes.key(None, BOX).open(octets, context)))


async def from_cards(parts: Any, folder_id: int, uids: Sequence[int]) -> dict[int, Front]:
    key = parts.boxes.key
    found: list[tuple[int, Front]] = await parts.db.read(
        lambda conn: card_fronts(conn, key(conn, BOX), folder_id, uids)
    )
    return dict(found)


async def expunge(parts: Any, folder_id: int, uids: list[int]) -> None:
    await parts.store.store_flags(folder_id, uids, FlagOp.ADD, Flags(Flag.DELETED))
    assert await parts.store.expunge(folder_id) == uids


async def test_a_list_opens_a_row_for_64_messages_and_says_what_their_cards_say(parts: Any) -> None:
    inbox = await filled(parts, 2 * PAGE + 5)
    assert await pages(parts, inbox) == [0, 1]
    everything = range(1, 2 * PAGE + 6)
    expected = await from_cards(parts, inbox, everything)
    assert await parts.store.fronts(inbox, everything) == expected
    await parts.db.write(lambda tx: tx.execute(delete(cards)))
    assert list(await parts.store.fronts(inbox, everything)) == list(range(1, 2 * PAGE))
    scattered = [uid for uid in everything if uid % 2]
    assert await parts.store.fronts(inbox, scattered) == {uid: expected[uid] for uid in scattered if uid < 2 * PAGE}


async def test_few_messages_of_a_page_are_read_from_their_cards(parts: Any) -> None:
    inbox = await filled(parts, PAGE)
    await parts.db.write(lambda tx: tx.execute(delete(cards)))
    assert await parts.store.fronts(inbox, range(1, WORTH)) == {}
    assert len(await parts.store.fronts(inbox, range(1, WORTH + 1))) == WORTH


async def test_a_neighbour_on_the_sheet_does_not_stand_for_one_that_is_gone(parts: Any) -> None:
    inbox = await filled(parts, PAGE - 1)
    asked = [*range(1, WORTH + 1), *range(1000, 1000 + PAGE - 1 - WORTH)]  # as many as the sheet has
    assert list(await parts.store.fronts(inbox, asked)) == list(range(1, WORTH + 1))


async def test_messages_that_come_one_by_one_are_bound_when_their_page_is_full(parts: Any) -> None:
    inbox = await filled(parts, PAGE - 2)
    assert await pages(parts, inbox) == []
    await parts.store.append(inbox, [NewMessage(letter(PAGE))])
    assert await pages(parts, inbox) == [0]
    assert list(await opened(parts, inbox, 0)) == list(range(1, PAGE))


async def test_a_list_binds_what_it_misses_and_only_full_pages(parts: Any) -> None:
    folder, inbox = await ids(parts), await filled(parts, 2 * PAGE)
    await parts.store.move(inbox, list(range(1, 2 * PAGE - 9)), folder["Archives"])
    assert (await pages(parts, inbox), await pages(parts, folder["Archives"])) == ([], [])
    here = range(1, 2 * PAGE)
    assert len(await parts.store.fronts(folder["Archives"], here)) == 2 * PAGE - 10
    assert await pages(parts, folder["Archives"]) == [0]
    assert await parts.store.fronts(folder["Archives"], here) == await from_cards(parts, folder["Archives"], here)


async def test_nothing_of_an_expunged_message_stays_on_a_sheet(parts: Any) -> None:
    inbox = await filled(parts, 3 * PAGE)
    await expunge(parts, inbox, [3, PAGE, PAGE + 1])
    assert await pages(parts, inbox) == [2]
    left = await parts.store.fronts(inbox, range(1, 3 * PAGE + 1))
    assert list(left) == sorted({*range(1, 3 * PAGE + 1)} - {3, PAGE, PAGE + 1})
    assert await pages(parts, inbox) == [0, 1, 2]
    assert list(await opened(parts, inbox, 0)) == sorted({*range(1, PAGE)} - {3})


async def test_scattered_messages_take_each_their_sheet_along(parts: Any) -> None:
    inbox = await filled(parts, 12 * PAGE)
    await expunge(parts, inbox, [uid for page in range(10) for uid in (page * PAGE + 2, page * PAGE + 9)])
    assert await pages(parts, inbox) == [10, 11]


async def test_sheets_go_with_the_folder_and_with_an_erased_mailbox(parts: Any) -> None:
    inbox = await filled(parts, PAGE)
    await parts.store.create(BOX, "Bloc")
    other = await filled(parts, PAGE, "Bloc")
    assert (await pages(parts, inbox), await pages(parts, other)) == ([0], [0])
    await parts.store.delete(BOX, "Bloc")
    assert (await pages(parts, inbox), await pages(parts, other)) == ([0], [])
    while await parts.db.write(emptying.empty, BOX, 0):
        pass
    assert await pages(parts, inbox) == []


async def test_a_sheet_is_sealed_and_stands_for_its_own_page(parts: Any) -> None:
    inbox = await filled(parts, 2 * PAGE)
    octets = await parts.db.read(lambda conn: b"".join(map(bytes, conn.execute(select(sheets.c.sealed)).scalars())))
    assert b"Suivi" not in octets
    assert b"dr.a" not in octets
    with pytest.raises(Tampered):
        await opened(parts, inbox, 0, of=(inbox, 1))
    with pytest.raises(Tampered):
        await opened(parts, inbox, 0, of=(inbox + 1, 0))


async def test_a_sheet_that_does_not_open_is_made_anew_from_the_cards(parts: Any) -> None:
    inbox = await filled(parts, 2 * PAGE)
    everything = range(1, 2 * PAGE + 1)
    expected = await from_cards(parts, inbox, everything)
    for broken in (b"x" * 64, parts.boxes.key(None, BOX).seal(b"\x09later", sealed.sheet_context(inbox, 1))):
        await parts.db.write(lambda tx, broken=broken: tx.execute(update(sheets).values(sealed=broken)))
        assert await parts.store.fronts(inbox, everything) == expected
        assert await pages(parts, inbox) == [0, 1]
        assert list(await opened(parts, inbox, 1)) == list(range(PAGE, 2 * PAGE))


async def test_a_card_that_nobody_can_read_keeps_no_mail_out(parts: Any) -> None:
    inbox = await filled(parts, PAGE - 2)
    await parts.db.write(lambda tx: tx.execute(update(cards).where(cards.c.blob_id == 1).values(front=b"x" * 64)))
    assert await parts.store.append(inbox, [NewMessage(letter(PAGE))]) == [PAGE - 1]
    assert await pages(parts, inbox) == []


async def test_a_long_front_stays_on_its_card(parts: Any) -> None:
    inbox = (await ids(parts))["INBOX"]
    some = [NewMessage(letter(number)) for number in range(2, PAGE)]
    await parts.store.append(inbox, [NewMessage(letter(1, "x" * LONGEST)), *some])
    await written(parts)
    assert list(await opened(parts, inbox, 0)) == list(range(2, PAGE))
    everything = range(1, PAGE)
    assert await parts.store.fronts(inbox, everything) == await from_cards(parts, inbox, everything)


FRONTS = st.builds(Front, st.binary(max_size=40), st.binary(max_size=40))


@given(st.dictionaries(st.integers(1, (1 << 32) - 1), FRONTS, max_size=PAGE))
def test_a_sheet_gives_back_what_was_put_on_it(fronts: dict[int, Front]) -> None:
    assert dict(sealed.unpack_sheet(sealed.pack_sheet(list(fronts.items())))) == fronts


def test_a_sheet_of_a_later_version_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="version 9"):
        sealed.unpack_sheet(b"\x09" + sealed.pack_sheet([(1, Front(b"a", b"b"))])[1:])

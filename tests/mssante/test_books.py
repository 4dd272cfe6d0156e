"""The address book as it was told: whoever comes with a state that is known is told exactly what makes it today's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from foundation.clock import DAY
from mssante import books
from mssante.books import MOST_GONE, REMEMBERED, Book, brought_up
from mssante.tables import books as rows

ADDRESSES = ("anne@a.example", "paul@a.example", "zoe@a.example")
STATES = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(ADDRESSES), st.sampled_from("12")), st.integers(-2, 60)), max_size=12
)


@given(STATES)
def test_differences_add_up(history: list[tuple[dict[str, str], int]]) -> None:
    """Whatever comes, changes, goes and comes again, and even when the clock is set back."""
    book, now, told = Book(), 1_000 * DAY, list[tuple[int, dict[str, str]]]()
    for marks, days in history:
        now += days * DAY
        if not book.changed or not book.says(marks):
            book = brought_up(book, marks, now)
        told.append((book.changed, marks))
        assert book.says(marks)
        for state, before in told:
            if not book.knows(state):
                assert book.changed - state >= REMEMBERED
                continue
            came, went = book.since(state)
            after = {address: mark for address, mark in before.items() if address not in went}
            assert after | {address: marks[address] for address in came} == marks
        assert book.since(0) == (frozenset(marks), frozenset())


def test_what_went_is_not_remembered_for_ever() -> None:
    full = {f"a{number}@a.example": "1" for number in range(MOST_GONE + 10)}
    book = brought_up(Book(), full, 1_000)
    first = book.changed
    book = brought_up(book, {}, 2_000)
    assert (len(book.gone), book.knows(first), book.knows(book.changed)) == (MOST_GONE, False, True)
    book = brought_up(book, {"b@a.example": "1"}, 2_000 + REMEMBERED)
    assert (book.gone, book.known_since) == ({}, 2_000)


@pytest.mark.parametrize("state", [0, -1, 999, 1_001, 1 << 80])
def test_a_state_that_never_was(state: int) -> None:
    assert not brought_up(Book(), {}, 1_000).knows(state)


async def test_it_is_kept_sealed_and_goes_with_the_mailbox(space: Any) -> None:
    box = await space.box("dr@a.example")
    marks = {"anne@a.example": "1"}
    book = await space.db.write(books.bring_up, space.boxes, box.id, 7, marks, 1_000)
    assert await space.db.write(books.bring_up, space.boxes, box.id, 7, marks, 2_000) == book
    assert await space.db.read(books.kept, space.boxes, box.id, 7) == book
    assert await space.db.read(books.kept, space.boxes, box.id, 8) == Book()
    gone = await space.db.write(books.bring_up, space.boxes, box.id, 7, {}, 3_000)
    assert gone.gone == {"anne@a.example": 3_000}
    [sealed] = await space.db.read(lambda conn: conn.execute(select(rows.c.sealed)).scalars().all())
    assert b"anne" not in sealed
    await space.db.write(space.boxes.destroy, box.id, 4_000)
    assert await space.db.read(lambda conn: conn.execute(select(rows)).all()) == []

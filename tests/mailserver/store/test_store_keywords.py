"""A folder has so many keywords and no more (RFC 5530, LIMIT), whoever writes at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from mailserver.store import flags as flag_rules
from mailserver.store.api import Flag, FlagOp, Flags, MailStore, NewMessage, StoreError
from mailserver.store.keywords import USED
from tests.mailserver.store.conftest import BOX, SqlParts, sql_parts

MOST = 4


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flag_rules, "KEYWORDS_PER_FOLDER", MOST)


def of(*words: str) -> Flags:
    return Flags(Flag(0), frozenset(words))


def letter(*words: str) -> NewMessage:
    return NewMessage(b"Subject: x\r\n\r\ny\r\n", of(*words))


async def folder(store: MailStore, name: str = "INBOX") -> int:
    return next(one.id for one in await store.folders(BOX) if one.name == name)


async def used(store: Any, folder_id: int) -> set[str]:
    rows = (await store.rows(folder_id))[1]
    return {word.lower() for row in rows for word in row.flags.keywords}


async def answers(calls: Iterable[Any]) -> list[str]:
    """The codes of all that ran at once, "" for what was done."""
    said = await asyncio.gather(*calls, return_exceptions=True)
    for one in said:
        if isinstance(one, BaseException) and not isinstance(one, StoreError):
            raise one
    return [one.code if isinstance(one, StoreError) else "" for one in said]


@pytest.mark.parametrize("op", [FlagOp.ADD, FlagOp.SET, FlagOp.SET_OTHERS])
async def test_two_sessions_at_once_are_not_both_the_last(store: Any, op: FlagOp) -> None:
    inbox = await folder(store)
    await store.append(inbox, [letter("a", "b", "c"), letter(), letter()])
    said = await answers(store.store_flags(inbox, [uid], op, of(f"new{uid}")) for uid in (2, 3))
    assert sorted(said) == ["", "LIMIT"]
    assert len(await used(store, inbox)) == MOST


async def test_two_processes_at_once_are_not_both_the_last(parts: SqlParts) -> None:
    other = await sql_parts(parts.db.url.render_as_string(hide_password=False), parts.folder)
    inbox = await folder(parts.store)
    await parts.store.append(inbox, [letter("a", "b"), *[letter() for _ in range(10)]])
    calls = [
        one.store.store_flags(inbox, [uid], FlagOp.ADD, of(f"{name}{uid}"))
        for uid in range(2, 12)
        for name, one in (("x", parts), ("y", other))
    ]
    said = await answers(calls)
    await other.db.close()
    assert sorted(said) == [""] * 2 + ["LIMIT"] * 18
    assert len(await used(parts.store, inbox)) == MOST


async def test_what_a_message_brings_counts(store: Any) -> None:
    inbox, archive = await folder(store), await folder(store, "Archives")
    await store.append(inbox, [letter("d", "e"), letter("A", "B"), letter()])
    await store.append(archive, [letter("a", "b"), letter("c")])
    said = await answers([store.copy(inbox, [1], archive)])
    said += await answers([store.move(inbox, [1, 2], archive)])
    said += await answers([store.append(archive, [letter("d"), letter("e")])])
    said += await answers([store.replace(archive, 2, archive, letter("d", "e", "f"))])
    assert said == ["LIMIT"] * 4
    assert [len((await store.rows(one))[1]) for one in (inbox, archive)] == [3, 2]
    said = await answers([store.move(inbox, [2, 3], archive), store.append(archive, [letter("d")])])
    assert said == ["", ""]
    assert await used(store, archive) == {"a", "b", "c", "d"}


async def test_what_goes_makes_room_in_the_same_command(store: Any) -> None:
    inbox = await folder(store)
    await store.append(inbox, [letter("a", "b"), letter("c", "d")])
    said = await answers([store.store_flags(inbox, [1], FlagOp.SET, of("e", "f"))])
    said += await answers([store.replace(inbox, 1, inbox, letter("g", "h"))])
    said += await answers([store.store_flags(inbox, [2], FlagOp.ADD, of("i"))])
    said += await answers([store.store_flags(inbox, [2], FlagOp.REMOVE, of("c"))])
    assert said == ["", "", "LIMIT", ""]
    assert await used(store, inbox) == {"d", "g", "h"}


async def test_combinations_are_bounded_too(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a few words there are thousands: each step of the question takes its time, and all who write wait for the answer."""
    monkeypatch.setattr(flag_rules, "SETS_PER_FOLDER", 3)
    inbox = await folder(store)
    await store.append(inbox, [letter("a"), letter("b"), letter("a", "b"), letter(), letter()])
    said = await answers([store.store_flags(inbox, [4], FlagOp.ADD, of("b", "a"))])
    said += await answers([store.store_flags(inbox, [5], FlagOp.ADD, of("c"))])
    said += await answers([store.store_flags(inbox, [1], FlagOp.SET, of("c"))])
    assert said == ["", "LIMIT", ""]


async def test_the_question_does_not_grow_with_the_folder(parts: SqlParts) -> None:
    """It goes from one set of keywords to the next by their index; those that differ by case only are one keyword."""
    inbox = await folder(parts.store)
    many = [letter("NonJunk") for _ in range(50)]
    await parts.store.append(inbox, [letter("Junk"), *many, letter("nonjunk"), letter("a"), letter()])
    await parts.store.store_flags(inbox, [54], FlagOp.ADD, of("third"))
    assert await used(parts.store, inbox) == {"junk", "nonjunk", "a", "third"}
    if parts.db.dialect == "sqlite":
        question = USED.params(folder=inbox, most=9).compile(
            dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
        )
        plan = await parts.db.read(lambda conn: conn.execute(text(f"EXPLAIN QUERY PLAN {question}")).all())
        steps = [row[-1] for row in plan if " messages" in row[-1]]
        assert steps
        assert all("USING COVERING INDEX messages_keywords (folder_id=?" in step for step in steps)

"""Whom a mailbox writes with: of its own letters, of folders that the member may read."""

from __future__ import annotations

from typing import Any

import pytest

from mailserver import correspondents as module
from mailserver.correspondents import correspondents
from mailserver.sign_in import SignedIn
from mailserver.store.api import MailStore, NewMessage
from mailserver.store.memory import MemoryMailStore
from mssante.rights import Role

BOX, OTHER = 1, 2
ME = SignedIn(BOX, "cardio@a.example", member=1)


def letter(**fields: str) -> bytes:
    head = "".join(f"{name.strip('_').title()}: {value}\r\n" for name, value in fields.items())
    return f"{head}Subject: écrire à perdu@a.example\r\n\r\nÀ texte@a.example\r\n".encode()


@pytest.fixture
async def store() -> Any:
    made = MemoryMailStore(limit=1_000_000, clock=lambda: 1_800_000_000)
    for box in (BOX, OTHER):
        await made.open_box(box, professional=True)
    return made


async def folder(store: MailStore, box: int, name: str) -> int:
    return next(one.id for one in await store.folders(box) if one.name == name)


async def put(store: MailStore, name: str, date: int, *, box: int = BOX, **fields: str) -> None:
    await store.append(await folder(store, box, name), [NewMessage(letter(**fields), internal_date=date)])


async def test_the_latest_first_each_once_and_not_oneself(store: Any) -> None:
    await put(store, "INBOX", 10, from_="Anne <Anne@A.example>", to="cardio@a.example")
    await put(store, "Envoyés", 30, to='"Roche, Camille" <camille@b.example>, cardio@a.example', cc="x@c.example")
    await put(store, "INBOX", 40, from_="camille@b.example", to="other@a.example")
    await put(store, "Envoyés", 20, from_="cardio@a.example", to="=?utf-8?q?Zo=C3=A9?= <zoe@d.example>")
    await put(store, "INBOX", 50, box=OTHER, from_="secret@e.example", to="other@a.example")
    assert await correspondents(store, ME) == ["camille@b.example", "x@c.example", "zoe@d.example", "anne@a.example"]


async def test_of_a_folder_that_a_member_may_not_read_nothing_is_told(store: Any) -> None:
    await put(store, "INBOX", 10, from_="anne@a.example")
    await put(store, "Envoyés", 20, to="camille@b.example")
    await store.set_rights(BOX, await folder(store, BOX, "Envoyés"), 7, frozenset(), 1)
    member = SignedIn(BOX, "cardio@a.example", member=7, role=Role.MEMBER, team=True)
    assert await correspondents(store, member) == ["anne@a.example"]
    assert len(await correspondents(store, ME)) == 2


async def test_only_the_latest_letters_are_looked_at(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATEST", 3)
    for number in range(10):
        await put(store, "INBOX", number, from_=f"p{number}@a.example")
    assert await correspondents(store, ME) == ["p9@a.example", "p8@a.example", "p7@a.example"]

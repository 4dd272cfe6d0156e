"""What a team sees of its own work: who answered, and one copy of what was sent."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from foundation.keys import Key, Tampered
from mailserver.store import names, team
from mailserver.store.api import Answer, Flag, Flags, NewMessage
from mailserver.store.tables import answers, filed_copies
from tests.mailserver.store.conftest import BOX, OTHER_BOX, SqlParts, clock
from tests.mailserver.store.test_store_carrying import letter, place

AWA, LUC = 12, 13


async def test_who_marked_many(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "CARRIED", 7)
    inbox = next(folder.id for folder in await store.folders(BOX) if folder.name == "INBOX")
    uids = await store.append(inbox, [NewMessage(b"Message-ID: <%d@x>\r\n\r\nx" % n) for n in range(30)])
    await store.answered(inbox, uids, AWA, "Dr Awa Diallo")
    found = await store.answers(inbox, uids)
    assert {uid: [one.actor for one in given] for uid, given in found.items()} == {
        uid: ["Dr Awa Diallo"] for uid in uids
    }


async def test_who_marked_a_message_as_answered_and_when(store: Any) -> None:
    inbox, archives = await place(store, BOX), await place(store, BOX, "Archives")
    await store.append(
        inbox, [NewMessage(letter(1)), NewMessage(letter(2)), NewMessage(b"Subject: x\r\n\r\nno name\r\n")]
    )
    await store.answered(inbox, [1, 3, 9], AWA, "Dr Awa Diallo")
    await store.answered(inbox, [1], LUC, "Luc")
    await store.answered(inbox, [1], AWA, "another name, later")
    awa, luc = Answer(AWA, "Dr Awa Diallo", clock()), Answer(LUC, "Luc", clock())
    assert await store.answers(inbox, [1, 2, 3, 9]) == {1: (awa, luc)}
    await store.move(inbox, [1], archives)
    assert await store.answers(archives, [1]) == {1: (awa, luc)}, "wherever it lies"


async def test_an_answer_is_of_its_mailbox(store: Any) -> None:
    inbox, other = await place(store, BOX), await place(store, OTHER_BOX)
    for folder in (inbox, other):
        await store.append(folder, [NewMessage(letter(1))])
    await store.answered(inbox, [1], AWA, "Dr Awa Diallo")
    assert await store.answers(other, [1]) == {}


async def test_an_answer_sent_is_the_later_word(parts: SqlParts) -> None:
    inbox = await place(parts.store, BOX)
    await parts.store.append(inbox, [NewMessage(letter(1))])
    await parts.store.answered(inbox, [1], AWA, "Awa")
    later = Answer(AWA, "Dr Awa Diallo", clock() + 60_000)
    await parts.db.write(parts.store.answered_in, BOX, "<1@space.example>", later)
    await parts.db.write(parts.store.answered_in, BOX, "<nobody@space.example>", later)
    assert await parts.store.answers(inbox, [1]) == {1: (later,)}
    with parts.db.engine.begin() as conn:
        [row] = conn.execute(select(answers)).all()
    assert b"Awa" not in bytes(row.sealed_actor)
    with pytest.raises(Tampered):
        Key(OTHER_BOX.to_bytes(32, "big")).open(row.sealed_actor, b"answer %d " % AWA + row.message_key)


# ---------------------------------------------------------------- one copy of what was sent
async def filed(parts: SqlParts, number: int = 1) -> tuple[int, int]:
    """A copy in « Envoyés » that a submission filed: (folder, UID)."""
    sent = await place(parts.store, BOX, "Envoyés")
    [uid] = await parts.store.append(sent, [NewMessage(letter(number), Flags(Flag.SEEN))])
    name = parts.keys.lookup("message-id", f"<{number}@space.example>")
    await parts.db.write(team.expect_copy, BOX, name, sent, uid, clock())
    return sent, uid


async def test_the_client_s_own_copy_is_the_one_that_lies_there_once(parts: SqlParts) -> None:
    sent, uid = await filed(parts)
    assert await parts.store.append(sent, [NewMessage(letter(1) + b"x" * 100_000)], team=True) == [uid]
    assert not [path for path in (parts.folder / "blobs").rglob("*") if path.is_file()], "its octets are not kept"
    assert await parts.store.append(sent, [NewMessage(letter(1))], team=True) == [uid + 1], "asked again, it is a copy"
    with parts.db.engine.begin() as conn:
        assert conn.execute(select(filed_copies)).all() == []


async def test_elsewhere_or_once_it_is_gone_or_signed_in_otherwise_a_copy_is_a_copy(parts: SqlParts) -> None:
    sent, uid = await filed(parts)
    archives = await place(parts.store, BOX, "Archives")
    assert await parts.store.append(archives, [NewMessage(letter(1))], team=True) == [1]
    assert await parts.store.append(sent, [NewMessage(letter(2))], team=True) == [uid + 1]
    assert await parts.store.append(sent, [NewMessage(letter(1))]) == [uid + 2]
    await parts.store.move(sent, [uid], archives)
    assert await parts.store.append(sent, [NewMessage(letter(1))], team=True) == [uid + 3]


async def test_nobody_waits_for_a_client_for_ever(parts: SqlParts) -> None:
    await filed(parts)
    name = parts.keys.lookup("message-id", "<2@space.example>")
    await parts.db.write(team.expect_copy, BOX, name, 1, 1, clock() + team.EXPECTED + 1)
    with parts.db.engine.begin() as conn:
        assert [bytes(row.message_key) for row in conn.execute(select(filed_copies))] == [name]

"""COPY, MOVE and REPLACE to another mailbox: under the other key, on the other's quota; on every store."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from foundation.audit import Audit
from foundation.keys import Key, Tampered
from foundation.tables import audit
from mailserver.store import names
from mailserver.store.api import Flag, Flags, MailStore, NewMessage, StoreError
from mailserver.store.sealed import front_context, texts_context
from mailserver.store.sql import SqlMailStore
from mailserver.store.tables import cards, messages
from tests.mailserver.store.conftest import BOX, OTHER_BOX, QUOTA, SqlParts

BY = 12
MARKED = Flags(Flag.SEEN | Flag.DELETED, frozenset(("$Urgent",)))


def letter(number: int, answers: int | None = None) -> bytes:
    answer = f"In-Reply-To: <{answers}@space.example>\r\n" if answers else ""
    return (
        f"From: Dr A <a@space.example>\r\nTo: box1@space.example\r\nSubject: Lettre {number}\r\n"
        f"Message-ID: <{number}@space.example>\r\n{answer}\r\nÉchographie {number}\r\n"
    ).encode()


async def place(store: MailStore, box: int, name: str = "INBOX") -> int:
    return next(folder.id for folder in await store.folders(box) if folder.name == name)


async def filled(store: Any, count: int = 3) -> tuple[int, int]:
    """(INBOX, INBOX of the other box)."""
    inbox = await place(store, BOX)
    await store.append(inbox, [NewMessage(letter(n), MARKED, 1000 + n) for n in range(1, count + 1)])
    return inbox, await place(store, OTHER_BOX)


@pytest.mark.parametrize("leave", [True, False], ids=["copy", "move"])
async def test_messages_arrive_whole(store: Any, leave: bool) -> None:
    source, target = await filled(store)
    await store.append(target, [NewMessage(letter(9))])
    before = await store.quota(BOX)
    result = await store.carry(source, [1, 3, 7], target, BY, leave)
    assert (result.source, result.target) == ([1, 3], [2, 3])
    _, rows = await store.rows(target)
    assert [(row.flags, row.internal_date) for row in rows[1:]] == [(MARKED, 1001), (MARKED, 1003)]
    assert [(uid, content) for uid, content in await store.octets(target, [2, 3])] == [(2, letter(1)), (3, letter(3))]
    assert [(uid, card.header) async for uid, card in store.cards(target, [3])] == [
        (3, letter(3).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    ]
    assert [(uid, "échographie 3" in body) async for uid, _, body in store.texts(target, [2, 3])] == [
        (2, False),
        (3, True),
    ]
    assert (await store.status(target)).unseen == 1
    assert (await store.quota(OTHER_BOX))[0] == sum(len(letter(n)) for n in (9, 1, 3))
    left = [row.uid for row in (await store.rows(source))[1]]
    assert left == ([1, 2, 3] if leave else [2])
    assert (await store.quota(BOX))[0] == (before[0] if leave else len(letter(2)))
    assert (await store.changes(source, 2)).vanished == ([] if leave else [1, 3])
    assert [content for _, content in await store.octets(source, left)] == [letter(n) for n in left]


async def test_the_message_is_the_same_and_its_thread_the_mailbox_s_own(store: Any) -> None:
    source, target = await filled(store, 2)
    await store.append(source, [NewMessage(letter(3, answers=1))])
    await store.carry(source, [1, 3], target, BY, leave=True)
    mine, theirs = await store.origins(source, [1, 3]), await store.origins(target, [1, 2])
    assert [origin.email for _, origin in mine] == [origin.email for _, origin in theirs]
    assert len({origin.thread for _, origin in theirs}) == 1
    await store.carry(source, [1], target, BY, leave=True)
    assert (await store.origins(target, [3]))[0][1].thread == theirs[0][1].thread


async def test_deleted_stays_behind_where_it_may_not_be_set(store: Any) -> None:
    source, target = await filled(store, 1)
    await store.carry(source, [1], target, BY, leave=True, undeleted=True)
    status, rows = await store.rows(target)
    assert (rows[0].flags, status.deleted) == (Flags(Flag.SEEN, MARKED.keywords), 0)


async def test_what_does_not_fit_stays_whole_where_it_is(store: Any) -> None:
    source, target = await filled(store)
    await store.append(target, [NewMessage(b"Subject: x\r\n\r\n" + b"x" * (QUOTA - len(letter(1)) - 40))])
    used = await store.quota(OTHER_BOX)
    with pytest.raises(StoreError) as refused:
        await store.carry(source, [1, 2], target, BY, leave=False)
    assert refused.value.code == "OVERQUOTA"
    assert [row.uid for row in (await store.rows(source))[1]] == [1, 2, 3]
    assert (await store.status(target)).messages == 1
    assert await store.quota(OTHER_BOX) == used


@pytest.mark.parametrize("leave", [True, False], ids=["copy", "move"])
async def test_any_number_some_at_a_time(store: Any, leave: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "CARRIED", 2)
    source, target = await filled(store, 5)
    result = await store.carry(source, [1, 2, 3, 4, 5, 9], target, BY, leave)
    assert (result.source, result.target, result.fault) == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], None)
    assert [content for _, content in await store.octets(target, [1, 2, 3, 4, 5])] == [letter(n) for n in range(1, 6)]
    assert (await store.status(source)).messages == (5 if leave else 0)


async def test_room_is_looked_for_before_the_first(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """For all of them: a COPY or MOVE that cannot fit does nothing."""
    monkeypatch.setattr(names, "CARRIED", 1)
    source, target = await filled(store)
    await store.append(target, [NewMessage(b"Subject: x\r\n\r\n" + b"x" * (QUOTA - 2 * len(letter(1)) - 40))])
    for leave in (True, False):
        with pytest.raises(StoreError) as refused:
            await store.carry(source, [1, 2, 3], target, BY, leave)
        assert refused.value.code == "OVERQUOTA"
        assert [row.uid for row in (await store.rows(target))[1]] == [1]
    assert (await store.status(source)).messages == 3


class Interrupted:
    """The folder that is carried to is deleted by somebody else, or the mailbox fills, after the first piece."""

    def __init__(self, parts: SqlParts, code: str) -> None:
        self._real, self._code, self.pieces = parts.store._carry, code, 0

    def __call__(self, *given: Any) -> Any:
        self.pieces += 1
        if self.pieces == 3:
            raise StoreError(self._code, "meanwhile")
        return self._real(*given)


async def test_a_copy_that_cannot_be_ended_takes_back_what_it_made(
    parts: SqlParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9051 6.4.7: the target is as before."""
    monkeypatch.setattr(names, "CARRIED", 1)
    await parts.store.open_box(OTHER_BOX)
    source, target = await filled(parts.store)
    await parts.store.append(target, [NewMessage(letter(9))])
    used = await parts.store.quota(OTHER_BOX)
    monkeypatch.setattr(parts.store, "_carry", Interrupted(parts, "OVERQUOTA"))
    with pytest.raises(StoreError) as refused:
        await parts.store.carry(source, [1, 2, 3], target, BY, leave=True)
    assert refused.value.code == "OVERQUOTA"
    assert [row.uid for row in (await parts.store.rows(target))[1]] == [1]
    assert await parts.store.quota(OTHER_BOX) == used
    assert (await parts.store.changes(target, 2)).vanished == [2, 3]


async def test_a_move_that_cannot_be_ended_leaves_each_message_in_one_place(
    parts: SqlParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 6851 3.3."""
    monkeypatch.setattr(names, "CARRIED", 1)
    await parts.store.open_box(OTHER_BOX)
    source, target = await filled(parts.store)
    monkeypatch.setattr(parts.store, "_carry", Interrupted(parts, "OVERQUOTA"))
    result = await parts.store.carry(source, [1, 2, 3], target, BY, leave=False)
    assert (result.source, result.target) == ([1, 2], [1, 2])
    assert result.fault is not None
    assert [row.uid for row in (await parts.store.rows(source))[1]] == [3]


# ---------------------------------------------------------------- REPLACE
async def test_a_message_is_replaced_by_one_in_another_mailbox(store: Any) -> None:
    """Both ways: the lower number first, and the higher."""
    source, target = await filled(store)
    assert await store.replace(source, 2, target, NewMessage(letter(7), MARKED, 1007), BY) == 1
    assert await store.replace(target, 1, source, NewMessage(letter(8)), BY) == 4
    assert [content for _, content in await store.octets(source, [1, 2, 3, 4])] == [letter(n) for n in (1, 3, 8)]
    assert (await store.status(target)).messages == 0
    assert (await store.quota(BOX))[0] == sum(len(letter(n)) for n in (1, 3, 8))
    assert (await store.quota(OTHER_BOX))[0] == 0


async def test_what_cannot_be_put_there_replaces_nothing(store: Any) -> None:
    source, target = await filled(store)
    await store.append(target, [NewMessage(b"Subject: x\r\n\r\n" + b"x" * (QUOTA - 40))])
    for uid, code in ((2, "OVERQUOTA"), (7, "EXPUNGEISSUED")):
        with pytest.raises(StoreError) as refused:
            await store.replace(source, uid, target, NewMessage(letter(7)), BY)
        assert refused.value.code == code
    assert [row.uid for row in (await store.rows(source))[1]] == [1, 2, 3]
    assert (await store.status(target)).messages == 1


async def test_nobody_there_nothing_done(store: Any) -> None:
    source, target = await filled(store)
    assert (await store.carry(source, [7], target, BY, leave=False)).source == []
    with pytest.raises(StoreError) as refused:
        await store.carry(source, [1], 999, BY, leave=True)
    assert refused.value.code == "NONEXISTENT"


async def test_copy_and_move_themselves_never_leave_the_mailbox(store: Any) -> None:
    source, target = await filled(store)
    for act in (store.copy, store.move):
        with pytest.raises(StoreError) as refused:
            await act(source, [1], target)
        assert refused.value.code == "NOPERM"


# ---------------------------------------------------------------- what lies on the disk
async def test_each_card_is_under_its_mailbox_s_key_and_a_move_leaves_none(parts: SqlParts) -> None:
    await parts.store.open_box(OTHER_BOX)
    source, target = await filled(parts.store)
    await parts.store.carry(source, [1, 2], target, BY, leave=False)

    with parts.db.engine.begin() as conn:
        for row in conn.execute(select(cards)):
            key, other = (Key(box.to_bytes(32, "big")) for box in (row.box_id, 3 - row.box_id))
            for sealed, context in ((row.front, front_context), (row.texts, texts_context)):
                key.open(sealed, context(row.blob_id))
                with pytest.raises(Tampered):
                    other.open(sealed, context(row.blob_id))
        here = {box: conn.execute(select(cards.c.blob_id).where(cards.c.box_id == box)).all() for box in (1, 2)}
        assert (len(here[BOX]), len(here[OTHER_BOX])) == (1, 2)


async def test_no_exchange_goes_along(parts: SqlParts) -> None:
    """An exchange is a mailbox's own: who moves a copy to « Conversations closes » closes none of another's."""
    await parts.store.open_box(OTHER_BOX, professional=True)
    source, target = await filled(parts.store)
    with parts.db.engine.begin() as conn:
        conn.execute(messages.update().values(exchange_id=77))
    await parts.store.carry(source, [1], target, BY, leave=True)
    closed = await place(parts.store, OTHER_BOX, names.CLOSED)
    await parts.store.move(target, [1], closed, "Awa")
    await parts.store.carry(source, [2], closed, BY, leave=True)
    assert parts.closed == []


async def test_each_crossing_is_in_the_audit_trail(parts: SqlParts) -> None:
    trail = Audit()
    store = SqlMailStore(parts.db, parts.keys, parts.blobs, parts.boxes, audit=trail)
    await store.open_box(OTHER_BOX)
    source, target = await filled(store)
    await store.carry(source, [1, 2], target, BY, leave=False)
    await store.replace(source, 3, target, NewMessage(letter(7)), BY)
    with parts.db.engine.begin() as conn:
        rows = conn.execute(select(audit.c.event, audit.c.actor, audit.c.details)).all()
    assert [(row.event, row.actor) for row in rows] == [("message:mailbox:carry", f"credential {BY}")] * 2
    assert '"messages":2' in rows[0].details.replace(" ", "")


async def test_blobs_that_two_mailboxes_hold_stay_until_the_last_lets_go(parts: SqlParts) -> None:
    await parts.store.open_box(OTHER_BOX)
    source, target = await filled(parts.store, 1)
    await parts.store.carry(source, [1], target, BY, leave=False)
    late = SqlMailStore(parts.db, parts.keys, parts.blobs, parts.boxes, clock=lambda: 2_000_000_000_000)
    await late.sweep()
    assert await late.content(target, 1) == letter(1)


# ---------------------------------------------------------------- subscriptions
async def test_subscriptions_of_a_team_are_each_one_s_own(store: Any) -> None:
    await store.create(BOX, "Gardes")
    await store.subscribe(BOX, "Gardes", False, 12)
    await store.subscribe(BOX, "Gardes", True, 13)
    await store.subscribe(BOX, "Gardes", True, 12)
    await store.subscribe(BOX, "Gardes", False, 13)
    folder = next(one for one in await store.folders(BOX) if one.name == "Gardes")
    assert (folder.subscribed, dict(folder.subscriptions)) == (True, {12: True, 13: False})
    await store.delete(BOX, "Gardes")
    made = await store.create(BOX, "Gardes")
    assert dict(next(one for one in await store.folders(BOX) if one.id == made.id).subscriptions) == {}
    with pytest.raises(StoreError):
        await store.subscribe(BOX, "Nulle part", True, 12)

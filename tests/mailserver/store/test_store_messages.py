"""Messages: UIDs, MODSEQs, flags, copies and expunges (RFC 9051, RFC 7162, RFC 6851), on every store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailserver.mime.fields import MAX_HEADER
from mailserver.store import names
from mailserver.store.api import Flag, FlagOp, Flags, MailStore, NewMessage, StoreError, StoreResult
from mailserver.store.sealed import PLAIN, pack_text, unpack_text

BOX = 1
SEEN, DELETED = Flags(Flag.SEEN), Flags(Flag.DELETED)


def letter(number: int, text: str = "Bonjour") -> bytes:
    return (
        f"From: Dr A <a@space.example>\r\nTo: box1@space.example\r\nSubject: Lettre {number}\r\n"
        f"Message-ID: <{number}@space.example>\r\n\r\n{text}\r\n"
    ).encode()


async def folder_id(store: MailStore, name: str = "INBOX") -> int:
    return next(folder.id for folder in await store.folders(BOX) if folder.name == name)


async def filled(store: Any, count: int) -> int:
    inbox = await folder_id(store)
    await store.append(inbox, [NewMessage(letter(n), internal_date=n) for n in range(1, count + 1)])
    return inbox


async def test_append_gives_growing_uids_and_a_status(store: Any) -> None:
    inbox = await folder_id(store)
    keywords = Flags(Flag.FLAGGED | Flag.SEEN, frozenset({"$Important", "Famille"}))
    assert await store.append(inbox, [NewMessage(letter(1), keywords, 1234)]) == [1]
    assert await store.append(inbox, [NewMessage(letter(2)), NewMessage(letter(3), DELETED)]) == [2, 3]
    status, rows = await store.rows(inbox)
    assert (status.messages, status.unseen, status.deleted, status.uid_next) == (3, 2, 1, 4)
    assert status.size == sum(row.size for row in rows) == sum(len(letter(n)) for n in (1, 2, 3))
    assert rows[0].flags == keywords
    assert rows[0].internal_date == 1234
    assert rows[1].internal_date == 1_800_000_000
    assert status.highest_modseq == max(row.modseq for row in rows)
    assert await store.status(inbox) == status
    assert await store.quota(BOX) == (status.size, 1_000_000)


async def test_content_by_slices_cards_and_texts(store: Any) -> None:
    inbox = await folder_id(store)
    big = letter(1, "é" * 100_000)
    await store.append(inbox, [NewMessage(big), NewMessage(letter(2, "Échographie normale"))])
    assert await store.content(inbox, 1) == big
    assert await store.content(inbox, 1, 65_530, 20) == big[65_530:65_550]
    assert await store.content(inbox, 1, len(big) + 5) == b""
    assert await store.content(inbox, 9) is None
    cards = [item async for item in store.cards(inbox, [2, 9, 1])]
    assert [uid for uid, _ in cards] == [1, 2]
    assert b"Lettre 2" in cards[1][1].envelope
    assert cards[1][1].header + "Échographie normale\r\n".encode() == letter(2, "Échographie normale")
    assert "1" in cards[0][1].parts
    [(uid, headers, body)] = [item async for item in store.texts(inbox, [2])]
    assert uid == 2
    assert "lettre 2" in headers
    assert "échographie" in body
    assert await store.heads(inbox, [9, 2]) == [(2, headers.encode())]
    assert await store.bodies(inbox, [2, 9]) == [(2, body.encode())]


async def test_contents_are_cards_and_octets_of_those_still_there(store: Any) -> None:
    inbox, archive = await filled(store, 3), await folder_id(store, "Archives")
    big = letter(4, "é" * 100_000)
    await store.append(inbox, [NewMessage(big)])
    await store.copy(inbox, [2], archive)
    await store.store_flags(inbox, [2], FlagOp.ADD, DELETED)
    await store.expunge(inbox)
    found = await store.contents(inbox, [4, 2, 9, 1])
    assert [(uid, content) for uid, _, content in found] == [(1, letter(1)), (4, big)]
    assert [(uid, card) for uid, card, _ in found] == [item async for item in store.cards(inbox, [1, 4])]
    assert [content for _, _, content in await store.contents(archive, [1])] == [letter(2)]
    assert await store.contents(inbox, []) == []


async def test_store_flags_set_add_remove(store: Any) -> None:
    inbox = await filled(store, 3)
    before = (await store.status(inbox)).highest_modseq

    async def flags() -> list[Flags]:
        return [row.flags for row in (await store.rows(inbox))[1]]

    urgent = Flags(Flag.SEEN, frozenset({"Urgent"}))
    added = await store.store_flags(inbox, [1, 2, 9], FlagOp.ADD, urgent)
    assert added == StoreResult(before, before + 1, [])
    assert await flags() == [urgent, urgent, Flags()]
    status = await store.status(inbox)
    assert (status.unseen, status.highest_modseq) == (1, before + 1)
    same = await store.store_flags(inbox, [1], FlagOp.ADD, Flags(Flag.SEEN, frozenset({"URGENT"})))
    assert same == StoreResult(before + 1, before + 1, [])
    assert (await flags())[0].keywords == {"Urgent"}, "keywords are compared without case"
    assert (await store.status(inbox)).highest_modseq == before + 1, "nothing changed"
    await store.store_flags(inbox, [1, 2, 3], FlagOp.REMOVE, Flags(Flag(0), frozenset({"urgent"})))
    assert await flags() == [SEEN, SEEN, Flags()]
    await store.store_flags(inbox, [1, 2, 3], FlagOp.SET, DELETED)
    assert await flags() == [DELETED] * 3
    status = await store.status(inbox)
    assert (status.unseen, status.deleted) == (3, 3)
    changes = await store.changes(inbox, before + 1)
    assert [row.uid for row in changes.changed] == [1, 2, 3]


async def test_unchanged_since(store: Any) -> None:
    inbox = await filled(store, 3)
    known = (await store.status(inbox)).highest_modseq
    await store.store_flags(inbox, [2], FlagOp.ADD, SEEN)
    result = await store.store_flags(inbox, [1, 2, 3], FlagOp.ADD, DELETED, unchanged_since=known)
    assert result.modified == [2]
    _, rows = await store.rows(inbox)
    assert [bool(row.flags.system & Flag.DELETED) for row in rows] == [True, False, True]


@pytest.mark.parametrize("words", [[f"k{n}" for n in range(51)], ["k" * 65]])
async def test_too_many_or_too_long_keywords(store: Any, words: list[str]) -> None:
    inbox = await filled(store, 1)
    wish = Flags(Flag(0), frozenset(words))
    for refused in (
        store.store_flags(inbox, [1], FlagOp.ADD, wish),
        store.append(inbox, [NewMessage(letter(2), wish)]),
    ):
        with pytest.raises(StoreError) as error:
            await refused
        assert error.value.code == "LIMIT"
    assert (await store.status(inbox)).uid_next == 2


async def test_copy_shares_and_move_leaves(store: Any) -> None:
    inbox, archive = await filled(store, 5), await folder_id(store, "Archives")
    await store.store_flags(inbox, [2], FlagOp.ADD, SEEN)
    copied = await store.copy(inbox, [5, 2, 99], archive)
    assert (copied.source, copied.target) == ([2, 5], [1, 2])
    assert copied.uid_validity == (await store.status(archive)).uid_validity
    assert await store.content(archive, 2) == letter(5)
    _, rows = await store.rows(archive)
    assert [(row.uid, row.flags, row.internal_date) for row in rows] == [(1, SEEN, 2), (2, Flags(), 5)]
    before = (await store.status(inbox)).highest_modseq
    moved = await store.move(inbox, [1, 2, 4], archive)
    assert (moved.source, moved.target) == ([1, 2, 4], [3, 4, 5])
    changes = await store.changes(inbox, before)
    assert (changes.changed, changes.vanished) == ([], [1, 2, 4])
    status = await store.status(archive)
    assert (status.messages, status.unseen, status.uid_next) == (5, 3, 6)
    assert [uid async for uid, _ in store.cards(archive, range(1, 7))] == [1, 2, 3, 4, 5]
    assert [uid async for uid, _, _ in store.texts(archive, range(1, 7))] == [1, 2, 3, 4, 5]
    assert (await store.move(inbox, [1, 77], archive)).source == [], "UIDs already gone: quietly nothing"


async def test_deleted_is_left_behind_when_asked(store: Any) -> None:
    """RFC 4314 4: for who may not delete in the target."""
    inbox, archive = await filled(store, 4), await folder_id(store, "Archives")
    both = Flags(Flag.DELETED | Flag.FLAGGED, frozenset(("x",)))
    await store.store_flags(inbox, [1, 3, 4], FlagOp.SET, both)
    assert (await store.copy(inbox, [1, 2], archive, undeleted=True)).target == [1, 2]
    assert (await store.move(inbox, [3], archive, undeleted=True)).target == [3]
    assert (await store.copy(inbox, [4], archive)).target == [4]
    status, rows = await store.rows(archive)
    flagged = Flags(Flag.FLAGGED, frozenset(("x",)))
    assert [row.flags for row in rows] == [flagged, Flags(), flagged, both]
    assert status.deleted == 1
    assert (await store.status(inbox)).deleted == 2


async def test_flags_are_set_and_deleted_left_as_it_is(store: Any) -> None:
    inbox = await filled(store, 2)
    await store.store_flags(inbox, [1], FlagOp.ADD, Flags(Flag.DELETED | Flag.SEEN, frozenset(("x",))))
    for wish in (Flags(Flag.FLAGGED), Flags(Flag.FLAGGED | Flag.DELETED)):
        await store.store_flags(inbox, [1, 2], FlagOp.SET_OTHERS, wish)
        _, rows = await store.rows(inbox)
        assert [row.flags.system for row in rows] == [Flag.FLAGGED | Flag.DELETED, Flag.FLAGGED]
        assert [row.flags.keywords for row in rows] == [frozenset(), frozenset()]
        assert list((await store.look(inbox)).system) == [Flag.FLAGGED | Flag.DELETED, Flag.FLAGGED]
    assert (await store.status(inbox)).deleted == 1


async def test_copy_and_move_within_one_folder(store: Any) -> None:
    inbox = await filled(store, 3)
    assert (await store.copy(inbox, [1, 2, 3], inbox)).target == [4, 5, 6]
    assert (await store.move(inbox, [1, 2, 3, 4, 5, 6], inbox)).target == [7, 8, 9, 10, 11, 12]
    status, rows = await store.rows(inbox)
    assert [row.uid for row in rows] == [7, 8, 9, 10, 11, 12]
    assert status.messages == 6
    assert await store.content(inbox, 9) == letter(3)
    assert await store.content(inbox, 12) == letter(3)
    changes = await store.changes(inbox, 1)
    assert changes.vanished == [1, 2, 3, 4, 5, 6]
    assert max(row.modseq for row in rows) <= status.highest_modseq


async def test_expunge_only_deleted_and_only_chosen(store: Any) -> None:
    inbox = await filled(store, 4)
    await store.store_flags(inbox, [1, 2, 3], FlagOp.ADD, DELETED)
    before = await store.status(inbox)
    assert await store.expunge(inbox, [2, 4]) == [2]
    assert await store.expunge(inbox) == [1, 3]
    after = await store.status(inbox)
    assert (after.messages, after.deleted, after.uid_next) == (1, 0, 5)
    assert after.highest_modseq == before.highest_modseq + 2
    assert (await store.changes(inbox, before.highest_modseq)).vanished == [1, 2, 3]
    assert await store.expunge(inbox) == []
    assert (await store.status(inbox)).highest_modseq == after.highest_modseq
    assert await store.append(inbox, [NewMessage(letter(9))]) == [5], "a UID is never used twice"
    assert (await store.quota(BOX))[0] == len(letter(4)) + len(letter(9))


async def test_many_scattered_uids(store: Any) -> None:
    inbox, archive = await filled(store, 1500), await folder_id(store, "Archives")
    odd = list(range(1, 1501, 2))
    await store.store_flags(inbox, odd, FlagOp.ADD, Flags(Flag.SEEN | Flag.DELETED))
    assert [row.uid for row in (await store.rows(inbox))[1] if row.flags.system] == odd
    assert (await store.copy(inbox, odd, archive)).target == list(range(1, 751))
    _, rows = await store.rows(archive)
    assert [row.internal_date for row in rows] == odd, "copies keep the order"
    assert await store.content(archive, 750) == letter(1499)
    assert await store.expunge(inbox) == odd
    status = await store.status(inbox)
    assert (status.messages, status.unseen) == (750, 750)


async def test_quota_refuses_append_and_copy_whole(store: Any) -> None:
    inbox = await folder_id(store)
    half = letter(1, "x" * 600_000)
    await store.append(inbox, [NewMessage(half)])
    with pytest.raises(StoreError) as refused:
        await store.append(inbox, [NewMessage(letter(2)), NewMessage(half)])
    assert refused.value.code == "OVERQUOTA"
    with pytest.raises(StoreError) as refused:
        await store.copy(inbox, [1], await folder_id(store, "Archives"))
    assert refused.value.code == "OVERQUOTA"
    assert (await store.status(inbox)).uid_next == 2, "all or nothing"
    moved = await store.move(inbox, [1], await folder_id(store, "Archives"))
    assert moved.target == [1], "moving needs no room"


async def test_a_mailbox_has_so_many_messages_and_no_more(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MESSAGES", 4)
    inbox, archives = await filled(store, 3), await folder_id(store, "Archives")
    assert (await store.copy(inbox, [1], archives)).target == [1]
    for refused in (store.copy(inbox, [1], archives), store.append(archives, [NewMessage(letter(9))])):
        with pytest.raises(StoreError) as error:
            await refused
        assert error.value.code == "LIMIT"
    await store.move(inbox, [1], archives)
    assert await store.replace(inbox, 2, archives, NewMessage(letter(9))) == 3
    assert (await store.status(archives)).messages == 3


async def test_a_header_that_nobody_could_list_is_refused(store: Any) -> None:
    inbox = await folder_id(store)
    long = NewMessage(b"X-Long: " + b"x" * MAX_HEADER + b"\r\n\r\n")
    [uid] = await store.append(inbox, [NewMessage(b"X-Long: x\r\n\r\n" + b"x" * MAX_HEADER)])
    for refused in (
        store.append(inbox, [NewMessage(b"Subject: a\r\n\r\n"), long]),
        store.replace(inbox, uid, inbox, long),
    ):
        with pytest.raises(StoreError) as error:
            await refused
        assert error.value.code == "LIMIT"
    assert (await store.status(inbox)).messages == 1


async def test_watchers_wake_after_each_change(store: Any) -> None:
    inbox, archive = await filled(store, 2), await folder_id(store, "Archives")
    woken = asyncio.Event()
    undo = store.watch(inbox, woken.set)

    async def heard() -> bool:
        try:
            await asyncio.wait_for(woken.wait(), 1)
        except TimeoutError:
            return False
        woken.clear()
        return True

    await store.append(inbox, [NewMessage(letter(3))])
    assert await heard()
    await store.store_flags(inbox, [1], FlagOp.ADD, DELETED)
    assert await heard()
    await store.expunge(inbox)
    assert await heard()
    await store.move(inbox, [2], archive)
    assert await heard()
    undo()
    await store.append(inbox, [NewMessage(letter(4))])
    await asyncio.sleep(0.05)
    assert not woken.is_set()


async def test_concurrent_appends_never_share_a_uid(store: Any) -> None:
    inbox = await folder_id(store)
    results = await asyncio.gather(*(store.append(inbox, [NewMessage(letter(n))]) for n in range(40)))
    assert sorted(uid for uids in results for uid in uids) == list(range(1, 41))


@pytest.mark.parametrize("verb", ["rows", "status"])
async def test_unknown_folder(store: Any, verb: str) -> None:
    with pytest.raises(StoreError) as refused:
        await getattr(store, verb)(999_999)
    assert refused.value.code == "NONEXISTENT"


async def test_an_origin_follows_its_message(store: Any) -> None:
    """RFC 8474: one EMAILID for all copies, one THREADID for a conversation; RFC 8514: the date of each way in."""
    inbox, archive = await folder_id(store), await folder_id(store, "Archives")
    answer = letter(2).replace(b"Message-ID", b"In-Reply-To: <1@space.example>\r\nMessage-ID")
    await store.append(inbox, [NewMessage(letter(1), internal_date=5), NewMessage(letter(9), internal_date=5)])
    await store.append(inbox, [NewMessage(answer, internal_date=5)])
    first, other, second = [origin for _, origin in await store.origins(inbox, [1, 2, 3, 99])]
    assert len({first.email, other.email, second.email}) == 3
    assert first.thread == second.thread != other.thread
    assert first.saved_at == 1_800_000_000
    await store.copy(inbox, [1], archive)
    await store.move(inbox, [3], archive)
    assert [origin for _, origin in await store.origins(archive, [1, 2])] == [first, second]


@pytest.mark.parametrize(
    "text", ["", "é", "x\x01 looks deflated", "a" * PLAIN, "a" * (PLAIN + 1), "é" * PLAIN, "\ud800"]
)
def test_texts_of_any_length_come_back(text: str) -> None:
    packed = pack_text(text)
    assert unpack_text(packed) == text.encode(errors="replace")
    assert len(packed) <= PLAIN

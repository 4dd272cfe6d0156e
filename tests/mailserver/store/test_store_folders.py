"""Folders: RFC 9051 6.3, on every store."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from mailserver.store import names
from mailserver.store.api import Flag, Flags, Folder, MailStore, NewMessage, StoreError
from mailserver.store.names import CLOSED

BOX, OTHER_BOX = 1, 2


async def named(store: MailStore, name: str, box: int = BOX) -> Folder:
    return next(folder for folder in await store.folders(box) if folder.name == name)


async def test_a_new_box_has_its_folders_with_their_special_use(store: Any) -> None:
    found = {folder.name: folder.special_use for folder in await store.folders(BOX)}
    assert found == {
        "INBOX": None,
        "Brouillons": "\\Drafts",
        "Envoyés": "\\Sent",
        "Corbeille": "\\Trash",
        "Indésirables": "\\Junk",
        "Archives": "\\Archive",
        CLOSED: None,
    }
    assert CLOSED not in {folder.name for folder in await store.folders(OTHER_BOX)}
    await store.open_box(BOX, professional=True)
    assert len(await store.folders(BOX)) == 7


async def test_create_brings_its_parents_and_inbox_has_one_spelling(store: Any) -> None:
    created = await store.create(BOX, "Patients/2026/Été/")
    assert created.name == "Patients/2026/Été"
    found = {folder.name for folder in await store.folders(BOX)}
    assert {"Patients", "Patients/2026", "Patients/2026/Été"} <= found
    assert (await store.create(BOX, "inbox/Suivi")).name == "INBOX/Suivi"
    for taken in ("inBox", "Patients", "Patients/2026/E\u0301te\u0301"):
        with pytest.raises(StoreError) as refused:
            await store.create(BOX, taken)
        assert refused.value.code == "ALREADYEXISTS"


@pytest.mark.parametrize("name", ["", "/", "a//b", "/a", "a*", "b%", "a\nb", "x" * 256, "/".join("abcdefghijklmnopqr")])
async def test_names_that_no_folder_may_have(store: Any, name: str) -> None:
    with pytest.raises(StoreError) as refused:
        await store.create(BOX, name)
    assert refused.value.code == "CANNOT"


async def test_boxes_do_not_see_each_other(store: Any) -> None:
    await store.create(BOX, "Secret")
    assert "Secret" not in {folder.name for folder in await store.folders(OTHER_BOX)}
    with pytest.raises(StoreError):
        await store.delete(OTHER_BOX, "Secret")
    mine, theirs = await named(store, "INBOX"), await named(store, "INBOX", OTHER_BOX)
    uids = await store.append(mine.id, [NewMessage(b"Subject: a\r\n\r\nb\r\n")])
    for verb in (store.copy, store.move):
        with pytest.raises(StoreError) as refused:
            await verb(mine.id, uids, theirs.id)
        assert refused.value.code == "NOPERM"


async def test_delete_takes_the_messages_and_gives_the_quota_back(store: Any) -> None:
    folder = await store.create(BOX, "Vieux")
    await store.append(folder.id, [NewMessage(b"Subject: a\r\n\r\nb\r\n")])
    used, _ = await store.quota(BOX)
    assert used > 0
    await store.delete(BOX, "Vieux")
    assert (await store.quota(BOX))[0] == 0
    with pytest.raises(StoreError) as refused:
        await store.rows(folder.id)
    assert refused.value.code == "NONEXISTENT"
    again = await store.create(BOX, "Vieux")
    assert again.uid_validity > folder.uid_validity, "RFC 9051 2.3.1.1: a new folder of an old name"


@pytest.mark.parametrize("name", ["INBOX", CLOSED, "Envoyés", "Corbeille"])
async def test_folders_the_product_files_into_stay(store: Any, name: str) -> None:
    with pytest.raises(StoreError) as refused:
        await store.delete(BOX, name)
    assert refused.value.code == "CANNOT"


async def test_rename_takes_the_children_along_and_keeps_ids(store: Any) -> None:
    child = await store.create(BOX, "a/b")
    await store.rename(BOX, "a", "c/d")
    names = {folder.name: folder.id for folder in await store.folders(BOX)}
    assert names["c/d/b"] == child.id
    assert "c" in names
    assert not {"a", "a/b"} & names.keys()
    for old, new, code in (
        ("nothing", "x", "NONEXISTENT"),
        ("c", "Archives", "ALREADYEXISTS"),
        ("c", "c/d/e", "CANNOT"),
        (CLOSED, "Autre", "CANNOT"),
    ):
        with pytest.raises(StoreError) as refused:
            await store.rename(BOX, old, new)
        assert refused.value.code == code


async def test_rename_of_inbox_moves_its_messages(store: Any) -> None:
    inbox = await named(store, "INBOX")
    await store.append(inbox.id, [NewMessage(b"Subject: a\r\n\r\nb\r\n")])
    await store.rename(BOX, "INBOX", "Ancien")
    assert (await store.status(inbox.id)).messages == 0
    assert (await store.status((await named(store, "Ancien")).id)).messages == 1


async def test_subscriptions_and_special_use(store: Any) -> None:
    await store.subscribe(BOX, "Archives", False)
    assert not (await named(store, "Archives")).subscribed
    await store.create(BOX, "Seconde corbeille", "\\Trash")
    with pytest.raises(StoreError):
        await store.delete(BOX, "Corbeille")
    await store.rename(BOX, "Corbeille", "Poubelle")
    with pytest.raises(StoreError):
        await store.delete(BOX, "Poubelle")
    await store.delete(BOX, "Seconde corbeille")
    with pytest.raises(StoreError):
        await store.subscribe(BOX, "Rien", True)


async def test_a_subscription_outlives_its_folder(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9051 6.3.7; the neighbour sees none of it, and the number is bounded."""
    for name in ("a", "b", "c", "d"):
        await store.create(BOX, name)
    await store.subscribe(BOX, "c", False)
    for name in ("a", "b", "c"):
        await store.delete(BOX, name)
    assert await store.lost(BOX) == ["a", "b"]
    assert await store.lost(OTHER_BOX) == []
    with pytest.raises(StoreError) as refused:
        await store.subscribe(OTHER_BOX, "a", False)
    assert refused.value.code == "NONEXISTENT"
    await store.create(BOX, "a")
    assert await store.lost(BOX) == ["b"]
    await store.rename(BOX, "a", "b")
    assert await store.lost(BOX) == []
    monkeypatch.setattr(names, "LOST", 1)
    await store.delete(BOX, "b")
    await store.delete(BOX, "d")
    assert await store.lost(BOX) == ["b"]
    await store.subscribe(BOX, "b", False)
    assert await store.lost(BOX) == []


async def test_deleted_sizes_count_what_an_expunge_gives_back(store: Any) -> None:
    inbox, archives = await named(store, "INBOX"), await named(store, "Archives")
    octets = b"Subject: a\r\n\r\nb\r\n"
    message = NewMessage(octets)
    await store.append(inbox.id, [message, NewMessage(octets, Flags(Flag.DELETED | Flag.SEEN))])
    await store.append(archives.id, [message])
    assert await store.deleted_sizes([inbox.id, archives.id]) == {inbox.id: len(octets), archives.id: 0}
    assert await store.deleted_sizes([]) == {}


async def test_statuses_are_those_of_each_folder_of_the_box(store: Any) -> None:
    inbox = await named(store, "INBOX")
    await store.append(inbox.id, [NewMessage(b"Subject: a\r\n\r\nb\r\n")])
    found = await store.statuses(BOX)
    assert found == {folder.id: await store.status(folder.id) for folder in await store.folders(BOX)}
    assert not found.keys() & (await store.statuses(OTHER_BOX)).keys()


async def test_a_mailbox_has_a_bounded_number_of_folders(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each SELECT opens the list: 50,000 folders, made in 25 s, kept other mailboxes waiting 5 s (measured)."""
    monkeypatch.setattr(names, "FOLDERS", 10)
    await store.create(BOX, "a/b/c")  # 7 default ones and these
    for attempt in (store.create(BOX, "d"), store.create(BOX, "e/f"), store.rename(BOX, "a/b/c", "g/h")):
        with pytest.raises(StoreError) as refused:
            await attempt
        assert refused.value.code == "LIMIT"
    await store.rename(BOX, "a/b/c", "c")
    await store.delete(BOX, "c")
    await store.create(BOX, "d")
    assert len(await store.folders(BOX)) == 10


async def test_whoever_watches_a_box_hears_of_its_folders_and_of_no_other(store: Any) -> None:
    woken: list[int] = []
    undo = [store.watch_box(box, partial(woken.append, box)) for box in (BOX, OTHER_BOX)]

    async def heard() -> set[int]:
        await asyncio.sleep(0.05)  # a signal comes on the loop, behind the commit
        found = set(woken)
        woken.clear()
        return found

    await store.create(BOX, "Labo/Biologie")
    assert await heard() == {BOX}
    await store.rename(BOX, "Labo", "Laboratoire")
    assert await heard() == {BOX}
    await store.subscribe(BOX, "Laboratoire", False)
    assert await heard() == {BOX}
    await store.delete(BOX, "Laboratoire/Biologie")
    assert await heard() == {BOX}
    await store.subscribe(BOX, "Laboratoire/Biologie", False)  # a lost one
    assert await heard() == {BOX}
    await store.annotate(BOX, 1, 0, {"/private/a": b"x"})
    assert await heard() == {BOX}
    inbox = next(folder.id for folder in await store.folders(BOX) if folder.name == "INBOX")
    await store.append(inbox, [NewMessage(b"Subject: x\r\n\r\ny")])
    assert await heard() == set()
    undo[0]()
    undo[0]()
    await store.create(BOX, "Autre")
    await store.create(OTHER_BOX, "Autre")
    assert await heard() == {OTHER_BOX}

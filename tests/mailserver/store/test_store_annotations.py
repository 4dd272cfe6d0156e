"""Annotations (RFC 5464), on every store."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from mailserver.store import annotations as rules
from mailserver.store.annotations import SERVER
from mailserver.store.api import StoreError
from mailserver.store.tables import folder_annotations
from tests.mailserver.store.conftest import BOX, OTHER_BOX, SqlParts
from tests.mailserver.store.test_store_folders import named

ME, COLLEAGUE = 11, 12


async def test_private_is_the_members_and_shared_the_mailboxs(store: Any) -> None:
    inbox = (await named(store, "INBOX")).id
    await store.annotate(BOX, ME, inbox, {"/private/comment": b"mine", "/shared/comment": b"ours"})
    await store.annotate(BOX, COLLEAGUE, inbox, {"/private/comment": b"hers", "/shared/comment": b"ours\0too"})
    await store.annotate(BOX, ME, SERVER, {"/private/comment": b"of the server"})
    assert await store.annotations(BOX, ME, (inbox, SERVER)) == {
        inbox: {"/private/comment": b"mine", "/shared/comment": b"ours\0too"},
        SERVER: {"/private/comment": b"of the server"},
    }
    assert (await store.annotations(BOX, COLLEAGUE, (inbox,)))[inbox]["/private/comment"] == b"hers"
    await store.annotate(BOX, ME, inbox, {"/private/comment": None, "/private/none": None})
    assert (await store.annotations(BOX, ME, (inbox,)))[inbox] == {"/shared/comment": b"ours\0too"}


async def test_the_neighbour_reads_and_writes_nothing(store: Any) -> None:
    inbox = (await named(store, "INBOX")).id
    await store.annotate(BOX, ME, inbox, {"/shared/comment": b"ours"})
    await store.annotate(BOX, ME, SERVER, {"/private/comment": b"mine"})
    assert await store.annotations(OTHER_BOX, ME, (inbox, SERVER)) == {inbox: {}, SERVER: {}}
    with pytest.raises(StoreError) as refused:
        await store.annotate(OTHER_BOX, ME, inbox, {"/shared/comment": b"theirs"})
    assert refused.value.code == "NONEXISTENT"
    with pytest.raises(StoreError):
        await store.annotate(BOX, ME, 999_999, {"/shared/comment": b"x"})


async def test_their_number_is_bounded_all_or_nothing(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "ENTRIES", 3)
    inbox = (await named(store, "INBOX")).id
    await store.annotate(BOX, ME, inbox, {"/private/a": b"1", "/private/b": b"2"})
    with pytest.raises(StoreError) as refused:
        await store.annotate(BOX, ME, SERVER, {"/private/c": b"3", "/private/d": b"4"})
    assert refused.value.code == "METADATA TOOMANY"
    assert await store.annotations(BOX, ME, (SERVER,)) == {SERVER: {}}
    await store.annotate(BOX, ME, inbox, {"/private/a": b"again", "/private/c": b"3"})
    await store.annotate(OTHER_BOX, ME, SERVER, {"/private/a": b"1"})


async def test_they_go_with_their_folder_and_follow_its_name(store: Any) -> None:
    folder = await store.create(BOX, "a")
    await store.annotate(BOX, ME, folder.id, {"/private/a": b"1"})
    await store.rename(BOX, "a", "b")
    assert (await store.annotations(BOX, ME, (folder.id,)))[folder.id] == {"/private/a": b"1"}
    await store.delete(BOX, "b")
    assert (await store.annotations(BOX, ME, (folder.id,)))[folder.id] == {}


async def test_nothing_of_them_lies_open_on_the_disk(parts: SqlParts) -> None:
    await parts.store.annotate(BOX, ME, SERVER, {"/private/vendor/secret": b"Jacqueline"})
    rows = await parts.db.read(lambda conn: conn.execute(select(folder_annotations)).all())
    assert len(rows) == 1
    assert not any(word in part for word in (b"secret", b"Jacqueline") for part in (rows[0].entry_key, rows[0].sealed))

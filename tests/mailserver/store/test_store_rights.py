"""Rights of members in folders (RFC 4314), on every store."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from foundation.audit import Audit
from foundation.tables import audit
from mailserver.store.api import NewMessage, StoreError
from mailserver.store.sql import SqlMailStore
from mailserver.store.tables import folder_rights
from mssante.rights import NONE
from tests.mailserver.store.conftest import BOX, OTHER_BOX, SqlParts
from tests.mailserver.store.test_store_folders import named

HOLDER, ANNE, LUC = 11, 12, 13
READ, WORK = frozenset("lr"), frozenset("lrswip")


async def test_given_replaced_and_taken_back(store: Any) -> None:
    inbox = (await named(store, "INBOX")).id
    assert (await named(store, "INBOX")).acl == {}
    await store.set_rights(BOX, inbox, ANNE, READ, HOLDER)
    await store.set_rights(BOX, inbox, LUC, NONE, HOLDER)
    assert (await named(store, "INBOX")).acl == {ANNE: READ, LUC: NONE}
    await store.set_rights(BOX, inbox, ANNE, WORK, HOLDER)
    await store.set_rights(BOX, inbox, LUC, None, HOLDER)
    assert (await named(store, "INBOX")).acl == {ANNE: WORK}
    assert (await named(store, "Archives")).acl == {}
    assert (await named(store, "INBOX", OTHER_BOX)).acl == {}


async def test_a_quota_set_by_the_holder(store: Any) -> None:
    """RFC 9208 4.1.3: one mailbox's own; never below what is there, nor so low that no letter comes in."""
    other = await store.quota(OTHER_BOX)
    await store.set_quota(BOX, 4 << 20, HOLDER)
    assert (await store.quota(BOX))[1] == 4 << 20
    assert await store.quota(OTHER_BOX) == other
    inbox = (await named(store, "INBOX")).id
    await store.append(inbox, [NewMessage(b"Subject: x\r\n\r\n" + b"y" * 2_000_000)])
    for octets, code in ((2_000_000, "CANNOT"), ((1 << 20) - 1, "LIMIT")):
        with pytest.raises(StoreError) as refused:
            await store.set_quota(BOX, octets, HOLDER)
        assert refused.value.code == code
    await store.set_quota(BOX, 3_000_000, HOLDER)
    with pytest.raises(StoreError, match="full"):
        await store.append(inbox, [NewMessage(b"Subject: x\r\n\r\n" + b"y" * 1_000_000)])
    assert (await store.quota(BOX))[1] == 3_000_000


async def test_a_new_folder_has_those_of_the_one_above(store: Any) -> None:
    top = await store.create(BOX, "a")
    await store.set_rights(BOX, top.id, ANNE, READ, HOLDER)
    await store.create(BOX, "a/b/c")
    await store.create(BOX, "d")
    found = {folder.name: folder.acl for folder in await store.folders(BOX)}
    assert found["a/b"] == found["a/b/c"] == {ANNE: READ}
    assert found["d"] == {}
    await store.set_rights(BOX, top.id, ANNE, None, HOLDER)
    assert (await named(store, "a/b/c")).acl == {ANNE: READ}, "each has its own from then on"


async def test_they_follow_a_new_name_and_go_with_their_folder(store: Any) -> None:
    folder = await store.create(BOX, "a")
    await store.set_rights(BOX, folder.id, ANNE, READ, HOLDER)
    await store.rename(BOX, "a", "b/c")
    assert (await named(store, "b/c")).acl == {ANNE: READ}
    assert (await named(store, "b")).acl == {}
    await store.delete(BOX, "b/c")
    await store.create(BOX, "b/c")
    assert (await named(store, "b/c")).acl == {}


async def test_the_neighbour_changes_nothing(store: Any) -> None:
    inbox = (await named(store, "INBOX")).id
    for folder_id in (inbox, 999_999):
        with pytest.raises(StoreError) as refused:
            await store.set_rights(OTHER_BOX, folder_id, ANNE, WORK, 99)
        assert refused.value.code == "NONEXISTENT"
    assert (await named(store, "INBOX")).acl == {}


async def test_who_has_the_folder_open_is_woken(store: Any) -> None:
    inbox, woken = (await named(store, "INBOX")).id, []
    store.watch(inbox, lambda: woken.append(1))
    await store.set_rights(BOX, inbox, ANNE, NONE, HOLDER)
    assert woken == [1]


async def test_no_row_outlives_its_folder_and_each_change_is_traced(parts: SqlParts) -> None:
    store = SqlMailStore(parts.db, parts.keys, parts.blobs, parts.boxes, audit=Audit())
    folder = await store.create(BOX, "a")
    await store.set_rights(BOX, folder.id, ANNE, READ, HOLDER)
    await store.set_rights(BOX, folder.id, LUC, WORK, HOLDER)
    await store.set_rights(BOX, folder.id, LUC, None, HOLDER)
    traced = await parts.db.read(lambda conn: [(r.event, r.actor, r.details) for r in conn.execute(select(audit))])
    assert traced == [
        (
            "rights:folder:set",
            "credential 11",
            f'{{"box":1,"folder":{folder.id},"member":{member},"rights":"{rights}"}}',
        )
        for member, rights in ((ANNE, "lr"), (LUC, "lrswip"), (LUC, "role"))
    ]
    await store.delete(BOX, "a")
    assert await parts.db.read(lambda conn: conn.execute(select(folder_rights)).all()) == []


async def test_a_quota_is_traced(parts: SqlParts) -> None:
    store = SqlMailStore(parts.db, parts.keys, parts.blobs, parts.boxes, audit=Audit())
    _, before = await store.quota(BOX)
    await store.set_quota(BOX, 2 << 20, HOLDER)
    [row] = await parts.db.read(lambda conn: conn.execute(select(audit)).all())
    assert (row.event, row.actor) == ("quota:mailbox:set", "credential 11")
    assert row.details == f'{{"box":1,"from":{before},"to":{2 << 20}}}'

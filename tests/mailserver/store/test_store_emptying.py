"""What a mailbox leaves when its key is destroyed: taken away a few rows at a time, and nothing of its neighbour's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from foundation.clock import DAY
from foundation.tables import blobs
from mailserver.store import emptying
from mailserver.store.api import Flag, Flags, NewMessage
from mailserver.store.sweep import GRACE, sweep
from mailserver.store.tables import (
    cards,
    expunged,
    folder_annotations,
    folders,
    loose_blobs,
    lost_folders,
    message_ids,
    messages,
)
from mssante.tables import mailboxes
from tests.mailserver.store.conftest import BOX, OTHER_BOX, SqlParts, clock

BY_BOX = (folders, cards, message_ids, folder_annotations, lost_folders)


def letter(number: int) -> bytes:
    return f"From: <a@x.example>\r\nMessage-ID: <{number}@x.example>\r\nSubject: s\r\n\r\nb{number}\r\n".encode()


def mailbox(box_id: int, wrapped: bytes | None) -> dict[str, Any]:
    return {
        "id": box_id, "address_key": b"%d" % box_id, "sealed_address": b"", "kind": "PER", "state": "closed",
        "red_list": False, "quota_bytes": 0, "used_bytes": 0, "wrapped_key": wrapped, "sealed_holder": b"",
        "created_at": 0,
    }  # fmt: skip


async def fill(parts: SqlParts, box_id: int) -> None:
    store = parts.store
    inbox = next(one.id for one in await store.folders(box_id) if one.name == "INBOX")
    archive = await store.create(box_id, "Cas")
    await store.append(inbox, [NewMessage(letter(number)) for number in range(7)])
    await store.copy(inbox, [1, 2, 3], archive.id)
    await store.append(inbox, [NewMessage(letter(9), Flags(Flag.DELETED))] * 5)
    await store.expunge(inbox)


async def counted(parts: SqlParts, box_id: int) -> dict[str, int]:
    def work(conn: Any) -> dict[str, int]:
        mine = select(folders.c.id).where(folders.c.box_id == box_id)
        found = {
            table.name: select(func.count()).select_from(table).where(table.c.box_id == box_id) for table in BY_BOX
        } | {
            table.name: select(func.count()).select_from(table).where(table.c.folder_id.in_(mine))
            for table in (messages, expunged)
        }
        return {name: conn.execute(query).scalar_one() for name, query in found.items()}

    return await parts.db.read(work)


async def total(parts: SqlParts, table: Any) -> int:
    return await parts.db.read(lambda conn: conn.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.fixture
async def filled(parts: SqlParts, monkeypatch: pytest.MonkeyPatch) -> SqlParts:
    """BOX's key is destroyed, OTHER_BOX lives."""
    monkeypatch.setattr(emptying, "AT_ONCE", 2)
    await parts.store.open_box(OTHER_BOX, professional=True)
    for box in (BOX, OTHER_BOX):
        await fill(parts, box)
    rows = [mailbox(BOX, None), mailbox(OTHER_BOX, b"key")]
    await parts.db.write(lambda tx: tx.execute(insert(mailboxes), rows))
    return parts


async def test_all_rows_go_and_the_neighbours_stay(filled: SqlParts) -> None:
    before = await counted(filled, OTHER_BOX)
    assert before["messages"] == 10
    assert before["expunged"] == 5
    await filled.store.sweep()
    assert set((await counted(filled, BOX)).values()) == {0}
    assert await counted(filled, OTHER_BOX) == before
    assert await total(filled, messages) == before["messages"]
    assert await total(filled, expunged) == before["expunged"]
    assert await filled.db.read(emptying.erased) == []
    inbox = next(one.id for one in await filled.store.folders(OTHER_BOX) if one.name == "INBOX")
    assert await filled.store.content(inbox, 1) == letter(0)


async def test_its_blobs_go_after_their_grace(filled: SqlParts) -> None:
    mine = await total(filled, blobs)
    await filled.store.sweep()
    assert (await total(filled, blobs), await total(filled, loose_blobs) > 0) == (mine, True)
    while (await filled.db.write(sweep, filled.blobs, clock() + GRACE + DAY))[1]:
        continue
    left = await filled.db.read(lambda conn: set(conn.execute(select(blobs.c.id)).scalars()))
    held = await filled.db.read(lambda conn: set(conn.execute(select(messages.c.blob_id)).scalars()))
    assert left == held


async def test_mail_comes_in_between_and_what_was_interrupted_goes_on(filled: SqlParts) -> None:
    """Each step is short: a delivery to another mailbox is answered before the sweep is at its end."""
    for _ in range(3):
        assert await filled.db.write(emptying.empty, BOX, clock())
    assert await filled.db.read(emptying.erased) == [BOX]
    inbox = next(one.id for one in await filled.store.folders(OTHER_BOX) if one.name == "INBOX")
    sweeping = asyncio.ensure_future(filled.store.sweep())
    await filled.store.append(inbox, [NewMessage(letter(50))])
    assert not sweeping.done()
    await sweeping
    assert set((await counted(filled, BOX)).values()) == {0}


async def test_a_mailbox_that_has_its_key_is_never_emptied(filled: SqlParts) -> None:
    await filled.db.write(lambda tx: tx.execute(mailboxes.update().values(wrapped_key=b"key")))
    before = await counted(filled, BOX)
    await filled.store.sweep()
    assert await counted(filled, BOX) == before

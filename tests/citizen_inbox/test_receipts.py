"""Opening a message on the page: the sender who asked gets one receipt, and the trace says when it was opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from foundation.clock import MINUTE
from mailserver.delivery.notices import Notices
from mailserver.delivery.traces import OPENED, Traces
from mailserver.outbound.compose import Office
from tests.support.citizen import DOCTOR, PEER, Town, open_town
from tests.support.web import Visitor

WISH = {"Disposition_Notification_To": DOCTOR}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Town, str]]:
    async with open_town(tmp_path) as (town, origin):
        office = Office("mail.cabinet.example", "postmaster@cabinet.example")
        Notices(town.space, office, town.delivery).register()
        yield town, origin


async def opens(town: Town, visitor: Visitor, times: int = 1) -> bool:
    """Whether the page says that the sender is told."""
    town.now += MINUTE
    node = (await visitor.get("/messagerie")).first("a.row")
    link = node.attributes["href"] or ""
    for answer in await asyncio.gather(*(visitor.get(link) for _ in range(times))):
        assert answer.status == 200
    await town.space.jobs.drain()
    return "accusé de lecture" in answer.words


async def inbox(town: Town, address: str) -> list[int]:
    found = next(f for f in await town.space.store.folders(town.ids[address]) if f.name == "INBOX")
    return [row.uid for row in (await town.space.store.rows(found.id))[1]]


async def marks(town: Town, ident: str) -> dict[str, int]:
    [one] = await town.db.read(Traces(town.space.keys).find, ident, None, 0, town.now + 1, 9)
    return one.marks(town.addresses["jacqueline"])


async def test_who_asked_is_told_once(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter(**WISH))
    assert await marks(here, "m1@cabinet.example") == {}
    assert await opens(here, jacqueline, times=3)
    opened_at = here.now
    [uid] = await inbox(here, DOCTOR)
    receipt = message_from_bytes(await here.newest(DOCTOR), policy=policy.default)
    assert receipt["From"] == here.addresses["jacqueline"]
    assert receipt["Return-Path"] == "<>"
    assert receipt["Subject"] == "Ouvert\u00a0: Vos résultats"
    assert receipt.get_param("report-type") == "disposition-notification"
    assert await marks(here, "m1@cabinet.example") == {OPENED: opened_at}

    assert await opens(here, jacqueline), "still said the next time"
    assert await inbox(here, DOCTOR) == [uid]
    assert await marks(here, "m1@cabinet.example") == {OPENED: opened_at}


async def test_who_did_not_ask_is_not_told(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter())
    assert not await opens(here, jacqueline)
    assert await inbox(here, DOCTOR) == []
    assert await marks(here, "m1@cabinet.example") == {OPENED: here.now}


async def test_nobody_is_made_to_write_to_a_third(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter(Disposition_Notification_To=PEER))
    assert not await opens(here, jacqueline)
    assert await here.db.read(_owed, here) == []


async def test_another_operators_professional_gets_it_by_the_relay(here: Town, jacqueline: Visitor) -> None:
    await here.mail(here.letter(sender=PEER, Return_Path=f"<{PEER}>", Disposition_Notification_To=PEER), PEER)
    await opens(here, jacqueline)
    [(kind, payload)] = await here.db.read(_owed, here)
    assert (kind, payload["reverse_path"]) == ("relay", "")
    assert [one["address"] for one in payload["recipients"]] == [PEER]


def _owed(conn: Connection, town: Town) -> list[tuple[str, dict[str, Any]]]:
    from sqlalchemy import select

    from foundation.tables import jobs

    rows = conn.execute(select(jobs).where(jobs.c.kind.in_(["relay", "receipt"]))).all()
    return [(row.kind, town.space.jobs.open(row.kind, row.payload)) for row in rows]

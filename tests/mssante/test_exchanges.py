"""Exchanges: opened, closed (twice), reopened, blocked; Reply-To contacts; nothing legible in the rows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from foundation.database import Database, Transaction
from mssante.address import Address, parse_address
from mssante.exchanges import Contact, Exchanges, reply_contact
from mssante.kinds import ClosedMeans, ExchangeState, Party
from mssante.mailbox import Mailbox
from mssante.mailboxes import Mailboxes
from mssante.rules import Allowed, MessageFacts, RecipientFacts, Refused, SenderFacts, decide
from mssante.tables import exchanges

ROCHE = Contact("camille.roche@medecins.example", "Dr Camille Roche", "Médecin généraliste")
WARD = Contact("cardiologie@chu.example", "Service de cardiologie")


@pytest.fixture
async def citizen(space: Any) -> int:
    box: Mailbox = await space.citizen()
    return box.id


async def open_(space: Any, citizen: int, contact: Contact = ROCHE, now: int = 1_000, **more: Any) -> Any:
    def run(tx: Transaction) -> Any:
        return space.exchanges.open_or_reopen(tx, citizen, contact, now, **more)

    return await space.db.write(run)


async def close(
    space: Any, citizen: int, address: str = ROCHE.address, means: ClosedMeans = ClosedMeans.HEADER, now: int = 2_000
) -> Any:
    return await space.db.write(space.exchanges.close, citizen, address, means, "Dr Camille Roche", now)


async def get(space: Any, citizen: int, address: str = ROCHE.address) -> Any:
    return await space.db.read(space.exchanges.get, citizen, address)


async def test_opened_once_per_contact(space: Any, citizen: int) -> None:
    first = await open_(space, citizen)
    again = await open_(space, citizen, Contact("Camille.ROCHE@medecins.example"), now=1_500)
    assert again.id == first.id
    assert (again.opened_at, again.last_message_at) == (1_000, 1_500)
    assert again.contact == ROCHE  # a message without a name does not erase the one we know
    renamed = await open_(space, citizen, Contact(ROCHE.address, "Dr C. Roche-Martin"), now=1_600)
    assert renamed.contact.name == "Dr C. Roche-Martin"
    assert await get(space, citizen) == renamed
    assert await space.db.read(space.exchanges.by_id, citizen, first.id) == renamed


async def test_closing_says_who_when_and_how(space: Any, citizen: int) -> None:
    await open_(space, citizen)
    (closed,) = await close(space, citizen)
    assert closed == await get(space, citizen)
    assert closed.state is ExchangeState.CLOSED
    assert (closed.closed_by, closed.closed_at, closed.closed_means) == ("Dr Camille Roche", 2_000, ClosedMeans.HEADER)


async def test_closing_twice_is_harmless_and_the_first_stays(space: Any, citizen: int) -> None:
    await open_(space, citizen)
    (first,) = await close(space, citizen)
    assert await close(space, citizen, means=ClosedMeans.FOLDER, now=9_000) == []
    assert await get(space, citizen) == first
    assert await close(space, citizen, "stranger@medecins.example") == []


@pytest.mark.parametrize("means", ClosedMeans)
async def test_a_later_message_reopens_whatever_closed(space: Any, citizen: int, means: ClosedMeans) -> None:
    first = await open_(space, citizen)
    await close(space, citizen, means=means)
    reopened = await open_(space, citizen, now=3_000)
    assert (reopened.id, reopened.state, reopened.opened_at) == (first.id, ExchangeState.OPEN, 1_000)
    assert (reopened.closed_at, reopened.closed_means, reopened.closed_by) == (None, None, "")


async def test_reply_to_contact_is_closed_by_whoever_opened_it(space: Any, citizen: int) -> None:
    """Dr Roche writes with Reply-To: the ward. Her [FIN] ends what her message opened; the ward's own [FIN] too."""
    await open_(space, citizen, WARD, sender=ROCHE.address)
    assert await get(space, citizen) is None
    assert [exchange.contact for exchange in await close(space, citizen)] == [WARD]
    await open_(space, citizen, WARD, sender=ROCHE.address)
    assert len(await close(space, citizen, WARD.address)) == 1
    await open_(space, citizen, WARD, sender=ROCHE.address)
    await open_(space, citizen, WARD)  # the ward itself wrote since
    assert await close(space, citizen) == []
    assert (await get(space, citizen, WARD.address)).state is ExchangeState.OPEN


async def test_block_and_unblock(space: Any, citizen: int) -> None:
    exchange = await open_(space, citizen)
    await close(space, citizen, means=ClosedMeans.CITIZEN)
    assert await space.db.write(space.exchanges.unblock, citizen, exchange.id)
    assert (await get(space, citizen)).state is ExchangeState.OPEN
    await close(space, citizen)
    assert not await space.db.write(
        space.exchanges.unblock, citizen, exchange.id
    )  # the doctor closed: not the citizen's to undo


async def test_a_block_concerns_the_contact_alone(space: Any, citizen: int) -> None:
    await open_(space, citizen)
    await open_(space, citizen, WARD, sender=ROCHE.address)
    assert [exchange.contact for exchange in await close(space, citizen, means=ClosedMeans.CITIZEN)] == [ROCHE]
    assert (await get(space, citizen, WARD.address)).state is ExchangeState.OPEN


async def test_citizens_do_not_see_each_others(space: Any, citizen: int) -> None:
    neighbour = (await space.citizen(2)).id
    mine = await open_(space, citizen)
    theirs = await open_(space, neighbour)
    assert mine.id != theirs.id
    assert await space.db.read(space.exchanges.by_id, citizen, theirs.id) is None
    await close(space, citizen)
    assert (await get(space, neighbour)).state is ExchangeState.OPEN
    assert not await space.db.write(space.exchanges.unblock, citizen, theirs.id)
    keys = await space.db.read(lambda conn: conn.execute(select(exchanges.c.contact_key)).scalars().all())
    assert len(set(keys)) == 2  # the same doctor, not comparable


async def test_list_latest_first(space: Any, citizen: int) -> None:
    await open_(space, citizen, ROCHE, 1_000)
    await open_(space, citizen, WARD, 2_000)
    await space.db.write(space.exchanges.touch, citizen, ROCHE.address, 3_000)
    await close(space, citizen, WARD.address)
    listed = await space.db.read(space.exchanges.of_citizen, citizen)
    assert [exchange.contact for exchange in listed] == [ROCHE, WARD]
    assert [e.contact for e in await space.db.read(space.exchanges.of_citizen, citizen, ExchangeState.OPEN)] == [ROCHE]


async def test_two_processes_open_the_same_exchange(space: Any, citizen: int) -> None:
    other_db = Database(space.url)
    other = Exchanges(space.keys, Mailboxes(space.keys))
    try:
        mine = [open_(space, citizen, ROCHE, now) for now in range(10)]
        theirs = [other_db.write(other.open_or_reopen, citizen, ROCHE, now) for now in range(10)]
        opened = await asyncio.gather(*mine, *theirs)
    finally:
        await asyncio.to_thread(other_db.close_now)
    assert len({exchange.id for exchange in opened}) == 1


async def test_the_facts_feed_the_rules(space: Any, citizen: int) -> None:
    def verdict(exchange: Any, now: int = 5_000) -> Any:
        return decide(
            SenderFacts(Party.CITIZEN),
            RecipientFacts(Party.PROFESSIONAL),
            None if exchange is None else exchange.facts,
            MessageFacts(),
            now,
        )

    assert verdict(await get(space, citizen)).reason.name == "never_wrote"
    await open_(space, citizen, reply_until=6_000)
    assert isinstance(verdict(await get(space, citizen)), Allowed)
    assert verdict(await get(space, citizen), 6_001).reason.name == "reply_window_over"
    await close(space, citizen)
    refused = verdict(await get(space, citizen))
    assert isinstance(refused, Refused)
    assert "Dr Camille Roche" in refused.reason.in_french(refused.detail)


async def test_rows_hold_nothing_personal_and_die_with_the_key(space: Any, citizen: int) -> None:
    await open_(space, citizen)
    await close(space, citizen)
    rows = await space.db.read(lambda conn: [list(row) for row in conn.execute(select(exchanges))])
    text = b"|".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
    assert b"oche" not in text
    assert b"decin" not in text
    assert "oche" not in repr(await get(space, citizen))
    await space.db.write(space.boxes.destroy, citizen, 9_000)
    with pytest.raises(KeyError):
        await get(space, citizen)


def test_reply_to_rule() -> None:
    sender, ward, outside = (parse_address(a) for a in ("a@m.example", "ward@chu.example", "me@mail.invalid"))
    assert isinstance(sender, Address)
    assert isinstance(ward, Address)
    assert isinstance(outside, Address)
    assert reply_contact(sender, None, lambda _: True) == sender
    assert reply_contact(sender, ward, lambda _: True) == ward
    assert reply_contact(sender, outside, lambda address: address.domain.endswith(".example")) == sender

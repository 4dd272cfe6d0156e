"""A mailbox that fills: its holder and the operator are told at 80 and 95 %, once each; full, it says so and loses nothing."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest

from foundation.database import Transaction
from foundation.jobs import Done, counts
from mailserver.delivery.api import Fate, Recipient
from mailserver.delivery.notices import Notices
from mailserver.outbound.compose import Office
from mssante.kinds import BoxKind
from mssante.mailbox import NewMailbox
from mssante.reasons import BOX_FULL
from tests.mailserver.delivery.conftest import CITIZEN, DOCTOR, PEER, SERVICE, World, mail

POSTMASTER = "postmaster@cabinet.example"
OFFICE = Office("mail.cabinet.example", POSTMASTER)


@pytest.fixture(autouse=True)
async def _handlers(world: World) -> None:
    Notices(world.space, OFFICE, world.delivery).register()


async def open_postmaster(world: World) -> None:
    def create(tx: Transaction) -> None:
        box = world.space.mailboxes.create(tx, NewMailbox(POSTMASTER, BoxKind.ORG), world.now)
        world.ids[POSTMASTER] = box.id
        world.space.store.open_box_in(tx, box.id, professional=True)

    await world.space.db.write(create)


async def fill(world: World, address: str, percent: int) -> None:
    """A message comes that fills the mailbox so far."""
    used, _ = await world.space.db.read(world.space.mailboxes.quota, world.ids[address])
    await world.space.db.write(world.space.mailboxes.set_quota, world.ids[address], (used + 1_000_000) * 100 // percent)
    await world.send(DOCTOR, [address], mail(DOCTOR, address, text="x" * 76 + "\r\n" + ("y" * 76 + "\r\n") * 12_820))


def told(content: bytes) -> tuple[str, str]:
    message = message_from_bytes(content, policy=policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    return message["Subject"], str(body.get_content())


async def test_holder_and_operator_are_told_in_words(world: World) -> None:
    await open_postmaster(world)
    await fill(world, SERVICE, 85)
    await world.space.jobs.drain()
    subject, text = told(await world.last(SERVICE))
    assert subject == "Votre boîte aux lettres est remplie à 80\u00a0%"
    assert "Rien n’est jamais effacé à votre place" in text
    assert POSTMASTER in text
    subject, text = told(await world.last(POSTMASTER))
    assert subject == "Boîte remplie à 80\u00a0%"
    assert SERVICE in text
    assert await world.space.db.read(counts) == {}


async def test_the_operator_reads_no_citizens_number(world: World) -> None:
    await open_postmaster(world)
    await fill(world, CITIZEN, 96)
    world.space.jobs.handle("notify", _done)
    await world.space.jobs.drain()
    assert told(await world.last(CITIZEN))[0] == "Votre boîte aux lettres est remplie à 95\u00a0%"
    assert CITIZEN.partition("@")[0] not in told(await world.last(POSTMASTER))[1]


async def test_the_postmaster_of_each_of_our_domains_is_that_one(world: World) -> None:
    """RFC 5321 4.5.1; another operator's domain, or a mailbox opened for it, goes its own way."""
    anywhere = "Postmaster@maison.example"
    closed = await world.send(PEER, anywhere, mail(PEER, anywhere))
    assert [one.reason and one.reason.name for one in closed.verdicts] == ["box_unknown"]
    await open_postmaster(world)
    sender = world.sender(PEER)
    for address in (POSTMASTER, anywhere):
        judged = await world.delivery.judge(sender, PEER, Recipient(address))
        assert (judged.fate, judged.recipient) == (Fate.DELIVERED, address)
        assert [one.fate for one in (await world.send(PEER, address, mail(PEER, address))).verdicts] == [Fate.DELIVERED]
    assert len(await world.rows(POSTMASTER)) == 2


async def test_without_a_postmaster_the_log_says_it_and_nothing_is_left_owed(world: World) -> None:
    await fill(world, SERVICE, 96)
    await world.space.jobs.drain()
    assert await world.space.db.read(counts) == {}


async def test_full_is_put_off_with_a_sentence_and_nothing_goes(world: World) -> None:
    await fill(world, SERVICE, 96)
    before = await world.space.db.read(world.space.mailboxes.quota, world.ids[SERVICE])
    outcome = await world.send(
        DOCTOR, [SERVICE], mail(DOCTOR, SERVICE, text="z" * 76 + "\r\n" + ("z" * 76 + "\r\n") * 9_000)
    )
    verdict = outcome.verdicts[0]
    assert (verdict.fate, verdict.reason) == (Fate.REFUSED, BOX_FULL)
    assert (BOX_FULL.code, BOX_FULL.enhanced) == (452, "4.2.2")
    assert await world.space.db.read(world.space.mailboxes.quota, world.ids[SERVICE]) == before


async def _done(*_: object) -> Done:
    return Done()

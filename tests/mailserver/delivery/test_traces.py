"""One trace a message: found by Message-ID, address and day, sealed at rest, nothing of what the message says."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from foundation.clock import DAY
from mailserver.delivery.api import Recipient
from mailserver.delivery.tables import trace_marks, trace_steps, traces
from mailserver.delivery.traces import OPENED, Step, Trace, Traces, forget
from tests.mailserver.delivery.conftest import CHILD, CITIZEN, DOCTOR, PEER, START, World, mail

TODAY = (START, START + DAY)


async def find(
    world: World, ident: str | None = None, address: str | None = None, days: tuple[int, int] = TODAY
) -> list[Trace]:
    return await world.space.db.read(Traces(world.space.keys).find, ident, address, *days, 10)


async def test_a_delivery_is_found_by_each_way(world: World) -> None:
    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, "Grossesse", "Secret", "m1", ("X-MSS-INS: O",)))
    [one] = await find(world, "<m1@x.example>")
    assert (one.message_id, one.reverse_path, one.author) == ("<m1@x.example>", DOCTOR, DOCTOR)
    assert one.recipients == ((CITIZEN, "delivered", None),)
    assert (one.door, one.headers["X-MSS-INS"], one.at) == ("submission", "O", START)
    for found in (
        await find(world, "m1@x.example"),
        await find(world, address=CITIZEN.upper()),
        await find(world, address=DOCTOR),
        await find(world, "m1@x.example", CITIZEN),
        await find(world),
    ):
        assert found == [one]
    assert await find(world, "m2@x.example") == await find(world, address=CHILD) == []
    assert await find(world, "m1@x.example", CHILD) == []
    assert await find(world, "m1@x.example", days=(START - 9 * DAY, START)) == []
    assert "Grossesse" not in repr(one)


async def test_refusals_have_their_reason_before_and_after_data(world: World) -> None:
    sender = world.sender(PEER)
    await world.delivery.judge(sender, PEER, _recipient("personne@cabinet.example"))
    world.now += 1
    await world.send(PEER, DOCTOR, mail("autre@ailleurs.example", DOCTOR))
    await world.space.db.write(lambda tx: None)  # behind what was handed in before
    early, late = await find(world, address=PEER)
    assert early.recipients == (("personne@cabinet.example", "refused", "box_unknown"),)
    assert (early.message_id, early.size) == (None, 0)
    assert late.recipients == ((DOCTOR, "refused", "from_domain_not_served"),)


async def test_the_last_try_is_the_verdict_at_another_operator(world: World) -> None:
    await world.send(DOCTOR, [PEER, CITIZEN], mail(DOCTOR, PEER))
    [(_, payload)] = await world.jobs("relay")
    name = payload["blob"][0]
    book = Traces(world.space.keys)
    for state, host in (("deferred", None), ("accepted", "mx.hopital.example")):
        await world.space.db.write(book.stepped, name, [Step(START, PEER, state, host)], START)
    [one] = await find(world, "m1@x.example")
    assert [step.state for step in one.steps] == ["deferred", "accepted"]
    assert (one.verdict(PEER), one.verdict(CITIZEN)) == ("accepted", "delivered")


async def test_the_first_final_verdict_stays_and_marks_stand_beside_it(world: World) -> None:
    await world.send(DOCTOR, PEER, mail(DOCTOR, PEER))
    [(_, payload)] = await world.jobs("relay")
    book, name = Traces(world.space.keys), payload["blob"][0]
    for number, state in enumerate(("accepted", "delivered", "failed")):
        await world.space.db.write(book.stepped, name, [Step(0, PEER, state)], START + number)
    for at in (START + 5, START + 6):
        was = await world.space.db.write(book.marked, name, PEER.upper(), OPENED, at)
        assert was == (at == START + 5)
    [one] = await find(world, "m1@x.example")
    assert (one.verdict(PEER), one.marks(PEER)) == ("delivered", {OPENED: START + 5})


async def test_nothing_readable_at_rest_and_nothing_kept_for_ever(world: World) -> None:
    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN))
    tables = (traces, trace_marks, trace_steps)
    stored = await world.space.db.read(lambda conn: [repr(conn.execute(select(table)).all()) for table in tables])
    for secret in (DOCTOR, CITIZEN, CITIZEN[:15], "m1@x", "cabinet"):
        assert secret not in "".join(stored)
    assert await world.space.db.write(forget, START) == 0
    assert await world.space.db.write(forget, START + 1) == 1
    assert await world.space.db.read(lambda conn: conn.execute(select(trace_marks)).all()) == []


@pytest.mark.parametrize("nonsense", ["", "x", "é" * 300, "<>", "a@b@c"])
async def test_any_question_has_an_answer(world: World, nonsense: str) -> None:
    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN))
    assert await find(world, "no " + nonsense) == []
    assert await find(world, address="no " + nonsense) == []


def _recipient(address: str) -> Recipient:
    return Recipient(address)

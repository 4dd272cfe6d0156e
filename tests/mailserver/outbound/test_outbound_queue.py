"""The operator's acts on the queue: what they change, what they leave alone, what the sender is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from foundation.clock import HOUR, MINUTE
from foundation.database import Transaction
from foundation.jobs import Done, Job
from mailserver.delivery.traces import Traces
from mailserver.outbound.peer import UNREACHABLE
from mailserver.outbound.queue import Chosen, State, cancel, listed, retry, shown
from mailserver.outbound.transaction import Parcel, Result
from mssante.operators import Route
from tests.mailserver.outbound.conftest import DOMAIN
from tests.mailserver.outbound.test_outbound_relay import GONE, KEYS, OK, START, A, B, World, world  # noqa: F401  a fixture


async def number(world: World) -> int:  # noqa: F811
    [only] = await world.db.read(listed, Chosen(), world.now)
    return only.id


async def test_a_waiting_message_is_seen_without_its_addresses(world: World) -> None:  # noqa: F811
    world.script = lambda address, run: UNREACHABLE
    await world.send(A)
    await world.jobs.drain()
    [one] = await world.db.read(listed, Chosen(domain=DOMAIN.upper()), world.now)
    assert (one.domain, one.state, one.attempts, one.last_reason) == (DOMAIN, State.WAITING, 1, "unreachable")
    assert (one.created_at, one.next_try) == (START, START + MINUTE)
    assert await world.db.read(listed, Chosen(domain="autre.example"), world.now) == []
    found = await world.db.read(shown, world.jobs, one.id)
    assert found is not None
    assert [to.address for to in found[1].recipients] == [A]
    assert await world.db.read(shown, world.jobs, one.id + 1) is None


async def test_the_list_is_in_the_order_of_the_tries(world: World) -> None:  # noqa: F811
    """RFC 6710 5.1: of what is due, the higher priority first; what is not due waits behind."""

    def owe(tx: Transaction) -> None:
        for lane, after, priority in (("a", 0, 0), ("b", 1, 9), ("c", -1, 0), ("d", 0, 4), ("e", 0, -4)):
            world.jobs.enqueue(tx, "relay", {}, START + after * MINUTE, lane, priority)

    await world.db.write(owe)
    found = await world.db.read(listed, Chosen(), START)
    assert [one.domain for one in found] == ["d", "c", "a", "e", "b"]
    taken: list[str] = []

    async def note(_payload: Any, job: Job) -> Done:
        taken.append(next(one.domain for one in found if one.id == job.id))
        return Done()

    world.jobs.handle("relay", note)
    await world.jobs.drain()
    assert taken == ["d", "c", "a", "e"]


@pytest.mark.parametrize("by", ["number", "domain", "all"])
async def test_retry_does_not_wait(world: World, by: str) -> None:  # noqa: F811
    world.script = lambda address, run: UNREACHABLE if run == 1 else OK
    await world.send(A)
    await world.jobs.drain()
    chosen = {"number": Chosen((await number(world),)), "domain": Chosen(domain=DOMAIN), "all": Chosen()}[by]
    assert await world.db.write(retry, Chosen(domain="autre.example"), world.now) == []
    assert await world.jobs.drain() == 0
    assert len(await world.db.write(retry, chosen, world.now)) == 1
    await world.jobs.drain()
    assert await world.states() == []


async def test_what_was_given_up_can_be_tried_again(world: World) -> None:  # noqa: F811
    world.script = lambda address, run: GONE if run == 1 else OK
    await world.send(A, reverse_path="")
    await world.run(HOUR)
    [one] = await world.db.read(listed, Chosen(), world.now)
    assert one.state is State.FAILED
    assert await world.db.write(retry, Chosen((one.id,)), world.now) == [one.id]
    await world.run(HOUR)
    assert await world.states() == []


@pytest.mark.parametrize(
    ("notify", "reverse_path", "silent", "expected"),
    [
        ([], "dr@cabinet.example", False, [(A, "failed", "5.3.0")]),
        (["NEVER"], "dr@cabinet.example", False, []),
        (["SUCCESS"], "dr@cabinet.example", False, []),
        ([], "", False, []),
        ([], "dr@cabinet.example", True, []),
    ],
)
async def test_a_cancelled_message_comes_back_once(
    world: World,  # noqa: F811
    notify: list[str],
    reverse_path: str,
    silent: bool,
    expected: list[tuple[str, str, str]],
) -> None:
    world.script = lambda address, run: UNREACHABLE
    await world.send({"address": A, "notify": notify, "orcpt": None}, reverse_path=reverse_path)
    await world.jobs.drain()
    assert len(await world.db.write(cancel, world.jobs, Traces(KEYS), Chosen(), world.now, silent)) == 1
    await world.run(100 * HOUR)
    assert world.actions() == expected
    assert len(world.conversations) == 1
    assert await world.states() == []


async def test_a_verdict_already_given_is_still_told_after_cancel(world: World) -> None:  # noqa: F811
    world.script = lambda address, run: GONE if address == A else UNREACHABLE
    world.dies = 1
    await world.send(A, B)
    await world.jobs.drain()  # the report about A is owed
    await world.db.write(cancel, world.jobs, Traces(KEYS), Chosen(), world.now, True)
    world.told.clear()
    await world.run(HOUR)
    assert world.actions() == [(A, "failed", "5.1.1")]
    assert await world.states() == []


async def test_what_is_being_tried_is_left_alone(world: World) -> None:  # noqa: F811
    reached, go = asyncio.Event(), asyncio.Event()

    async def deliver(routes: Sequence[Route], parcel: Parcel) -> dict[str, Result]:
        reached.set()
        await go.wait()
        return {one.address: OK for one in parcel.recipients}

    world.deliver = deliver  # type: ignore[method-assign]
    await world.send(A)
    trying = asyncio.create_task(world.jobs.drain())
    await reached.wait()
    assert await world.db.write(cancel, world.jobs, Traces(KEYS), Chosen(), world.now, False) == []
    assert await world.db.write(retry, Chosen(), world.now) == []
    go.set()
    await trying
    assert (await world.states(), world.told) == ([], [])

"""Promises outlive processes; the audit trail shows what was altered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import OperationalError

import foundation.jobs
from foundation import job_acts
from foundation.audit import Audit, verify
from foundation.clock import MINUTE
from foundation.database import Database, Transaction, metadata
from foundation.jobs import (
    AT_ONCE,
    IN_LANE,
    LEASE,
    Answer,
    Done,
    GiveUp,
    Handler,
    Job,
    Jobs,
    Kept,
    LeaseLost,
    Retry,
    counts,
    hurry,
)
from foundation.keys import KeyRing
from foundation.tables import audit, jobs


class Time:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


House = tuple[Database, Jobs, Time]
Seen = list[tuple[dict[str, Any], int]]  # payload and number of attempts, of each call


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    db, time = Database(f"sqlite:///{tmp_path}/t.db"), Time()
    metadata.create_all(db.engine)
    await db.start()
    yield db, Jobs(db, KeyRing(bytes(32)), time), time
    await db.close()


def answering(*answers: Answer) -> tuple[Handler, Seen]:
    seen: Seen = []

    async def handler(payload: dict[str, Any], job: Job) -> Answer:
        seen.append((payload, job.attempts))
        return answers[min(len(seen), len(answers)) - 1]

    return handler, seen


async def test_a_job_runs_once_and_goes(house: House) -> None:
    db, work, _ = house
    handler, seen = answering(Done())
    work.handle("relay", handler)
    await db.write(work.enqueue, "relay", {"to": "x@y.example"})
    await work.drain()
    assert seen == [({"to": "x@y.example"}, 1)]
    assert await db.read(counts) == {}


async def test_retry_waits_its_time_and_may_change_the_payload(house: House) -> None:
    db, work, time = house
    handler, seen = answering(Retry(MINUTE, "later", {"n": 2}), Done())
    work.handle("relay", handler)
    await db.write(work.enqueue, "relay", {"n": 1})
    await work.drain()
    await work.drain()
    assert len(seen) == 1
    time.now += MINUTE
    await work.drain()
    assert seen == [({"n": 1}, 1), ({"n": 2}, 2)]


async def test_what_gave_up_or_crashed_stays_visible(house: House) -> None:
    db, work, time = house
    handler, _ = answering(GiveUp("no route"))
    work.handle("relay", handler)

    async def crash(_payload: dict[str, Any], _job: Job) -> Answer:
        raise ZeroDivisionError

    work.handle("file", crash)
    await db.write(work.enqueue, "relay", {})
    await db.write(work.enqueue, "file", {})
    await work.drain()
    assert await db.read(counts) == {("relay", "failed"): 1, ("file", "waiting"): 1}
    time.now += MINUTE
    await work.drain()  # the crashed one again
    rows = await db.read(lambda c: c.execute(select(jobs.c.attempts, jobs.c.last_reason)).all())
    assert sorted(rows) == [(1, "no route"), (2, "ZeroDivisionError")]


async def test_a_job_of_a_killed_process_runs_again_after_its_lease(house: House) -> None:
    db, work, time = house
    handler, seen = answering(Done())
    work.handle("relay", handler)
    await db.write(work.enqueue, "relay", {})
    await db.write(lambda tx: tx.execute(update(jobs).values(state="running", lease_until=time.now + LEASE)))
    await work.drain()
    assert seen == []
    time.now += LEASE
    await work.drain()
    assert len(seen) == 1


async def test_a_slow_destination_never_holds_up_another(house: House) -> None:
    db, work, _ = house
    stuck, started = asyncio.Event(), list[str]()

    async def handler(payload: dict[str, Any], job: Job) -> Answer:
        started.append(payload["lane"])
        if payload["lane"] == "slow.example":
            await stuck.wait()
        return Done()

    def fill(tx: Any) -> None:
        for lane in [*["slow.example"] * 3 * AT_ONCE, "quick.example"]:
            work.enqueue(tx, "relay", {"lane": lane}, lane=lane)

    work.handle("relay", handler)
    await db.write(fill)
    stop = asyncio.Event()
    worker = asyncio.create_task(work.work(stop))
    async with asyncio.timeout(10):
        while "quick.example" not in started:
            await asyncio.sleep(0.01)
    assert started.count("slow.example") == IN_LANE
    stop.set()
    stuck.set()
    await worker


async def test_the_higher_priority_goes_first(house: House) -> None:
    db, work, _ = house
    seen: list[int] = []

    async def handler(payload: dict[str, Any], job: Job) -> Answer:
        seen.append(payload["n"])
        return Done()

    work.handle("relay", handler)
    for priority in (0, 4, -2, 6):
        await db.write(work.enqueue, "relay", {"n": priority}, None, "op.example", priority)
    await work.drain()
    assert seen == [6, 4, 0, -2]


@pytest.mark.parametrize("late", [Done(), GiveUp("late"), Retry(0, "late", {"n": 9})])
async def test_the_answer_of_a_worker_that_lost_its_lease_is_void(house: House, late: Answer) -> None:
    """Two workers: the first stalls beyond its lease, the second takes the job; only the second's answer counts."""
    db, first, time = house
    second = Jobs(db, KeyRing(bytes(32)), time)
    stalled, freed = asyncio.Event(), asyncio.Event()

    async def stalls(payload: dict[str, Any], job: Job) -> Answer:
        stalled.set()
        await freed.wait()
        return late

    first.handle("relay", stalls)
    second.handle("relay", answering(Retry(MINUTE, "second", {"n": 2}))[0])
    await db.write(first.enqueue, "relay", {"n": 1})
    slow = asyncio.create_task(first.drain())
    await stalled.wait()
    time.now += LEASE
    await second.drain()
    freed.set()
    await slow
    rows = await db.read(lambda c: c.execute(select(jobs.c.state, jobs.c.last_reason, jobs.c.attempts)).all())
    assert rows == [("waiting", "second", 2)]


async def test_a_promise_goes_with_what_keeps_it(house: House) -> None:
    """`keep`: in the handler's transaction, once, and only by who holds the lease."""
    db, work, _ = house
    kept = insert(audit).values(chain="c", seq=1, at=0, event="kept", actor="", details="{}", digest=b"")
    outcomes: list[str] = []

    async def keeps(payload: dict[str, Any], job: Job) -> Answer:
        def both(tx: Transaction) -> None:
            work.keep(tx, job)
            tx.execute(kept)

        await db.write(both)
        try:
            await db.write(both)
        except LeaseLost:
            outcomes.append("once")
        return Kept()

    work.handle("release", keeps)
    await db.write(work.enqueue, "release", {})
    assert await work.drain() == 1
    assert outcomes == ["once"]
    assert await db.read(counts) == {}
    assert len(await db.read(lambda c: c.execute(select(audit.c.seq)).all())) == 1


async def test_a_long_job_keeps_its_lease_and_stops_when_it_is_lost(house: House) -> None:
    db, _, time = house
    work = Jobs(db, KeyRing(bytes(32)), time, renew_every=0.01)
    ended: list[str] = []

    async def long(payload: dict[str, Any], job: Job) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        return Done()

    work.handle("relay", long)
    await db.write(work.enqueue, "relay", {})
    running = asyncio.create_task(work.drain())
    lease = select(jobs.c.lease_until)
    async with asyncio.timeout(10):
        while await db.read(lambda c: c.execute(lease).scalar_one()) == 0:
            await asyncio.sleep(0.01)
        time.now += LEASE - 1
        while await db.read(lambda c: c.execute(lease).scalar_one()) != time.now + LEASE:
            await asyncio.sleep(0.01)
        assert ended == []
        await db.write(lambda tx: tx.execute(update(jobs).values(attempts=7)))  # somebody else took it
        await running
    assert ended == ["cancelled"]


async def test_a_renewal_that_fails_once_does_not_end_the_job(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    db, _, time = house
    work = Jobs(db, KeyRing(bytes(32)), time, renew_every=0.01)
    loop, renewals = asyncio.get_running_loop(), 0
    renewed = asyncio.Event()
    renew = foundation.jobs._renew

    def faulty(tx: Transaction, job: Job, lease_until: int) -> bool:
        nonlocal renewals
        renewals += 1
        if renewals == 1:
            raise OperationalError("UPDATE", {}, Exception("disk I/O error"))
        loop.call_soon_threadsafe(renewed.set)
        return renew(tx, job, lease_until)

    async def long(payload: dict[str, Any], job: Job) -> Answer:
        await renewed.wait()
        return Done()

    monkeypatch.setattr(foundation.jobs, "_renew", faulty)
    work.handle("relay", long)
    await db.write(work.enqueue, "relay", {})
    async with asyncio.timeout(10):
        assert await work.drain() == 1
    assert renewals >= 2
    assert await db.read(counts) == {}


async def test_the_worker_wakes_at_the_commit(house: House) -> None:
    db, work, _ = house
    handler, seen = answering(Done())
    work.handle("relay", handler)
    stop = asyncio.Event()
    worker = asyncio.create_task(work.work(stop))
    await asyncio.sleep(0.05)
    await db.write(work.enqueue, "relay", {})
    for _ in range(100):
        await asyncio.sleep(0.01)
        if seen:
            break
    stop.set()
    await worker
    assert len(seen) == 1


async def test_a_recurring_job_has_one_row_for_ever(house: House) -> None:
    db, work, time = house
    handler, seen = answering(Retry(MINUTE, "again"))
    work.handle("sweep", handler)
    for _ in range(3):
        await db.write(work.ensure, "sweep")
        await work.drain()
        time.now += MINUTE
    assert [attempt for _, attempt in seen] == [1, 2, 3]
    assert await db.read(counts) == {("sweep", "waiting"): 1}


async def test_a_recurring_job_is_hurried(house: House) -> None:
    """Due at once; while it runs, once more after it: what it read may be old. Then as often as before."""
    db, work, time = house
    seen: list[int] = []

    async def handler(payload: dict[str, Any], job: Job) -> Answer:
        seen.append(time.now)
        if len(seen) == 2:
            await db.write(hurry, "sweep")
        return Retry(MINUTE, "again")

    work.handle("sweep", handler)
    await db.write(work.ensure, "sweep")
    assert await work.drain() == 1
    assert await work.drain() == 0
    await db.write(hurry, "sweep")
    assert await work.drain() == 2
    assert await db.read(lambda conn: conn.execute(select(jobs.c.due_at)).scalars().all()) == [time.now + MINUTE]
    await db.write(hurry, "nobody's")


async def test_payloads_are_sealed(house: House) -> None:
    db, work, _ = house
    await db.write(work.enqueue, "relay", {"to": "dr.exemple@medecin.example"})
    payload = await db.read(lambda c: c.execute(select(jobs.c.payload)).scalar_one())
    assert b"exemple" not in payload


async def test_the_trail_verifies_and_every_alteration_shows(house: House) -> None:
    db, _, time = house
    trail = Audit(time)
    for i in range(5):
        await db.write(trail.record, "message:mailbox:deliver", "box 1", {"n": i})
    assert await db.read(verify) == []
    await db.write(lambda tx: tx.execute(update(audit).where(audit.c.seq == 2).values(actor="box 2")))
    assert "row 2 was altered" in (await db.read(verify))[0]
    await db.write(lambda tx: tx.execute(delete(audit).where(audit.c.seq == 1)))
    assert any("row 1 is missing" in fault for fault in await db.read(verify))


async def test_time_never_goes_back_within_a_chain(house: House) -> None:
    """A small step back is how clocks are kept right; a large one begins a new chain, and shows."""
    db = house[0]
    now = [1_000_000]
    trail = Audit(lambda: now[0])
    for at in (1_000_000, 1_005_000, 1_004_000, 1_006_000, 406_000, 407_000):
        now[0] = at
        await db.write(trail.record, "message:mailbox:deliver", "box 1", {})
    rows = await db.read(lambda conn: conn.execute(select(audit)).mappings().all())
    chains: dict[str, list[tuple[int, str]]] = {}
    for row in sorted(rows, key=lambda row: (row["chain"], row["seq"])):
        chains.setdefault(row["chain"], []).append((row["at"], row["event"]))
    deliver, mark = "message:mailbox:deliver", "system:clock:set_back"
    assert sorted(chains.values()) == [
        [(406_000, mark), (406_000, deliver), (407_000, deliver)],
        [(at, deliver) for at in (1_000_000, 1_005_000, 1_005_000, 1_006_000)],
    ]
    [fault] = await db.read(verify)
    assert "row 0 is 600 s earlier than what was written before: the clock was set back" in fault


async def test_a_clock_set_back_within_one_transaction_and_one_that_fails(house: House) -> None:
    db = house[0]
    now = [1_000_000]
    trail = Audit(lambda: now[0])

    def both(tx: Transaction, fails: bool) -> None:
        for at in (1_000_000, 400_000):
            now[0] = at
            trail.record(tx, "message:mailbox:deliver", "box 1", {})
        if fails:
            raise ValueError

    with pytest.raises(ValueError):
        await db.write(both, True)
    await db.write(both, False)
    faults = await db.read(verify)
    assert len(faults) == 1
    assert "600 s" in faults[0]


@pytest.mark.parametrize("act", [job_acts.retry, job_acts.drop])
async def test_a_bad_days_jobs_are_acted_on_together(postgres_url: str, act: Callable[..., list[int]]) -> None:
    """More than a statement has places for values (65,535 on PostgreSQL)."""
    db, many = Database(postgres_url), 70_000
    columns = ("kind", "state", "payload", "due_at", "lease_until", "attempts", "created_at", "lane", "priority")
    values = "'notify', 'failed', '', 0, 0, 75, 0, '', 0"
    fill = text(f"INSERT INTO jobs ({', '.join(columns)}) SELECT {values} FROM generate_series(1, {many})")
    try:
        await db.write(lambda tx: tx.execute(fill))
        found = await db.write(act, job_acts.Chosen(state="failed"), 1)
        assert (len(found), found) == (many, sorted(found))
        assert await db.read(job_acts.listed, job_acts.Chosen(state="failed"), 1) == []
    finally:
        await db.close()

"""A promise is a row (principle 3): whatever is owed after a commit is a job written in the same transaction as its cause.

A worker takes due jobs with a lease, so that a killed process only delays them; a handler answers with a value: `Done`,
`Retry(after, reason)`, `GiveUp(reason)` or `Kept`. A job that gave up stays, visible to the operator. Payloads are sealed: they may
hold addresses. A handler may run twice (the process died between its work and its answer): it must tolerate that; but only the
answer of the worker that holds the lease counts. A job may have a lane (a destination): few of one lane run together, so that a
slow operator never holds up the others.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, and_, case, delete, func, or_, select, update

from foundation.clock import HOUR, MINUTE, Clock, system_clock
from foundation.database import Database, Transaction
from foundation.keys import KeyRing
from foundation.tables import jobs

log = structlog.get_logger()

TOPIC = "jobs"
LEASE = 5 * MINUTE
LOOK_EVERY = 5.0  # seconds between looks when no signal woke us: due times and other processes' leftovers
RENEW_EVERY = 100.0  # seconds: a third of the lease, so that one missed renewal loses nothing
AT_ONCE = 64  # jobs running together in one process
IN_LANE = 4  # of one lane, all processes together
WITHOUT_LANE = 16
LOOK_AHEAD = 4  # rows looked at for each one wanted: some are in a full lane
HURRIED = 0  # due_at of a recurring job that is wanted at once
CRASH_BACKOFF = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR)  # after an exception in a handler
CRASH_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Done:
    """The promise is kept."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not yet: again after `after` milliseconds. `reason` is a name without personal data; `payload` replaces the old one."""

    after: int
    reason: str
    payload: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Cannot be kept; stays visible to the operator."""

    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The promise was kept and its row taken away in one transaction of the handler's, by `Jobs.keep`: never kept twice."""


Answer = Done | Retry | GiveUp | Kept


class LeaseLost(Exception):
    """Another worker has the job now: nothing may be written for it."""


@dataclass(frozen=True, slots=True)
class Job:
    """The row a handler works for; `attempts` counts this one."""

    id: int
    kind: str
    attempts: int
    created_at: int
    now: int


Handler = Callable[[dict[str, Any], Job], Awaitable[Answer]]


class Jobs:
    """Writes and works the jobs of one database."""

    def __init__(
        self, db: Database, keys: KeyRing, clock: Clock = system_clock, renew_every: float = RENEW_EVERY
    ) -> None:
        self._db = db
        self._keys = keys
        self._clock = clock
        self._renew_every = renew_every
        self._handlers: dict[str, Handler] = {}
        self._recurring: set[str] = set()
        self._wake = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def handle(self, kind: str, handler: Handler) -> None:
        self._handlers[kind] = handler

    def enqueue(
        self,
        tx: Transaction,
        kind: str,
        payload: dict[str, Any],
        due_at: int | None = None,
        lane: str = "",
        priority: int = 0,
    ) -> int:
        """The promise, in the caller's transaction; returns the job's id. Workers wake at its commit.

        `lane` is readable by the operator: a domain or the number of a mailbox, never an address. Of what is due, the higher
        `priority` goes first.
        """
        now = self._clock()
        row = {
            "kind": kind,
            "state": "waiting",
            "due_at": now if due_at is None else due_at,
            "lease_until": 0,
            "attempts": 0,
            "created_at": now,
            "lane": lane,
            "priority": priority,
            "payload": self.seal(kind, payload),
        }
        tx.signal(TOPIC, 0)
        return tx.insert(jobs, row)

    def ensure(self, tx: Transaction, kind: str) -> None:
        """A recurring job: one row that its handler keeps alive by answering `Retry`; written when there is none. It never gives
        up by crashing.
        """
        self._recurring.add(kind)
        if tx.execute(select(jobs.c.id).where(jobs.c.kind == kind).limit(1)).first() is None:
            self.enqueue(tx, kind, {})

    def keep(self, tx: Transaction, job: Job) -> None:
        """The row goes with what keeps its promise; raises `LeaseLost`. The handler then answers `Kept`."""
        if tx.execute(delete(jobs).where(_held(job))).rowcount != 1:
            raise LeaseLost

    async def work(self, stop: asyncio.Event) -> None:
        """Takes due jobs until `stop`; then waits for those under way."""
        undo = self._db.subscribe(TOPIC, lambda _: self._wake.set())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                self._wake.clear()
                free = AT_ONCE - len(self._running)
                taken = await self._take(free) if free else []
                for job, sealed in taken:
                    task = asyncio.create_task(self._run(job, sealed))
                    self._running.add(task)
                    task.add_done_callback(self._finished)
                if not taken:
                    waking = asyncio.ensure_future(self._wake.wait())
                    await asyncio.wait({waking, stopping}, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
                    waking.cancel()
            if self._running:
                await asyncio.wait(self._running, timeout=10)
        finally:
            undo()
            stopping.cancel()

    async def drain(self) -> int:
        """Works all that is due now, then returns how many ran (tests, command line)."""
        count = 0
        while taken := await self._take(AT_ONCE):
            count += len(taken)
            await asyncio.gather(*(self._run(job, sealed) for job, sealed in taken))
        return count

    # ---------------------------------------------------------------- one job
    def _finished(self, task: asyncio.Task[None]) -> None:
        """What could not be written down is done again when its lease ends."""
        self._running.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.warning("job not settled", error=type(fault).__name__, where=where(fault))
        self._wake.set()

    async def _take(self, limit: int) -> list[tuple[Job, bytes]]:
        now = self._clock()
        if not await self._db.read(_any_due, list(self._handlers), now):
            return []  # the usual case costs a read, not a write transaction
        return await self._db.write(_take, list(self._handlers), limit, now)

    async def _run(self, job: Job, sealed: bytes) -> None:
        """A worker that lost its lease stops and changes nothing: the job is another's."""
        working = asyncio.ensure_future(self._answer(job, sealed))
        while not (await asyncio.wait({working}, timeout=self._renew_every))[0]:
            if not await self._renewed(job):
                working.cancel()
                await asyncio.wait({working})
                log.warning("job lease lost", kind=job.kind, job=job.id)
                return
        answer = working.result()
        if not isinstance(answer, Kept) and not await self._db.write(self._settle, job, answer):
            log.warning("job lease lost", kind=job.kind, job=job.id)

    async def _renewed(self, job: Job) -> bool:
        """False when the lease is lost. What only went wrong this time may go right the next: the lease outlasts two renewals."""
        try:
            return await self._db.write(_renew, job, self._clock() + LEASE)
        except Exception as error:
            log.warning("job lease not renewed", kind=job.kind, job=job.id, error=type(error).__name__)
            return True

    async def _answer(self, job: Job, sealed: bytes) -> Answer:
        try:
            return await self._handlers[job.kind](self.open(job.kind, sealed), job)
        except Exception as error:
            # The traceback may hold personal data in its values: the kind of error is enough to find it again.
            log.error("job crashed", kind=job.kind, job=job.id, error=type(error).__name__, where=where(error))
            return _after_crash(job, type(error).__name__, job.kind in self._recurring)

    def _settle(self, tx: Transaction, job: Job, answer: Done | Retry | GiveUp) -> bool:
        """Whether the answer counted."""
        row = _held(job)
        match answer:
            case Done():
                return tx.execute(delete(jobs).where(row)).rowcount == 1
            case Retry(after, reason, payload):
                values: dict[str, Any] = {
                    "state": "waiting",
                    "due_at": case((jobs.c.due_at == HURRIED, HURRIED), else_=self._clock() + after),
                    "lease_until": 0,
                    "last_reason": reason,
                }
                if payload is not None:
                    values["payload"] = self.seal(job.kind, payload)
                return tx.execute(update(jobs).where(row).values(**values)).rowcount == 1
            case GiveUp(reason):
                given_up = {"state": "failed", "lease_until": 0, "last_reason": reason}
                return tx.execute(update(jobs).where(row).values(**given_up)).rowcount == 1

    def seal(self, kind: str, payload: dict[str, Any]) -> bytes:
        """A payload as its row keeps it."""
        return self._keys.registry.seal(json.dumps(payload).encode(), b"job " + kind.encode())

    def open(self, kind: str, sealed: bytes) -> dict[str, Any]:
        payload: dict[str, Any] = json.loads(self._keys.registry.open(sealed, b"job " + kind.encode()))
        return payload


def hurry(tx: Transaction, kind: str) -> None:
    """The recurring job is due at once, with this commit; one under way, once more: what it has read may be old."""
    if tx.execute(update(jobs).where(jobs.c.kind == kind).values(due_at=HURRIED)).rowcount:
        tx.signal(TOPIC, 0)


def counts(conn: Connection) -> dict[tuple[str, str], int]:
    """(kind, state) -> number of jobs, for the operator."""
    rows = conn.execute(select(jobs.c.kind, jobs.c.state, func.count()).group_by(jobs.c.kind, jobs.c.state))
    return {(kind, state): count for kind, state, count in rows}


def _due(kinds: list[str], now: int) -> Any:
    waiting = and_(jobs.c.state == "waiting", jobs.c.due_at <= now)
    abandoned = and_(jobs.c.state == "running", jobs.c.lease_until <= now)
    return and_(jobs.c.kind.in_(kinds), or_(waiting, abandoned))


def _any_due(conn: Connection, kinds: list[str], now: int) -> bool:
    return conn.execute(select(jobs.c.id).where(_due(kinds, now)).limit(1)).first() is not None


def _held(job: Job) -> Any:
    """The row, as long as nobody took it anew: each taking counts one attempt more."""
    return and_(jobs.c.id == job.id, jobs.c.state == "running", jobs.c.attempts == job.attempts)


def _renew(tx: Transaction, job: Job, lease_until: int) -> bool:
    return tx.execute(update(jobs).where(_held(job)).values(lease_until=lease_until)).rowcount == 1


def _take(tx: Transaction, kinds: list[str], limit: int, now: int) -> list[tuple[Job, bytes]]:
    under_way = (
        select(jobs.c.lane, func.count().label("running"))
        .where(jobs.c.state == "running", jobs.c.lease_until > now)
        .group_by(jobs.c.lane)
    )
    lanes = Counter({row.lane: row.running for row in tx.execute(under_way)})
    full = [lane for lane, count in lanes.items() if count >= _room(lane)]
    query = (
        select(jobs)
        .where(_due(kinds, now), jobs.c.lane.not_in(full))
        .order_by(jobs.c.priority.desc(), jobs.c.due_at)
        .limit(LOOK_AHEAD * limit)
        .with_for_update(skip_locked=True)
    )
    taken: list[tuple[Job, bytes]] = []
    for row in tx.execute(query).all():
        if len(taken) < limit and lanes[row.lane] < _room(row.lane):
            lanes[row.lane] += 1
            taken.append((Job(row.id, row.kind, row.attempts + 1, row.created_at, now), row.payload))
    if taken:
        ids = [job.id for job, _ in taken]
        values: dict[str, Any] = {"state": "running", "lease_until": now + LEASE, "attempts": jobs.c.attempts + 1}
        values["due_at"] = case((jobs.c.due_at == HURRIED, now), else_=jobs.c.due_at)
        tx.execute(update(jobs).where(jobs.c.id.in_(ids)).values(**values))
    return taken


def _room(lane: str) -> int:
    return IN_LANE if lane else WITHOUT_LANE


def _after_crash(job: Job, reason: str, recurring: bool) -> Answer:
    if job.attempts >= CRASH_LIMIT and not recurring:
        return GiveUp(reason)
    return Retry(CRASH_BACKOFF[min(job.attempts, len(CRASH_BACKOFF)) - 1], reason)


def where(error: BaseException) -> str:
    """File and line of the innermost frame, without values."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename.rsplit('/', 2)[-1]}:{trace.tb_lineno}"

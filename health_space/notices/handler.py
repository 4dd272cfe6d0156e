"""Job `notify` {box_id, kind, targets?, content?}: rings the bell, then writes to the private addresses.

The job is in the transaction of its cause (principle 3). Running twice rings once; an e-mail leaves twice only when the process
dies between the relay's answer and ours. Addresses never appear in a log or a reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from foundation.clock import HOUR, MINUTE
from foundation.database import Database, Transaction
from foundation.jobs import Answer, Done, GiveUp, Job, Retry
from foundation.keys import KeyRing
from health_space.notices import operations
from health_space.notices.rules import Addressee, Kind, mail

Send = Callable[[str, str, str], Awaitable[None]]  # (to, subject, text); raises when the relay did not take it
Notified = Callable[[Transaction, int, str, int], None]  # (tx, box, `content`, now): somebody was written to about it
Addressees = Callable[[Connection, int], list[Addressee] | None]  # None: this profile wants no notice (opposed, closed)

BACKOFF = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR)  # then hourly
TRIES = 75  # about three days


class Notifier:
    """The handler of `notify` jobs."""

    def __init__(
        self, db: Database, keys: KeyRing, addressees: Addressees, send: Send, notified: Notified | None = None
    ) -> None:
        self._db = db
        self._keys = keys
        self._addressees = addressees
        self._send = send
        self._notified = notified

    async def __call__(self, payload: dict[str, Any], job: Job) -> Answer:
        box_id, kind = int(payload["box_id"]), Kind(payload["kind"])
        people = await self._db.read(self._addressees, box_id)
        if people is None:
            return Done()
        targets = payload.get("targets", [])
        cause = _cause(job, box_id, kind, targets)
        await self._db.write(operations.ring, self._keys, box_id, kind, targets, cause, job.created_at)
        if not people:
            # A letter is owed when no address is known: the row says so, the operator's print run will read it.
            await self._db.write(operations.note_mail, cause, "no_address")
            return Done()
        return await self._write_to(people, kind, payload, job, cause)

    async def _write_to(
        self, people: list[Addressee], kind: Kind, payload: dict[str, Any], job: Job, cause: bytes
    ) -> Answer:
        done: list[str] = payload.get("done", [])
        for person in people:
            if person.email in done:
                continue
            words = mail(kind, person)
            try:
                await self._send(person.email, words.subject, words.text)
            except Exception as error:
                return await self._later(type(error).__name__, {**payload, "done": done}, job, cause)
            done = [*done, person.email]
        await self._db.write(self._written, payload, job, cause)
        return Done()

    def _written(self, tx: Transaction, payload: dict[str, Any], job: Job, cause: bytes) -> None:
        operations.note_mail(tx, cause, "sent")
        if self._notified is not None and (content := payload.get("content")):
            self._notified(tx, int(payload["box_id"]), content, job.now)

    async def _later(self, reason: str, payload: dict[str, Any], job: Job, cause: bytes) -> Answer:
        if job.attempts >= TRIES:
            await self._db.write(operations.note_mail, cause, "failed")
            return GiveUp(reason)
        return Retry(BACKOFF[min(job.attempts, len(BACKOFF)) - 1], reason, payload)


def _cause(job: Job, box_id: int, kind: Kind, targets: list[str]) -> bytes:
    """Names the job for good. Its id alone does not: SQLite gives the id of a job that is done and deleted to the next one."""
    text = f"{job.id} {job.created_at} {box_id} {kind.value} {targets}"
    return sha256(text.encode()).digest()[:16]

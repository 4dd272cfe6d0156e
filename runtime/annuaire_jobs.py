"""The Annuaire Santé followed while the server runs, and our mailboxes published there: two recurring jobs, with a lease as all
have, so that one process of many does it. What became of the last time lies sealed in the job's row; `mssante directory status`
and the log say it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, func, select

from foundation.clock import DAY, HOUR, MINUTE
from foundation.jobs import Answer, Handler, Job, Retry
from foundation.tables import jobs
from mssante.mailbox import Mailbox
from mssante.mailboxes import PUBLISHING
from mssante.registers.annuaire import NotTaken, Server, Unanswered
from mssante.registers.publishing import NoIdentifier
from mssante.registers.syncing import sync
from mssante.tables import directory_entries, directory_imports
from runtime.annuaire import SYSTEM, put, server_of, those_changed
from runtime.house import House

log = structlog.get_logger()

FOLLOW, PUBLISH = "annuaire", PUBLISHING
AGAIN = 15 * MINUTE  # after a failure


@dataclass(frozen=True, slots=True)
class Past:
    """Moments (ms; 0: never) of the last success and of the failure after it, with its reason for the operator."""

    done_at: int = 0
    failed_at: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one job. `next_at` 0: it is not there; `stale`: no success for longer than the settings take."""

    past: Past
    next_at: int = 0
    stale: bool = False


def following(house: House) -> Handler:
    every = house.settings.annuaire.sync_minutes * MINUTE

    async def follow(payload: dict[str, Any], job: Job) -> Answer:
        try:
            found = await sync(house.db, house.keys, server_of(house), house.clock)
        except (OSError, ValueError, Unanswered) as fault:
            return _failed(house, payload, job, str(fault), every)
        if found.entries or found.gone or found.roles:
            await house.db.write(house.audit.record, "system:directory:sync", SYSTEM, asdict(found))
        log.info("directory_followed", resources=found.resources, entries=found.entries, gone=found.gone)
        return Retry(every, "done", asdict(Past(house.clock())))

    return follow


def publishing(house: House) -> Handler:
    """What changed is told as often as the settings say; by command only: what must be told no longer, at once all the same."""
    hours = house.settings.annuaire.publish_hours
    every = hours * HOUR or DAY

    async def publish(payload: dict[str, Any], job: Job) -> Answer:
        done = Counter[str]()
        try:
            server = server_of(house)
            async for box in those_changed(house, withdrawn_only=not hours):
                done[await _put(house, server, box)] += 1
        except (OSError, ValueError, Unanswered) as fault:
            return _failed(house, payload, job, str(fault), every)
        log.info("directory_published", **done)
        return Retry(every, "done", asdict(Past(house.clock())))

    return publish


async def _put(house: House, server: Server, box: Mailbox) -> str:
    """What was done, or why not: one that is not taken holds up no other."""
    try:
        return (await put(house, server, box, SYSTEM)).value
    except NoIdentifier:
        return "no_identifier"
    except NotTaken as fault:
        log.warning("mailbox_not_published", box=box.id, reason=str(fault))
        return "refused"


def _failed(house: House, payload: dict[str, Any], job: Job, why: str, every: int) -> Retry:
    past, now = Past(**payload), house.clock()
    log.warning("annuaire_failed", job=job.kind, reason=why)
    if _stale(house, past.done_at or job.created_at, now):
        log.error("annuaire_stale", job=job.kind, hours=(now - (past.done_at or job.created_at)) // HOUR)
    return Retry(min(every, AGAIN), "failed", asdict(Past(past.done_at, now, why)))


def _stale(house: House, since: int, now: int) -> bool:
    return now - since > house.settings.annuaire.stale_hours * HOUR


# -------------------------------------------------------------------- looked at
def standing(conn: Connection, house: House, kind: str) -> Standing:
    row = conn.execute(select(jobs).where(jobs.c.kind == kind)).first()
    if row is None:
        return Standing(Past())
    past = Past(**house.jobs.open(kind, row.payload))
    return Standing(past, row.due_at, _stale(house, past.done_at or row.created_at, house.clock()))


def entries(conn: Connection) -> dict[str, int]:
    """How many entries there are, by where they come from."""
    counted = select(directory_entries.c.source, func.count()).group_by(directory_entries.c.source)
    return {row[0]: row[1] for row in conn.execute(counted)}


def last_file(conn: Connection) -> tuple[int, int, bool] | None:
    """(when, lines, whether it was finished) of the last extraction file."""
    newest = select(directory_imports).where(directory_imports.c.position > 0).order_by(directory_imports.c.id.desc())
    row = conn.execute(newest.limit(1)).first()
    return None if row is None else (row.finished_at or row.started_at, row.lines, row.finished_at is not None)


def followed_at(conn: Connection) -> int | None:
    """When the directory last came to an end with the server, by job or by command."""
    ended = select(func.max(directory_imports.c.finished_at)).where(directory_imports.c.position == 0)
    return conn.execute(ended).scalar()


def brought_up_at(conn: Connection) -> int | None:
    """When the directory was last brought up to date, by a file or by the server."""
    return conn.execute(select(func.max(directory_imports.c.finished_at))).scalar()

"""What is kept, and where: keys, database, disk, backups, the jobs that come again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, make_url, select
from sqlalchemy.exc import SQLAlchemyError

from foundation import retention
from foundation.clock import DAY, HOUR, SECOND
from foundation.database import Database
from foundation.keys import KEY_BYTES
from foundation.tables import audit, jobs
from mailserver.delivery.traces import older
from mailserver.outbound.queue import KIND as RELAY
from mssante import approvers
from runtime.annuaire_jobs import FOLLOW, followed_at
from runtime.command_words import moment
from runtime.doctor.database import looked_into, schema
from runtime.doctor.faults import kept as faults
from runtime.doctor.faults.machine import CLOCK_BEHIND
from runtime.doctor.finding import Finding, as_note, private, unreadable
from runtime.settings import Settings
from runtime.sweep import TRACES
from runtime.time_check import behind

LOW_DISK = 2 * 1024**3
FULL_DISK = 200 * 1024**2
LATE_JOBS = HOUR
LATE_MAIL = 4 * HOUR
MADE = "operator:backup:make"


def keys(settings: Settings, _now: int) -> Iterator[Finding]:
    path = settings.storage.master_key
    if not path.exists():
        yield faults.KEY_MISSING.at(path=path)
        return
    if path.stat().st_size != KEY_BYTES:
        yield faults.KEY_SIZE.at(path=path, octets=KEY_BYTES)
    yield from private(faults.KEY_OPEN, path)


def secrets(settings: Settings, _now: int) -> Iterator[Finding]:
    """Files that hold what others must not read, beside those whose own check looks."""
    if (path := settings.annuaire.key) is not None:
        absent = unreadable(faults.ANNUAIRE_KEY, path)
        yield from private(faults.SECRET_OPEN, path) if path.exists() else (absent,)
    url = make_url(settings.storage.database)
    if url.get_backend_name() == "sqlite" and url.database:
        yield from map(as_note, private(faults.SECRET_OPEN, Path(url.database)))
    for folder in (settings.storage.blobs, settings.outbox.folder):
        if folder is not None and folder.exists() and folder.stat().st_mode & 0o077:
            yield faults.FOLDER_OPEN.at(path=folder)


def database(settings: Settings, now: int, running: bool = False) -> Iterator[Finding]:
    """Version of the schema, age of the last backup and, while the server runs, whether its jobs are worked."""
    yield from looked_into(settings, lambda conn: _looked_at(conn, settings, now, running))


def _looked_at(conn: Connection, settings: Settings, now: int, running: bool) -> Iterator[Finding]:
    if found := list(schema(conn)):
        yield from found
        return
    if late := behind(conn, now):
        yield CLOCK_BEHIND.at(seconds=late // SECOND)
    yield from _backup(conn, settings, now)
    yield from _directory(conn, settings, now)
    yield from _retention(conn, settings, now)
    if running:
        yield from _jobs(conn, settings, now)
    yield from _queue(conn, now)


def _last(conn: Connection, event: str | None) -> int | None:
    """When it was last written in the audit trail; for None, when the trail begins."""
    query = (
        select(func.min(audit.c.at)) if event is None else select(func.max(audit.c.at)).where(audit.c.event == event)
    )
    found: int | None = conn.execute(query).scalar_one()
    return found


def operators(settings: Settings, now: int) -> Iterator[Finding]:
    """Who lets people in again; who came or left lately is told, so that nobody does so unseen."""
    try:
        db = Database(settings.storage.database)
        found = db.read_now(approvers.of_all)
        db.close_now()
    except (SQLAlchemyError, OSError):
        return  # told by `database`, or of an older version
    usable = [one.name for one in found if one.counts(now)]
    if not found:
        yield faults.OPERATORS_NONE.at()
    elif len(usable) < 2:
        yield faults.OPERATORS_FEW.at(names=", ".join(usable) or "-")
    for one in found:
        if not one.removed_at and one.usable_at > now:
            yield faults.OPERATOR_NEW.at(name=one.name, by=one.vouched_by or "-", when=moment(one.usable_at))
        if one.removed_at and now - one.removed_at < approvers.WAITS:
            yield faults.OPERATOR_LEFT.at(name=one.name)


def _backup(conn: Connection, settings: Settings, now: int) -> Iterator[Finding]:
    allowed = settings.storage.backup_hours
    made = _last(conn, MADE)
    since = _last(conn, None) if made is None else made
    if not allowed or since is None or now - since <= allowed * HOUR:
        return
    hours = (now - since) // HOUR
    fr = f"la dernière a {hours} heures" if made is not None else f"aucune, après {hours} heures de service"
    en = f"the last one is {hours} hours old" if made is not None else f"none, after {hours} hours of service"
    yield faults.BACKUP.at(age=f"{fr} // {en}")


def _directory(conn: Connection, settings: Settings, now: int) -> Iterator[Finding]:
    at = followed_at(conn)
    if settings.annuaire.url and at is not None and now - at > settings.annuaire.stale_hours * HOUR:
        yield faults.DIRECTORY_STALE.at(days=(now - at) // DAY)


def _retention(conn: Connection, settings: Settings, now: int) -> Iterator[Finding]:
    """What a lower setting will erase, from the moment that it stands in the file."""
    days, before = settings.limits.trace_days, retention.found(conn, TRACES)
    after = None if before is None else before.asked(days, now)
    if before is None or after is None or after.lowered_to is None:
        return
    going = older(conn, after.acts_at - after.lowered_to * DAY)
    day = datetime.fromtimestamp(after.acts_at / 1000, UTC).date()
    yield faults.RETENTION_LOWERED.at(before=before.days, after=days, count=going, day=day)


def _jobs(conn: Connection, settings: Settings, now: int) -> Iterator[Finding]:
    followed = (FOLLOW,) if settings.annuaire.url and settings.annuaire.sync_minutes else ()
    late = (jobs.c.kind.in_(("sweep", "crl", "trust-list", *followed))) & (jobs.c.due_at < now - LATE_JOBS)
    for kind in conn.execute(select(jobs.c.kind).where(late, jobs.c.lease_until < now).order_by(jobs.c.kind)).scalars():
        yield faults.JOB_LATE.at(kind=kind)


def _queue(conn: Connection, now: int) -> Iterator[Finding]:
    """Mail that other operators have not taken for hours, and jobs that nobody will try again."""
    reason = func.max(jobs.c.last_reason)
    waiting = (jobs.c.kind == RELAY) & (jobs.c.state == "waiting") & (jobs.c.created_at < now - LATE_MAIL)
    late = select(jobs.c.lane, func.count(), func.min(jobs.c.created_at), reason).where(waiting)
    for domain, count, since, why in conn.execute(late.group_by(jobs.c.lane).order_by(jobs.c.lane)):
        yield faults.QUEUE_WAITS.at(domain=domain, count=count, hours=(now - since) // HOUR, reason=why or "-")
    failed = select(jobs.c.kind, func.count(), reason).where(jobs.c.state == "failed")
    for kind, count, why in conn.execute(failed.group_by(jobs.c.kind).order_by(jobs.c.kind)):
        yield faults.JOBS_FAILED.at(kind=kind, count=count, reason=why or "-")


def disk(settings: Settings, _now: int) -> Iterator[Finding]:
    url = make_url(settings.storage.database)
    places = [settings.storage.blobs, settings.outbox.folder]
    if url.get_backend_name() == "sqlite" and url.database:
        places.append(Path(url.database).parent)
    seen = set[int]()
    for folder in dict.fromkeys(_existing(place) for place in places if place is not None):
        if not os.access(folder, os.W_OK):
            yield faults.DISK_UNWRITABLE.at(path=folder)
        device, free = folder.stat().st_dev, shutil.disk_usage(folder).free
        if free < LOW_DISK and device not in seen:
            low = faults.DISK_LOW
            yield (low.fatally if free < FULL_DISK else low.at)(megabytes=free // 1024**2, path=folder)
        seen.add(device)


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder

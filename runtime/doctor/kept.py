"""What is kept, and where: keys, database, disk, backups, the jobs that come again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, func, inspect, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError

from foundation import retention
from foundation.clock import DAY, HOUR, SECOND
from foundation.database import Database
from foundation.keys import KEY_BYTES
from foundation.tables import audit, jobs
from mailserver.delivery.traces import older
from runtime.annuaire_jobs import FOLLOW, followed_at
from runtime.doctor.finding import Finding, missing, private
from runtime.doctor.machine import CLOCK
from runtime.schema import knows, newest
from runtime.settings import Settings
from runtime.sweep import TRACES
from runtime.time_check import behind

KEY = "clé maîtresse // master key"
DATABASE = "base de données // database"
BACKUP = "sauvegarde // backup"
DISK = "disque // disk"
RETENTION = "conservation // retention"
SECRETS = "secrets // secrets"
TIMERS = "travaux périodiques // recurring jobs"
LOW_DISK = 2 * 1024**3
FULL_DISK = 200 * 1024**2
LATE_JOBS = HOUR
MADE = "operator:backup:make"


def keys(settings: Settings, _now: int) -> Iterator[Finding]:
    path = settings.storage.master_key
    if not path.exists():
        yield Finding(
            KEY,
            f"{path} manque : mssante init en fait une, ou remettez celle qui servait // "
            f"{path} is missing: run mssante init, or restore it from its backup",
        )
        return
    if path.stat().st_size != KEY_BYTES:
        yield Finding(KEY, f"{path} doit avoir {KEY_BYTES} octets // {path} must hold {KEY_BYTES} bytes")
    yield from private(KEY, path)


def secrets(settings: Settings, _now: int) -> Iterator[Finding]:
    """Files that hold what others must not read, beside those whose own check looks."""
    if (path := settings.annuaire.key) is not None:
        yield from private(SECRETS, path) if path.exists() else (missing(SECRETS, path),)
    url = make_url(settings.storage.database)
    if url.get_backend_name() == "sqlite" and url.database:
        yield from (replace(one, fatal=False) for one in private(SECRETS, Path(url.database)))
    for folder in (settings.storage.blobs, settings.outbox.folder):
        if folder is not None and folder.exists() and folder.stat().st_mode & 0o077:
            others = (
                f"{folder} est ouvert à d’autres comptes : chmod 700 // {folder} is open to other users: chmod 700 it"
            )
            yield Finding(SECRETS, others, fatal=False)


def database(settings: Settings, now: int, running: bool = False) -> Iterator[Finding]:
    """Version of the schema, age of the last backup and, while the server runs, whether its jobs are worked."""
    url = make_url(settings.storage.database)
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        yield Finding(DATABASE, f"{shown} n’existe pas : mssante init // {shown} does not exist: run mssante init")
        return
    try:
        db = Database(settings.storage.database)
    except (SQLAlchemyError, OSError) as fault:
        name = type(fault).__name__
        yield Finding(DATABASE, f"{shown} ne s’ouvre pas ({name}) // {shown} cannot be opened ({name})")
        return
    try:
        found = db.read_now(lambda conn: list(_looked_at(conn, settings, now, running)))
    except SQLAlchemyError as fault:
        name = type(fault).__name__
        found = [
            Finding(
                DATABASE,
                f"{shown} ne peut pas être lue ({name}) : la base répond-elle ? mssante init l’a-t-il préparée ? // "
                f"{shown} cannot be read ({name}): does the database answer? If it is new, run mssante init",
            )
        ]
    finally:
        db.close_now()
    yield from found


def _looked_at(conn: Connection, settings: Settings, now: int, running: bool) -> Iterator[Finding]:
    if not inspect(conn).has_table("alembic_version"):
        yield Finding(DATABASE, "elle est vide : mssante init // it is empty: run mssante init")
        return
    version = conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() or ""
    if not knows(version):
        yield Finding(
            DATABASE,
            f"son schéma ({version}) est d’une version plus récente : mettez le logiciel à jour // "
            f"its schema ({version}) is of a newer version: update the software",
        )
        return
    if version != newest():
        yield Finding(
            DATABASE,
            f"son schéma ({version}) sera mis à jour ({newest()}) au démarrage : faites d’abord une sauvegarde // "
            f"its schema ({version}) will be migrated (to {newest()}) at the start: make a backup first",
            fatal=False,
        )
        return
    if late := behind(conn, now):
        seconds = late // SECOND
        yield Finding(
            CLOCK,
            f"elle est de {seconds} s avant les messages déjà jugés : elle retarde, ou elle a trop avancé : vérifiez-la // "
            f"it is {seconds} s before messages that were judged already: it is slow now, or it was fast then: check it",
            fatal=False,
        )
    yield from _backup(conn, settings, now)
    yield from _directory(conn, settings, now)
    yield from _retention(conn, settings, now)
    if running:
        yield from _jobs(conn, settings, now)


def _last(conn: Connection, event: str | None) -> int | None:
    """When it was last written in the audit trail; for None, when the trail begins."""
    query = (
        select(func.min(audit.c.at)) if event is None else select(func.max(audit.c.at)).where(audit.c.event == event)
    )
    found: int | None = conn.execute(query).scalar_one()
    return found


def _backup(conn: Connection, settings: Settings, now: int) -> Iterator[Finding]:
    allowed = settings.storage.backup_hours
    made = _last(conn, MADE)
    since = _last(conn, None) if made is None else made
    if not allowed or since is None or now - since <= allowed * HOUR:
        return
    hours = (now - since) // HOUR
    fr = f"la dernière a {hours} heures" if made is not None else f"aucune, après {hours} heures de service"
    en = f"the last one is {hours} hours old" if made is not None else f"none, after {hours} hours of service"
    yield Finding(BACKUP, f"{fr} : mssante backup DOSSIER // {en}: mssante backup FOLDER", fatal=False)


def _directory(conn: Connection, settings: Settings, now: int) -> Iterator[Finding]:
    at = followed_at(conn)
    if settings.annuaire.url and at is not None and now - at > settings.annuaire.stale_hours * HOUR:
        days = (now - at) // DAY
        yield Finding(
            "annuaire // directory",
            f"suivi pour la dernière fois il y a {days} jours : mssante directory status // "
            f"last followed {days} days ago: mssante directory status",
            fatal=False,
        )


def _retention(conn: Connection, settings: Settings, now: int) -> Iterator[Finding]:
    """What a lower setting will erase, from the moment that it stands in the file."""
    days, before = settings.limits.trace_days, retention.found(conn, TRACES)
    after = None if before is None else before.asked(days, now)
    if before is None or after is None or after.lowered_to is None:
        return
    going = older(conn, after.acts_at - after.lowered_to * DAY)
    day = datetime.fromtimestamp(after.acts_at / 1000, UTC).date()
    yield Finding(
        RETENTION,
        f"limits.trace_days passe de {before.days} à {days} : {going} traces de messages seront effacées le {day}, et on ne "
        f"pourra plus dire ce que ces messages sont devenus ; pour les garder, remettez {before.days} avant // "
        f"limits.trace_days goes from {before.days} to {days}: {going} traces of messages will be erased on {day}, and nobody "
        f"will be able to say what became of these messages; to keep them, set {before.days} again before",
        fatal=False,
    )


def _jobs(conn: Connection, settings: Settings, now: int) -> Iterator[Finding]:
    followed = (FOLLOW,) if settings.annuaire.url and settings.annuaire.sync_minutes else ()
    late = (jobs.c.kind.in_(("sweep", "crl", "trust-list", *followed))) & (jobs.c.due_at < now - LATE_JOBS)
    for kind in conn.execute(select(jobs.c.kind).where(late, jobs.c.lease_until < now).order_by(jobs.c.kind)).scalars():
        yield Finding(
            TIMERS,
            f"« {kind} » attend depuis plus d’une heure : le rôle jobs tourne-t-il ? // "
            f"« {kind} » waits for more than an hour: does a process play the role jobs?",
            fatal=False,
        )


def disk(settings: Settings, _now: int) -> Iterator[Finding]:
    url = make_url(settings.storage.database)
    places = [settings.storage.blobs, settings.outbox.folder]
    if url.get_backend_name() == "sqlite" and url.database:
        places.append(Path(url.database).parent)
    seen = set[int]()
    for folder in dict.fromkeys(_existing(place) for place in places if place is not None):
        if not os.access(folder, os.W_OK):
            yield Finding(
                DISK, f"ce compte ne peut pas écrire dans {folder} // {folder} cannot be written by this user"
            )
        device, free = folder.stat().st_dev, shutil.disk_usage(folder).free
        if free < LOW_DISK and device not in seen:
            megabytes = free // 1024**2
            text_ = f"{megabytes} Mo libres sous {folder} : faites de la place // {megabytes} MB free below {folder}: make room"
            yield Finding(DISK, text_, fatal=free < FULL_DISK)
        seen.add(device)


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder

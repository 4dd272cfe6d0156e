"""The database opened for a look: whether it is there, can be read, and is of this version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from foundation.database import Database
from runtime.doctor.faults import kept as faults
from runtime.doctor.finding import Finding
from runtime.schema import knows, newest
from runtime.settings import Settings


def unusable(settings: Settings) -> list[Finding]:
    """Why commands cannot use the database as it is."""
    return list(looked_into(settings, schema))


def looked_into(settings: Settings, look: Callable[[Connection], Iterator[Finding]]) -> Iterator[Finding]:
    """What `look` finds in it, or why nobody can look."""
    url = make_url(settings.storage.database)
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        yield faults.DATABASE_MISSING.at(url=shown)
        return
    try:
        db = Database(settings.storage.database)
    except (SQLAlchemyError, OSError) as fault:
        yield faults.DATABASE_CLOSED.at(url=shown, why=type(fault).__name__)
        return
    try:
        found = db.read_now(lambda conn: list(look(conn)))
    except SQLAlchemyError as fault:
        found = [faults.DATABASE_UNREADABLE.at(url=shown, why=type(fault).__name__)]
    finally:
        db.close_now()
    yield from found


def schema(conn: Connection) -> Iterator[Finding]:
    """Whether it is the one that this version writes."""
    if not inspect(conn).has_table("alembic_version"):
        yield faults.DATABASE_EMPTY.at()
        return
    version = conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() or ""
    if not knows(version):
        yield faults.DATABASE_NEWER.at(version=version)
    elif version != newest():
        yield faults.DATABASE_OLDER.at(version=version, newest=newest())

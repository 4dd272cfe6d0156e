"""The schema of the whole house: every package's tables on one MetaData, and the migrations that bring a database there.

Two processes that start together do not migrate twice: SQLite's writer lock and PostgreSQL's advisory lock make them queue.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text

import citizen_inbox.tables
import foundation.tables
import foundation.web.tables
import health_space.dossier.tables
import health_space.notices.tables
import health_space.profiles.tables
import mailserver.delivery.tables
import mailserver.store.tables
import mssante.tables
from foundation.database import metadata

METADATA = metadata


class StoreTooOld(Exception):
    """No migration leads from this store to the schema of today; `str` says it to the operator."""


_LOCK = 7_465_001  # of our own choice: advisory locks share one number space in a PostgreSQL database


def config() -> Config:
    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return found


def knows(revision: str) -> bool:
    """Whether this version can read, or migrate, a store that stands at `revision`."""
    return revision in {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}


def newest() -> str:
    """The revision that `upgrade` leads to."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


def found(url: str) -> bool:
    """Whether there is a store at `url`; none is made by asking. Raises SQLAlchemyError."""
    where = make_url(url)
    if where.get_backend_name() == "sqlite":
        file = Path(where.database or "")
        return file.is_file() and file.stat().st_size > 0
    engine = create_engine(url)
    try:
        return inspect(engine).has_table("alembic_version")
    finally:
        engine.dispose()


def upgrade(url: str) -> None:
    """Creates or migrates the database at `url` to the newest schema; raises `StoreTooOld` and changes nothing."""
    engine = create_engine(url)
    try:
        with _alone(engine), engine.begin() as conn:
            alembic = config()
            alembic.attributes["connection"] = conn
            command.upgrade(alembic, "head")
    finally:
        engine.dispose()


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection | None]:
    if engine.dialect.name == "sqlite":
        path = Path(str(make_url(engine.url).database) + ".migration.lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        Path(str(engine.url.database)).touch(mode=0o600)  # its -wal and -shm take its mode
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield None
        return
    with engine.connect() as conn:
        conn.execute(text("SELECT pg_advisory_lock(:n)"), {"n": _LOCK})
        try:
            yield conn
        finally:
            conn.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": _LOCK})

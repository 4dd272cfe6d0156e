"""The database's part of a backup: one moment of it into a file, and back into an empty place.

SQLite: its online backup, in one step; writers do not wait. PostgreSQL: `pg_dump` and `pg_restore`, on a snapshot that also tells
the names of the blobs. What comes back is numbered on, far above: numbers that were given after the backup must not be given again
to something else, and mail clients must forget what they knew (UIDVALIDITY, RFC 9051 2.3.1.1).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, create_engine, inspect, make_url, select, text, update

from foundation.database import Database
from foundation.tables import blobs
from mailserver.store.tables import folders
from runtime.schema import METADATA

T = TypeVar("T")

JUMP = 1_000_000  # more than one day gives; UIDVALIDITY has 32 bits: room for 4,000 restores


@dataclass(frozen=True, slots=True)
class Taken:
    """`blobs`: names and sizes of those that are files; `schema`: the migration it stands at."""

    file: Path
    schema: str
    blobs: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Failed:
    """`damaged`: the database itself is not sound."""

    said: str
    damaged: bool = False


def take(db: Database, folder: Path) -> Taken | Failed:
    return _copy(db, folder / "mssante.db") if db.dialect == "sqlite" else _dump(db, folder / "mssante.dump")


def bring_back(file: Path, url: str) -> Failed | None:
    """Into the empty place `url`."""
    if dialect(url) == "sqlite":
        _put(file, Path(str(make_url(url).database)))
        return None
    done = _run(
        "pg_restore", url, "--no-owner", "--exit-on-error", "--single-transaction", "--dbname", _libpq(url), file
    )
    if done is None:
        _within(url, _number_on)
    return done


def dialect(url: str) -> str:
    return make_url(url).get_backend_name()


def shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def in_use(url: str) -> bool:
    """Whether something is there already."""
    found = make_url(url)
    if found.get_backend_name() == "sqlite":
        return Path(str(found.database)).exists()
    return bool(_within(url, lambda conn: inspect(conn).get_table_names()))


# ---------------------------------------------------------------- SQLite
def _copy(db: Database, target: Path) -> Taken | Failed:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(str(db.url.database))) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        sound = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if sound != "ok":
        return Failed(str(sound), damaged=True)
    schema, names = _within(f"sqlite:///{target}", _facts)
    _sync(target)
    return Taken(target, schema, names)


def _put(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(target.name + ".restoring")
    for leftover in target.parent.glob(aside.name + "*"):
        leftover.unlink()
    for stale in ("-wal", "-shm"):  # of a database that is gone: they would be played into this one
        target.with_name(target.name + stale).unlink(missing_ok=True)
    os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    shutil.copyfile(file, aside)
    _within(f"sqlite:///{aside}", _number_on)
    _sync(aside)
    aside.rename(target)
    _sync(target.parent)


# ---------------------------------------------------------------- PostgreSQL
def _dump(db: Database, target: Path) -> Taken | Failed:
    url = db.url.render_as_string(hide_password=False)
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as conn:
        snapshot = conn.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        schema, names = _facts(conn)
        # Most of it is sealed and cannot be made smaller: level 1 takes a third of the CPU of 6, and 3 % more room (measured)
        how = ("--format=custom", "--compress=1", "--no-owner", f"--snapshot={snapshot}", f"--file={target}")
        failed = _run("pg_dump", url, *how, _libpq(url))
    if failed is not None:
        return failed
    target.chmod(0o600)
    _sync(target)
    return Taken(target, schema, names)


def _run(tool: str, url: str, *words: str | Path) -> Failed | None:
    password = make_url(url).password
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    try:
        done = subprocess.run([tool, *map(str, words)], capture_output=True, text=True, env=environment, check=False)
    except FileNotFoundError:
        return Failed(f"{tool}: not installed")
    return Failed(done.stderr.strip() or tool) if done.returncode else None


def _libpq(url: str) -> str:
    """For PostgreSQL's own tools; without the password, which other users of the machine could read among the processes."""
    found: URL = make_url(url)
    return found._replace(drivername="postgresql", password=None).render_as_string(hide_password=False)


# ---------------------------------------------------------------- both
def _facts(conn: Connection) -> tuple[str, list[tuple[str, int]]]:
    schema = str(conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
    rows = conn.execute(select(blobs.c.name, blobs.c.size).where(blobs.c.data.is_(None)))
    return schema, [(row.name, row.size) for row in rows]


def _number_on(conn: Connection) -> None:
    """A folder's first UIDVALIDITY is its number, so that those of before stay below all that are given from now on."""
    conn.execute(update(folders).values(uid_validity=folders.c.uid_validity + JUMP))
    if conn.dialect.name == "sqlite":
        for table in METADATA.sorted_tables:
            if table.dialect_options["sqlite"]["autoincrement"]:
                jump = {"table": table.name, "jump": JUMP}
                if not conn.execute(
                    text("UPDATE sqlite_sequence SET seq = seq + :jump WHERE name = :table"), jump
                ).rowcount:
                    conn.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :jump)"), jump)
    else:
        sequences = "SELECT format('%I.%I', schemaname, sequencename), coalesce(last_value, 0) FROM pg_sequences"
        for name, last in conn.execute(text(sequences)).all():
            conn.execute(text("SELECT setval(CAST(:name AS regclass), :value)"), {"name": name, "value": last + JUMP})


def _within(url: str, act: Callable[[Connection], T]) -> T:
    engine = create_engine(url)
    try:
        with engine.begin() as conn:
            return act(conn)
    finally:
        engine.dispose()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

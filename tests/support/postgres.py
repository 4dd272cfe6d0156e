"""A PostgreSQL of our own for the tests: made by initdb in a temporary folder, on a Unix socket, stopped at the end.

One server per test process (pytest-xdist: one per worker), for all folders: tests/conftest.py has the fixtures.
PostgreSQL refuses to run as root: then it runs as user postgres.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, StaticPool, create_engine, make_url, text

from foundation.database import metadata


def programs() -> Path:
    """Folder of initdb and pg_ctl (Debian keeps them out of PATH)."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if not folders:
        pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
    return folders[-1]


def _run(*command: str) -> None:
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run([*as_postgres, *command], capture_output=True, text=True, cwd="/", stdin=subprocess.DEVNULL)
    if done.returncode:
        pytest.fail(f"{command[0]}: {done.stderr or done.stdout}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """SQLAlchemy URL of an empty database; every table of `metadata` is made by the first test that asks for `postgres_url`."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    data, tools = folder / "data", programs()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    _run(str(tools / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c shared_buffers=16MB"
    log = str(folder / "log")
    _run(str(tools / "pg_ctl"), "-D", str(data), "-o", options, "-l", log, "-w", "-t", "60", "start")
    url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
    try:
        yield url
    finally:
        _between(url).dispose()
        _run(str(tools / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _between(server: str) -> Engine:
    """One connection for what stands between two tests."""
    return create_engine(server, poolclass=StaticPool, pool_pre_ping=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The same database with all tables known so far, empty."""
    tables = metadata.sorted_tables
    with _between(postgres_server).begin() as conn:
        there = set(conn.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))
        if new := [table for table in tables if table.name not in there]:
            metadata.create_all(conn, new)
        if used := _used(conn, [table.name for table in tables]):
            conn.execute(text(f"TRUNCATE {', '.join(used)} RESTART IDENTITY CASCADE"))
    return postgres_server


def _used(conn: Connection, names: list[str]) -> list[str]:
    """The tables that have rows, or had: TRUNCATE of an untouched one is as slow as of any."""
    touched = """SELECT d.refobjid::regclass::text FROM pg_sequences s JOIN pg_depend d ON d.objid = s.sequencename::regclass
        WHERE s.last_value IS NOT NULL AND d.classid = 'pg_class'::regclass AND d.refobjsubid > 0"""
    rows = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names)
    return sorted({*conn.scalars(text(rows)), *conn.scalars(text(touched))})


def other_database(server: str, name: str) -> str:
    """URL of an empty database of that name, beside the one that tests share."""
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        conn.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)

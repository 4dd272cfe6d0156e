"""A PostgreSQL of our own for the tests: made by initdb in a temporary folder, on a Unix socket; it ends with the test process.

One server per test process (pytest-xdist: one per worker), for all folders: tests/conftest.py has the fixtures.
PostgreSQL refuses to run as root: then it runs as user postgres.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, StaticPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from foundation.database import metadata
from tests.support.child import ends_with_us

USER = "postgres" if os.geteuid() == 0 else ""
AT_ONCE = signal.SIGQUIT  # what PostgreSQL calls an immediate shutdown


def programs() -> Path:
    """Folder of initdb and postgres (Debian keeps them out of PATH)."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if not folders:
        pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
    return folders[-1]


@contextmanager
def _cluster() -> Iterator[Path]:
    """The folder of a new one; those of test processes that were killed are removed."""
    root = Path(os.environ.get("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir()))
    for left in root.glob("pg-*-*"):
        if not Path("/proc", left.name.split("-")[1]).exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"pg-{os.getpid()}-", dir=root))
    try:
        if USER:
            shutil.chown(folder, USER, USER)
        command = [
            str(programs() / "initdb"),
            *"-U postgres -A trust -E UTF8 --no-sync -D".split(),
            str(folder / "data"),
        ]
        done = subprocess.run(ends_with_us(*command, user=USER), capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, done.stderr
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """A cluster's server, which can be away for a while; `url` (SQLAlchemy's) of an empty database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        folder = self._folder
        options = ("listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "shared_buffers=16MB")
        command = [str(programs() / "postgres"), "-D", str(folder / "data"), *(f"--{option}" for option in options)]
        command = ends_with_us(*command, by=AT_ONCE.name.removeprefix("SIG"), user=USER)
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd="/", stdout=log, stderr=log, start_new_session=True)
        _wait_for(self.url, self._process, folder / "log")

    def stop(self) -> None:
        """As if it had crashed."""
        _between(self.url).dispose()
        if self._process is not None:
            self._process.send_signal(AT_ONCE)
            self._process.wait(60)
            self._process = None


@contextmanager
def cluster() -> Iterator[Server]:
    with _cluster() as folder:
        server = Server(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            _between(url).connect().close()
        except OperationalError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"PostgreSQL did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """SQLAlchemy URL of an empty database; every table of `metadata` is made by the first test that asks for `postgres_url`."""
    with cluster() as server:
        yield server.url


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

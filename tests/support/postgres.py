"""A PostgreSQL of our own for the tests: made by initdb in a temporary folder, on a Unix socket, stopped at the end.

One server per test process (pytest-xdist: one per worker). PostgreSQL refuses to run as root: then it runs as user postgres.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

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
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data, tools = folder / "data", programs()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    _run(str(tools / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c shared_buffers=16MB"
    log = str(folder / "log")
    _run(str(tools / "pg_ctl"), "-D", str(data), "-o", options, "-l", log, "-w", "-t", "60", "start")
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        _run(str(tools / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The same database with all tables known so far, empty."""
    engine = create_engine(postgres_server)
    with engine.begin() as conn:
        metadata.create_all(conn)
        names = ", ".join(table.name for table in metadata.sorted_tables)
        conn.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    engine.dispose()
    return postgres_server

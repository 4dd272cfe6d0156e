"""The one way to the database: named plain functions, run in a thread, inside a transaction.

Writes are grouped (`group_commit`): functions that wait while a commit is under way share the next transaction, and one commit
(one fsync) answers them all. This is what makes `250 means on disk` cheap.
SQLite (WAL, synchronous=FULL) by default: the writers of several processes queue on one file lock of ours, never on SQLite's
busy sleep. PostgreSQL when one machine is not enough. What changed is announced after the commit (`foundation.signals`); the
table is the truth, the signal only wakes.
A function given to `write` may run again after a conflict: it touches nothing but the database.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from foundation.doubt import CommitUnknown
from foundation.group_commit import Collector, Transaction, Work, Writer
from foundation.readers import Readers, ended
from foundation.signals import Signals

__all__ = ["Collector", "Database", "Transaction", "is_away", "metadata"]

P = ParamSpec("P")
T = TypeVar("T")

metadata = MetaData()

LONG, REST = 0.005, 1.0  # seconds: a glance that took so long waited for the disk; after it, threads wait for a while
READERS = 2  # measured: more reader threads only fight for the interpreter lock


class Database:
    """`url` is an SQLAlchemy URL (`sqlite:///path` or `postgresql+psycopg://…`)."""

    def __init__(self, url: str, signals: Signals | None = None) -> None:
        self.url = make_url(url)
        self.dialect = self.url.get_backend_name()
        self.engine = _engine(url)
        self.signals = signals or Signals()
        self._readers = Readers(self.engine, READERS)
        self._glancing: Connection | None = None
        self._glances_from = 0.0
        self._disk_reads = 0  # known of
        self.clock = time.monotonic  # by which glances are judged
        self._writer = Writer(self.engine, self.signals)

    # ---------------------------------------------------------------- the two verbs
    async def read(self, fn: Callable[..., T], *args: Any) -> T:
        """`fn(conn, *args)` on one snapshot, in a reader thread."""
        return await self._readers.read(fn, *args)

    async def write(self, fn: Callable[..., T], *args: Any) -> T:
        """`fn(tx, *args)`; returns its result after the commit is on disk, raises what it raised (its savepoint undone)."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._writer.put(Work(fn, args, future, loop))
        return await future

    def glance(self, fn: Callable[..., T], *args: Any) -> T | None:
        """Like `read`, at once: for a row or two that are in memory anyway, where a thread would cost ten times as much.

        None where that cannot be: in PostgreSQL, while SQLite is busy, and for a second after a glance that waited for the disk.
        One statement: what it sees is no snapshot.
        """
        if self.dialect != "sqlite" or self.clock() < self._glances_from:
            return None
        try:
            if self._glancing is None:
                self._glancing = self.engine.connect()
                self._glancing.connection.cursor().execute("PRAGMA busy_timeout=0")  # the loop never waits
            begun = self.clock()
            found = ended(self._glancing, fn, *args)
        except DBAPIError:
            return None
        if (
            self.clock() - begun > LONG and (reads := _disk_reads()) > self._disk_reads
        ):  # not merely because others work
            self._disk_reads, self._glances_from = reads, begun + REST
        return found

    def read_now(self, fn: Callable[..., T], *args: Any) -> T:
        """Like `read`, from a thread (command line, worker process)."""
        with self.engine.connect() as conn:
            return fn(conn, *args)

    def write_now(self, fn: Callable[..., T], *args: Any) -> T:
        """Like `write`, from a thread."""
        return self.submit(fn, *args).result()

    def submit(self, fn: Callable[..., T], *args: Any) -> Future[T]:
        future: Future[T] = Future()
        self._writer.put(Work(fn, args, future))
        return future

    def subscribe(self, topic: str, callback: Callable[[int], None]) -> Callable[[], None]:
        """`callback(key)` on the event loop after each commit that signalled `topic`; returns the undo."""
        return self.signals.subscribe(topic, callback)

    async def start(self) -> None:
        """Begins to hear the other processes' signals."""
        await self.signals.start(self.url)

    def speak(self) -> None:
        """Other processes hear of what is changed here from now on; for a command, which hears nothing itself."""
        self.signals.speak(self.url)

    async def close(self) -> None:
        await self.signals.close()
        await asyncio.get_running_loop().run_in_executor(None, self.close_now)

    def close_now(self) -> None:
        """Finishes what was handed in, then stops the threads."""
        self._writer.close()
        self.signals.hush()
        self._readers.close()
        if self._glancing is not None:
            self._glancing.close()
        self.engine.dispose()


def is_away(error: BaseException) -> bool:
    """The database cannot be reached, or cannot write: it may be back soon, and what was asked may be asked again."""
    return isinstance(error, (OperationalError, InterfaceError, PoolTimeout, CommitUnknown))


def _disk_reads() -> int:
    """That this thread had to wait for, mapped pages among them."""
    used = resource.getrusage(resource.RUSAGE_THREAD)
    return used.ru_majflt + used.ru_inblock


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=READERS + 2, pool_pre_ping=True, hide_parameters=True)
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=READERS + 3,
        connect_args={"check_same_thread": False, "timeout": 10},
        hide_parameters=True,  # an error's text must not carry what was stored
    )

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's own BEGIN below, so that savepoints hold
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # accepted mail is on disk before 250
            "foreign_keys=ON",
            "cache_size=-16000",
            "mmap_size=268435456",
            # 16 MB, one segment of its index: pages that each commit touches go to the file, and are synced, four times less often
            "wal_autocheckpoint=4000",
            "temp_store=MEMORY",
            "secure_delete=FAST",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        raw = conn.connection.dbapi_connection
        assert raw is not None
        if not raw.in_transaction:  # the writer's own is begun (`begun`)
            raw.execute("BEGIN")  # SQLAlchemy's own way costs as much as a row

    return engine

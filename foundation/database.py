"""The one way to the database: named plain functions, run in a thread, inside a transaction.

Writes are grouped: functions that wait while a commit is under way share the next transaction, a savepoint each, and one
commit (one fsync) answers them all. This is what makes `250 means on disk` cheap.
SQLite (WAL, synchronous=FULL) by default: the writers of several processes queue on one file lock of ours, never on SQLite's
busy sleep. PostgreSQL when one machine is not enough. What changed is announced after the commit (`foundation.signals`); the
table is the truth, the signal only wakes.
A function given to `write` may run again after a conflict: it touches nothing but the database.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

import structlog
from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    Executable,
    MetaData,
    Table,
    create_engine,
    event,
    insert,
    make_url,
)
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from foundation.signals import Signal, Signals

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")

metadata = MetaData()

READERS = 2  # measured: more reader threads only fight for the interpreter lock
BATCH = 200  # functions per commit: bounds the wait of the first one
CONFLICT_TRIES = 5  # PostgreSQL deadlock or serialisation failure: each function again, alone


class Collector(Protocol):
    """Takes rows that many functions of one commit have for one table, and writes them together before it (`audit`)."""

    def write(self, conn: Connection, items: list[Any]) -> None: ...
    def committed(self) -> None:
        """What `write` wrote is on disk; without this call it was undone."""
        ...


class Transaction:
    """What a writing function receives: the connection, and the signals to announce once it is committed."""

    __slots__ = ("collected", "conn", "signals")

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.signals: list[Signal] = []
        self.collected: list[tuple[Collector, Any]] = []

    def collect(self, collector: Collector, item: Any) -> None:
        """`item` is written before the commit, with those of the other functions; undone with this function."""
        self.collected.append((collector, item))

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        return self.conn.execute(statement, parameters)

    def signal(self, topic: str, key: int) -> None:
        """Announce after the commit, here and in the other processes, that `key` of `topic` changed."""
        self.signals.append((topic, key))

    def insert(self, table: Table, row: Mapping[str, Any]) -> int:
        """Inserts one row; returns its integer primary key."""
        key = self.conn.execute(insert(table), row).inserted_primary_key
        assert key is not None  # an INSERT always has one
        return int(key[0])


class _Work:
    """One waiting write."""

    __slots__ = ("call", "future", "name")

    def __init__(self, name: str, call: Callable[[Transaction], Any]) -> None:
        self.name = name
        self.call = call
        self.future: Future[Any] = Future()

    def settle(self, result: Any = None, error: BaseException | None = None) -> None:
        if self.future.set_running_or_notify_cancel():
            if error is None:
                self.future.set_result(result)
            else:
                self.future.set_exception(error)


class Database:
    """`url` is an SQLAlchemy URL (`sqlite:///path` or `postgresql+psycopg://…`)."""

    def __init__(self, url: str, signals: Signals | None = None) -> None:
        self.url = make_url(url)
        self.dialect = self.url.get_backend_name()
        self.engine = _engine(url)
        self.signals = signals or Signals()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="db-read")
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._lock_file = self._open_lock()
        self._writer = threading.Thread(target=self._write_loop, name="db-write", daemon=True)
        self._writer.start()

    # ---------------------------------------------------------------- the two verbs
    async def read(self, fn: Callable[..., T], *args: Any) -> T:
        """`fn(conn, *args)` on one snapshot, in a reader thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, fn, *args)

    async def write(self, fn: Callable[..., T], *args: Any) -> T:
        """`fn(tx, *args)`; returns its result after the commit is on disk, raises what it raised (its savepoint undone)."""
        return await asyncio.wrap_future(self.submit(fn, *args))

    def read_now(self, fn: Callable[..., T], *args: Any) -> T:
        """Like `read`, from a thread (command line, worker process)."""
        with self.engine.connect() as conn:
            return fn(conn, *args)

    def write_now(self, fn: Callable[..., T], *args: Any) -> T:
        """Like `write`, from a thread."""
        return self.submit(fn, *args).result()

    def submit(self, fn: Callable[..., T], *args: Any) -> Future[T]:
        work = _Work(getattr(fn, "__name__", "write"), lambda tx: fn(tx, *args))
        self._queue.put(work)
        return work.future

    def subscribe(self, topic: str, callback: Callable[[int], None]) -> Callable[[], None]:
        """`callback(key)` on the event loop after each commit that signalled `topic`; returns the undo."""
        return self.signals.subscribe(topic, callback)

    async def start(self) -> None:
        """Begins to hear the other processes' signals."""
        await self.signals.start(self.url)

    async def close(self) -> None:
        await self.signals.close()
        await asyncio.get_running_loop().run_in_executor(None, self.close_now)

    def close_now(self) -> None:
        """Finishes what was handed in, then stops the threads."""
        self._queue.put(None)
        self._writer.join()
        self._readers.shutdown()
        self.engine.dispose()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    # ---------------------------------------------------------------- group commit
    def _write_loop(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, stop = [first], False
            while len(batch) < BATCH and not stop:
                try:
                    work = self._queue.get_nowait()
                except queue.Empty:
                    break
                if work is None:
                    stop = True
                else:
                    batch.append(work)
            try:
                self._commit(batch)
            except (
                Exception
            ) as error:  # only a signal can still fail: what was promised is on disk, and this thread must live
                log.error("signals_failed", error=type(error).__name__)
            if stop:
                return

    def _commit(self, batch: list[_Work]) -> None:
        """The usual case costs no savepoint. When one of several fails, nothing was committed: all run again, now with a savepoint
        each, so that one fault does not fail its neighbours.
        """
        try:
            done, signals = self._run_together(batch, apart=False)
        except Exception as error:
            if len(batch) == 1:
                self._retry_alone(batch[0], error)
                return
            try:
                done, signals = self._run_together(batch, apart=True)
            except Exception:  # a conflict, or the database itself
                for work in batch:
                    self._commit([work])
                return
        self._announce(signals)
        for work, result, failure in done:
            work.settle(result, failure)

    def _announce(self, signals: list[Signal]) -> None:
        """Before the answers, so that who is answered finds the others told. A lost signal costs a delay, never the commit."""
        try:
            self.signals.announce(signals)
        except Exception as error:
            log.error("signals_failed", error=type(error).__name__)

    def _run_together(
        self, batch: list[_Work], apart: bool
    ) -> tuple[list[tuple[_Work, Any, BaseException | None]], list[Signal]]:
        done: list[tuple[_Work, Any, BaseException | None]] = []
        signals: list[Signal] = []
        collected: dict[Collector, list[Any]] = {}
        with self._turn(), self.engine.connect() as conn, conn.begin():
            for work in batch:
                tx = Transaction(conn)
                savepoint = conn.begin_nested() if apart else None
                try:
                    result = work.call(tx)
                    if savepoint is not None:
                        savepoint.commit()
                except Exception as error:
                    broken = isinstance(error, DBAPIError) and (_is_conflict(error) or not conn.in_transaction())
                    if savepoint is None or broken:
                        raise
                    savepoint.rollback()
                    done.append((work, None, error))
                else:
                    done.append((work, result, None))
                    signals += tx.signals
                    for collector, item in tx.collected:
                        collected.setdefault(collector, []).append(item)
            for collector, items in collected.items():
                collector.write(conn, items)
        for collector in collected:
            collector.committed()
        return done, signals

    def _retry_alone(self, work: _Work, error: Exception) -> None:
        for _ in range(CONFLICT_TRIES):
            if not (isinstance(error, DBAPIError) and _is_conflict(error)):
                break
            try:
                done, signals = self._run_together([work], apart=False)
            except Exception as again:
                error = again
                continue
            self._announce(signals)
            work.settle(done[0][1])
            return
        work.settle(error=error)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """SQLite: wait for our turn among the processes' writers; the kernel wakes the next one at once."""
        if self._lock_file is None:
            yield
            return
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def _open_lock(self) -> int | None:
        if self.dialect != "sqlite" or not self.url.database or self.url.database == ":memory:":
            return None
        path = Path(self.url.database + ".lock")
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_conflict(error: DBAPIError) -> bool:
    """Deadlock (40P01) or serialisation failure (40001) on PostgreSQL; busy on SQLite."""
    state = getattr(error.orig, "sqlstate", None)
    return state in ("40P01", "40001") or (isinstance(error, OperationalError) and "locked" in str(error.orig))


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=READERS + 2, pool_pre_ping=True, hide_parameters=True)
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=READERS + 2,
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
            "temp_store=MEMORY",
            "secure_delete=FAST",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        conn.exec_driver_sql("BEGIN")

    return engine

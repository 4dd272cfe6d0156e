"""Group commit: writing functions that wait while a commit is under way share the next transaction, and one commit (one fsync)
answers them all. One thread a process; SQLite's writers of several processes queue on one file lock of ours, and whoever's turn
has come takes along all that came meanwhile.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import structlog
from sqlalchemy import Connection, CursorResult, Engine, Executable, Table, insert
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from foundation import doubt
from foundation.begun import begun
from foundation.doubt import CommitUnknown
from foundation.signals import Signal, Signals

log = structlog.get_logger()

BATCH = 200  # functions per commit: bounds the wait of the first one
PAUSE, WORTH = 0.05, 400  # seconds without work; rows changed: when SQLite's log is poured into the database
CONFLICT_TRIES = 5  # PostgreSQL deadlock or serialisation failure: each function again, alone


class Collector(Protocol):
    """Takes rows that many functions of one commit have for one table, and writes them together before it (`audit`)."""

    def write(self, conn: Connection, items: list[Any]) -> None: ...
    def committed(self) -> None:
        """What `write` wrote is on disk; without this call it was undone."""
        ...


class Transaction:
    """What a writing function receives: the connection, and the signals to announce once it is committed."""

    __slots__ = ("collected", "conn", "later", "signals")

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.signals: list[Signal] = []
        self.collected: list[tuple[Collector, Any]] = []
        self.later: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def afterwards(self, fn: Callable[..., Any], *args: Any) -> None:
        """`fn(tx, *args)` in a transaction of its own once this one is on disk: what nobody waits for, and can do without."""
        self.later.append((fn, args))

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


class Work(NamedTuple):
    """One waiting write; `future` belongs to `loop`, or to a thread when that is None."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    future: asyncio.Future[Any] | Future[Any]
    loop: asyncio.AbstractEventLoop | None = None


class _Answer(NamedTuple):
    work: Work
    result: Any = None
    error: BaseException | None = None


class Writer:
    """`put` work; its future has the answer after the commit, or the error with its own changes undone."""

    def __init__(self, engine: Engine, signals: Signals) -> None:
        self._engine = engine
        self._signals = signals
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._closing = False
        self._poured = 0  # of `_changes`, at the last pause
        self._kept: Connection | None = None
        self._lock_file = self._open_lock()
        self._thread = threading.Thread(target=self._write_loop, name="db-write", daemon=True)
        self._thread.start()

    def put(self, work: Work) -> None:
        self._queue.put(work)

    def close(self) -> None:
        """Finishes what was handed in, then stops the thread."""
        self._queue.put(None)
        self._thread.join()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _write_loop(self) -> None:
        while not self._closing and (first := self._next()) is not None:
            try:
                self._commit([first])
            except (
                Exception
            ) as error:  # only a signal can still fail: what was promised is on disk, and this thread must live
                log.error("signals_failed", error=type(error).__name__)
        self._forget_connection()

    def _next(self) -> Work | None:
        """What was handed in next. A pause is used for what would else keep a commit waiting in the middle of traffic."""
        with suppress(sqlite3.Error, SQLAlchemyError):  # a full disk: the next commit says so; this thread must live
            if self._changes() - self._poured >= WORTH:
                try:
                    return self._queue.get(timeout=PAUSE)
                except queue.Empty:
                    self._pour()
        return self._queue.get()

    def _changes(self) -> int:
        """Rows changed by the connection that is kept (SQLite alone has one)."""
        raw: Any = None if self._kept is None else self._kept.connection.dbapi_connection
        return 0 if raw is None else int(raw.total_changes)

    def _pour(self) -> None:
        """A checkpoint that waits for nobody and keeps nobody waiting."""
        self._poured = self._changes()
        if self._kept is not None:
            self._kept.connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _join(self, batch: list[Work]) -> None:
        """Those that wait are of the party."""
        while len(batch) < BATCH and not self._closing:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                return
            if work is None:
                self._closing = True
            else:
                batch.append(work)

    def _commit(self, batch: list[Work]) -> None:
        """One, and those that join it. The usual case costs no savepoint. When one of several fails, nothing was committed: all run
        again, now with a savepoint each, so that one fault does not fail its neighbours.
        """
        try:
            done, signals = self._run_together(batch, joining=True)
        except CommitUnknown as error:
            self._answer([_Answer(work, error=error) for work in batch])
            return
        except Exception as error:
            if len(batch) == 1:
                self._retry_alone(batch[0], error)
                return
            try:
                done, signals = self._run_together(batch, apart=True)
            except CommitUnknown as unknown:
                self._answer([_Answer(work, error=unknown) for work in batch])
                return
            except Exception:  # a conflict, or the database itself
                for work in batch:
                    self._commit([work])
                return
        self._tell(signals, done)

    def _tell(self, signals: list[Signal], answers: Sequence[_Answer]) -> None:
        """The other processes, then our own loop. A lost signal costs a delay, never the commit."""
        unique = list(dict.fromkeys(signals))
        try:
            self._signals.send(unique)
            if self._signals.loop is None:
                self._signals.deliver(unique)
        except Exception as error:
            log.error("signals_failed", error=type(error).__name__)
        self._answer(answers, unique)

    def _run_together(
        self, batch: list[Work], apart: bool = False, joining: bool = False
    ) -> tuple[list[_Answer], list[Signal]]:
        done: list[_Answer] = []
        signals: list[Signal] = []
        later: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        collected: dict[Collector, list[Any]] = {}
        with self._turn(), self._connected() as conn, begun(conn) as transaction:
            if joining:
                self._join(batch)
            for work in batch:
                tx = Transaction(conn)
                savepoint = conn.begin_nested() if apart else None
                try:
                    result = work.fn(tx, *work.args)
                    if savepoint is not None:
                        savepoint.commit()
                except Exception as error:
                    broken = isinstance(error, DBAPIError) and (_is_conflict(error) or not conn.in_transaction())
                    if savepoint is None or broken:
                        raise
                    savepoint.rollback()
                    done.append(_Answer(work, error=error))
                else:
                    done.append(_Answer(work, result))
                    signals += tx.signals
                    later += tx.later
                    for collector, item in tx.collected:
                        collected.setdefault(collector, []).append(item)
            for collector, items in collected.items():
                collector.write(conn, items)
            doubt.commit(self._engine, conn, transaction)
        for collector in collected:
            collector.committed()
        for fn, args in later:
            self._queue.put(Work(fn, args, Future()))
        return done, signals

    def _retry_alone(self, work: Work, error: Exception) -> None:
        for _ in range(CONFLICT_TRIES):
            if not (isinstance(error, DBAPIError) and _is_conflict(error)):
                break
            try:
                done, signals = self._run_together([work])
            except Exception as again:
                error = again
                continue
            self._tell(signals, done)
            return
        self._answer([_Answer(work, error=error)])

    def _answer(self, answers: Sequence[_Answer], signals: Sequence[Signal] = ()) -> None:
        """Who is answered finds the subscribers told; one wake-up of a loop for all that wait there."""
        listening = self._signals.loop if signals else None
        by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = {listening: []} if listening else {}
        for answer in answers:
            if answer.work.loop is None:
                _settle([answer])
            else:
                by_loop.setdefault(answer.work.loop, []).append(answer)
        for loop, some in by_loop.items():
            with suppress(RuntimeError):  # the loop is closing: nobody waits any more
                loop.call_soon_threadsafe(self._settle_there, signals if loop is listening else (), some)

    def _settle_there(self, signals: Sequence[Signal], answers: Sequence[_Answer]) -> None:
        try:
            self._signals.deliver(signals)
        finally:
            _settle(answers)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """SQLite: one connection, kept for life while nothing goes wrong. PostgreSQL's pool knows better when one has died."""
        if self._engine.dialect.name != "sqlite":
            with self._engine.connect() as conn:
                yield conn
            return
        if self._kept is None:
            self._kept = self._engine.connect()
            # A mapped file is mapped anew after each commit of another process: dearer than reading thirty pages.
            self._kept.connection.cursor().execute("PRAGMA mmap_size=0")
        try:
            yield self._kept
        except BaseException:
            self._forget_connection()
            raise

    def _forget_connection(self) -> None:
        kept, self._kept, self._poured = self._kept, None, 0
        if kept is not None:
            kept.close()

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
        url = self._engine.url
        if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
            return None
        path = Path(url.database + ".lock")
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _is_conflict(error: DBAPIError) -> bool:
    """Deadlock (40P01) or serialisation failure (40001) on PostgreSQL; busy on SQLite."""
    state = getattr(error.orig, "sqlstate", None)
    return state in ("40P01", "40001") or (isinstance(error, OperationalError) and "locked" in str(error.orig))


def _settle(answers: Sequence[_Answer]) -> None:
    """On the loop; nobody waits any more for what was cancelled."""
    for work, result, error in answers:
        if work.future.done():
            continue
        if error is None:
            work.future.set_result(result)
        else:
            work.future.set_exception(error)

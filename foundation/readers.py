"""Threads that read: each on a connection of its own (SQLite), or on one of the pool (PostgreSQL, whose pool knows better when one
has died). Like the writer's, and for the same reason: the futures of `concurrent` cost as much as a row.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")


class _Work(NamedTuple):
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Readers:
    """`number` threads, begun with the first read."""

    def __init__(self, engine: Engine, number: int) -> None:
        self._engine = engine
        self._keeps = engine.dialect.name == "sqlite"
        self._number = number
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def read(self, fn: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """`fn(conn, *args)` on one snapshot."""
        if self._closed:
            raise RuntimeError("the database is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if len(self._threads) < self._number:
            self._begin()
        self._queue.put(_Work(fn, args, future, loop))
        return future

    def close(self) -> None:
        """Finishes what was handed in, then stops the threads."""
        self._closed = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _begin(self) -> None:
        thread = threading.Thread(target=self._read_loop, name=f"db-read_{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read_loop(self) -> None:
        own: Connection | None = None
        while (work := self._queue.get()) is not None:
            result, error = None, None
            try:
                if not self._keeps:
                    with self._engine.connect() as conn:
                        result = work.fn(conn, *work.args)
                else:
                    own = own or self._engine.connect()
                    result = ended(own, work.fn, *work.args)
            except BaseException as fault:
                error = fault
                if own is not None and isinstance(fault, DBAPIError):
                    own.close()
                    own = None
            with suppress(RuntimeError):  # the loop is closing: nobody waits any more
                work.loop.call_soon_threadsafe(_settle, work.future, result, error)
            del work, result, error  # not kept until the next one comes
        if own is not None:
            own.close()


def ended(conn: Connection, fn: Callable[..., T], *args: Any) -> T:
    """`fn(conn, *args)`; the next one on the connection sees what was committed meanwhile."""
    try:
        return fn(conn, *args)
    finally:
        if conn.in_transaction():
            conn.rollback()


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """On the loop; nobody waits any more for what was cancelled."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)

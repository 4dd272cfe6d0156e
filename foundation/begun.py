"""The writer's transaction. On SQLite, BEGIN and COMMIT go to the driver: SQLAlchemy's own way costs as much as three rows.

A statement that SQLAlchemy runs begins a transaction of its own there, which joins this one (`database`), and ends with it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol

from sqlalchemy import Connection

from foundation.prepared import named


class Begun(Protocol):
    def commit(self) -> None: ...


def begun(conn: Connection) -> AbstractContextManager[Begun]:
    """Rolled back when its block raises; who commits does so before the end of it."""
    return _OnDriver(conn) if conn.dialect.name == "sqlite" else conn.begin()


class _OnDriver:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._raw: Any = conn.connection.dbapi_connection

    def __enter__(self) -> Begun:
        self._raw.execute("BEGIN")
        return self

    def commit(self) -> None:
        """Raises `DBAPIError`, as SQLAlchemy does."""
        if self._conn.in_transaction():
            self._conn.commit()
            return
        try:
            self._raw.commit()
        except self._conn.dialect.loaded_dbapi.Error as error:
            raise named(error, "COMMIT", self._conn) from error

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            return
        if self._conn.in_transaction():
            self._conn.rollback()
        elif self._raw.in_transaction:
            self._raw.rollback()

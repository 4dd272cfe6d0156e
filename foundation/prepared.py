"""Statements of the hot paths: compiled once, run on the driver's own cursor.

Measured: executing a statement by SQLAlchemy costs 0.12 ms of Python, several times what SQLite needs for the row. Values go to the
driver as they are (bytes, int, str, bool, None): no defaults of columns, no conversion of types, rows as plain tuples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement, Insert

Values = Mapping[str, object]


class _Text(NamedTuple):
    """The statement in the database's words, its own constants, the order of the values where they have no names."""

    sql: str
    constants: Values
    order: Sequence[str] | None

    def given(self, values: Values) -> Any:
        if self.constants:
            values = {**self.constants, **values}
        return values if self.order is None else [values[name] for name in self.order]


class Prepared:
    """`statement`: one for all databases, or one by dialect name. An INSERT names the columns of the values it is given."""

    def __init__(self, statement: Executable | Mapping[str, Executable]) -> None:
        self._statement = statement
        self._texts: dict[tuple[str, tuple[str, ...]], _Text] = {}

    def run(self, conn: Connection, values: Values) -> Any:
        """The driver's cursor. Raises `DBAPIError`, as SQLAlchemy does.

        Begins no transaction: the caller has, or the statement stands alone.
        """
        text = self._text(conn, tuple(values))
        cursor = _driver(conn).cursor()
        try:
            cursor.execute(text.sql, text.given(values))
        except conn.dialect.loaded_dbapi.Error as error:
            raise named(error, text.sql, conn) from error
        return cursor

    def run_all(self, conn: Connection, rows: Sequence[Values]) -> None:
        """For each of `rows`, which have the same names; at least one."""
        text = self._text(conn, tuple(rows[0]))
        cursor = _driver(conn).cursor()
        try:
            cursor.executemany(text.sql, list(map(text.given, rows)))
        except conn.dialect.loaded_dbapi.Error as error:
            raise named(error, text.sql, conn) from error
        finally:
            cursor.close()

    def _text(self, conn: Connection, names: tuple[str, ...]) -> _Text:
        dialect = conn.dialect
        found = self._texts.get((dialect.name, names))
        if found is None:
            statement = self._statement
            if isinstance(statement, Mapping):
                statement = statement[dialect.name]
            assert isinstance(statement, ClauseElement)
            columns = list(names) if isinstance(statement, Insert) else None
            compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
            constants = {name: value for name, value in compiled.params.items() if value is not None}
            found = self._texts[dialect.name, names] = _Text(str(compiled), constants, compiled.positiontup)
        return found


def _driver(conn: Connection) -> Any:
    return conn.connection.dbapi_connection


def named(error: Exception, sql: str, conn: Connection) -> BaseException:
    """The error that callers know from SQLAlchemy; without the values, which may be personal."""
    base = conn.dialect.loaded_dbapi.Error
    return DBAPIError.instance(sql, None, error, base, hide_parameters=True, dialect=conn.dialect)

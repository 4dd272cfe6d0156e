"""Statements of the hot paths: compiled once, run on the driver's own cursor.

Measured: executing a statement by SQLAlchemy costs 0.12 ms of Python, several times what SQLite needs for the row. Values go to the
driver as they are (bytes, int, str, bool, None): no defaults of columns, no conversion of types, rows as plain tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement, Insert

Values = Mapping[str, object]


class _Text(NamedTuple):
    """The statement in the database's words, and how the driver wants the values of one run."""

    sql: str
    given: Callable[[Values], Any]


class Prepared:
    """`statement`: one for all databases, or one by dialect name. An INSERT names the columns of the values it is given."""

    def __init__(self, statement: Executable | Mapping[str, Executable]) -> None:
        self._statement = statement
        self._texts: dict[tuple[str, ...], _Text] = {}  # by the dialect, then the names of the values

    def run(self, conn: Connection, values: Values) -> Any:
        """The driver's cursor. Raises `DBAPIError`, as SQLAlchemy does.

        Begins no transaction: the caller has, or the statement stands alone.
        """
        sql, given = self._text(conn, values)
        cursor = _driver(conn).cursor()
        try:
            cursor.execute(sql, given(values))
        except conn.dialect.loaded_dbapi.Error as error:
            raise named(error, sql, conn) from error
        return cursor

    def run_all(self, conn: Connection, rows: Sequence[Values]) -> None:
        """For each of `rows`, which have the same names; at least one."""
        sql, given = self._text(conn, rows[0])
        cursor = _driver(conn).cursor()
        try:
            cursor.executemany(sql, map(given, rows))
        except conn.dialect.loaded_dbapi.Error as error:
            raise named(error, sql, conn) from error
        finally:
            cursor.close()

    def _text(self, conn: Connection, values: Values) -> _Text:
        key = conn.dialect.name, *values
        return self._texts.get(key) or self._compiled(conn, key)

    def _compiled(self, conn: Connection, key: tuple[str, ...]) -> _Text:
        dialect, names = conn.dialect, key[1:]
        statement = self._statement
        if isinstance(statement, Mapping):
            statement = statement[dialect.name]
        assert isinstance(statement, ClauseElement)
        columns = list(names) if isinstance(statement, Insert) else None
        compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        found = self._texts[key] = _Text(str(compiled), _giving(constants, compiled.positiontup))
        return found


def _giving(constants: Values, order: Sequence[str] | None) -> Callable[[Values], Any]:
    """From the values of one run: by name, the statement's own constants among them, or in `order` for a driver without names."""
    pick = None if order is None else _in_order(order)
    if not constants:
        return pick or (lambda values: values)
    if pick is None:
        return lambda values: {**constants, **values}
    return lambda values: pick({**constants, **values})


def _in_order(names: Sequence[str]) -> Callable[[Values], Sequence[object]]:
    if len(names) > 1:
        return itemgetter(*names)  # without a step of Python for each
    return lambda values: [values[name] for name in names]


def _driver(conn: Connection) -> Any:
    return conn.connection.dbapi_connection


def named(error: Exception, sql: str, conn: Connection) -> BaseException:
    """The error that callers know from SQLAlchemy; without the values, which may be personal."""
    base = conn.dialect.loaded_dbapi.Error
    return DBAPIError.instance(sql, None, error, base, hide_parameters=True, dialect=conn.dialect)

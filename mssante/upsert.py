"""INSERT … ON CONFLICT in the two dialects, which word it alike: two processes may write the same row at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite

from foundation.database import Transaction
from foundation.prepared import Prepared


def upsert(
    tx: Transaction, table: Table, row: Mapping[str, Any], key: tuple[str, ...], change: tuple[str, ...]
) -> None:
    """Inserts the row; where `key` is there already, sets the columns of `change` (none: leaves it) from the row."""
    tx.execute(_statement(tx.conn.dialect.name, table, key, change), row)


def upsert_all(
    tx: Transaction, table: Table, rows: Sequence[Mapping[str, Any]], key: tuple[str, ...], change: tuple[str, ...]
) -> None:
    """The same for many rows of the same columns, which need no conversion of types."""
    if rows:
        _prepared(tx.conn.dialect.name, table, key, change).run_all(tx.conn, rows)


def upsert_many(
    tx: Transaction,
    table: Table,
    names: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    key: tuple[str, ...],
    change: tuple[str, ...],
    only_if: str = "",
) -> int:
    """The same for thousands of rows (values in the order of `names`, each key once), staged and moved by one statement: with a
    statement a row, SQLite's text index would write itself out after each, and PostgreSQL would be asked each. `only_if`: of the
    row that is there, SQL. How many rows were written.
    """
    if not rows:
        return 0
    columns, staged = ", ".join(names), f"staged_{table.name}"
    tx.execute(text(f"CREATE TEMPORARY TABLE {staged} AS SELECT {columns} FROM {table.name} LIMIT 0"))  # noqa: S608
    _stage(tx.conn, staged, columns, rows)
    conflict = f"DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in change)}" if change else "DO NOTHING"
    moved = tx.execute(
        text(
            f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {staged} WHERE true "  # noqa: S608
            f"ON CONFLICT ({', '.join(key)}) {conflict}" + (f" WHERE {only_if}" if only_if else "")
        )
    ).rowcount
    tx.execute(text(f"DROP TABLE {staged}"))
    return moved


def _stage(conn: Connection, staged: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
    with closing(conn.connection.cursor()) as cursor:
        if conn.dialect.name == "postgresql":
            with cursor.copy(f"COPY {staged} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            cursor.executemany(f"INSERT INTO {staged} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608


@lru_cache(maxsize=16)
def _prepared(dialect: str, table: Table, key: tuple[str, ...], change: tuple[str, ...]) -> Prepared:
    return Prepared(_statement(dialect, table, key, change))


@lru_cache(maxsize=64)  # making a statement costs ten times its execution
def _statement(dialect: str, table: Table, key: tuple[str, ...], change: tuple[str, ...]) -> Any:
    statement: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    if not change:
        return statement.on_conflict_do_nothing(index_elements=key)
    changed = {name: statement.excluded[name] for name in change}
    return statement.on_conflict_do_update(index_elements=key, set_=changed)

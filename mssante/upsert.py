"""INSERT … ON CONFLICT in the two dialects, which word it alike: two processes may write the same row at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Table
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

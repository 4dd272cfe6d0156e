"""INSERT … ON CONFLICT in the two dialects, which word it alike: two processes may write the same row at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from foundation.database import Transaction


def upsert(tx: Transaction, table: Table, row: Mapping[str, Any], key: Sequence[str], change: Sequence[str]) -> None:
    """Inserts the row; where `key` is there already, sets the columns of `change` (none: leaves it) from the row."""
    dialect = sqlite if tx.conn.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    if change:
        changed = {name: statement.excluded[name] for name in change}
        tx.execute(statement.on_conflict_do_update(index_elements=key, set_=changed), row)
    else:
        tx.execute(statement.on_conflict_do_nothing(index_elements=key), row)

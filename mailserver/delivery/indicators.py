"""Figures about X-MSS headers (docs/rules.md section 6): counted with each accepted message, read by the operator."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, func, insert, select, update

from foundation.clock import DAY
from foundation.database import Transaction
from mailserver.delivery.tables import header_counts

PROCESS = os.urandom(8).hex()

_ADD = (
    update(header_counts)
    .where(
        header_counts.c.day == bindparam("on"),
        header_counts.c.name == bindparam("header"),
        header_counts.c.value == bindparam("said"),
        header_counts.c.process == PROCESS,
    )
    .values(messages=header_counts.c.messages + 1)
)


def count(tx: Transaction, x_mss: Mapping[str, str], now: int) -> None:
    """One more message with these headers, name -> value; `now` in ms."""
    day = now // DAY
    for name, value in sorted(x_mss.items()):
        if tx.execute(_ADD, {"on": day, "header": name, "said": value}).rowcount == 0:
            row = {"day": day, "name": name, "value": value, "process": PROCESS, "messages": 1}
            tx.execute(insert(header_counts), row)


def counted(conn: Connection, first_day: int, last_day: int) -> dict[tuple[str, str], int]:
    """(header, value) -> messages accepted in these days (since the epoch, inclusive)."""
    query = (
        select(header_counts.c.name, header_counts.c.value, func.sum(header_counts.c.messages))
        .where(header_counts.c.day.between(first_day, last_day))
        .group_by(header_counts.c.name, header_counts.c.value)
    )
    return {(row[0], row[1]): int(row[2]) for row in conn.execute(query).all()}

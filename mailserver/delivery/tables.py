"""Tables of delivery: the operator's figures. No citizen, no mailbox in them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table

from foundation.database import metadata

header_counts = Table(
    "header_counts",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since the epoch, UTC
    Column("name", String(16), primary_key=True),  # X-MSS-…
    Column("value", String(8), primary_key=True),  # of a closed list, or "present"
    Column("process", String(16), primary_key=True),  # so that two processes never wait for one row
    Column("messages", BigInteger, nullable=False),
)

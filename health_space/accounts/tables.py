"""Failed one-time codes per person, over all their sessions: a thief of the password cannot try codes at speed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table

from foundation.database import metadata

code_failures = Table(
    "code_failures",
    metadata,
    Column("person", BigInteger, primary_key=True, autoincrement=False),
    Column("failures", Integer, nullable=False),
    Column("last_at", BigInteger, nullable=False),
)

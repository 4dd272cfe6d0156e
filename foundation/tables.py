"""Tables of the ground: blobs, jobs, audit, figures. All times are milliseconds since the epoch, UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, SmallInteger, String, Table, Text
from sqlalchemy.dialects import sqlite

from foundation.database import metadata

# A number is never used twice (`sqlite_autoincrement`): Message-IDs, caches and addresses of pages are made from them.
Id = BigInteger().with_variant(sqlite.INTEGER(), "sqlite")  # SQLite numbers only an INTEGER PRIMARY KEY by itself

blobs = Table(
    "blobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(32), nullable=False, unique=True),  # keyed hash, also the file's name
    Column("size", BigInteger, nullable=False),  # octets of the plain content
    Column("data", LargeBinary),  # sealed chunks of a small blob; NULL: in a file
    Column("created_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("state", String(8), nullable=False),  # waiting, running, failed (given up); done jobs are deleted
    Column("due_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("lane", String(255), nullable=False, server_default=""),  # few of one lane run together: a relay's domain
    Column("priority", SmallInteger, nullable=False, server_default="0"),  # of what is due, the higher goes first
    Column("payload", LargeBinary, nullable=False),  # sealed JSON
    Column("last_reason", Text),  # a name of a reason, no personal data
    Index("jobs_due", "state", "due_at"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("chain", String(16), primary_key=True),  # one chain per process life, so that no writer waits for another
    Column("seq", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("event", String(48), nullable=False),  # subject:object:action
    Column("actor", String(32), nullable=False),  # "box 12", "peer op.example", "system": never a name or an address
    Column("details", Text, nullable=False),  # canonical JSON
    Column("digest", LargeBinary, nullable=False),
    Column("severity", SmallInteger, nullable=False, default=0),
)

figures = Table(
    "figures",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since the epoch, UTC
    Column("name", String(24), primary_key=True),
    Column("labels", String(96), primary_key=True),  # words of closed lists, separated by one space
    Column("process", String(16), primary_key=True),  # so that two processes never wait for one row
    Column("count", BigInteger, nullable=False),
)

retentions = Table(
    "retentions",
    metadata,
    Column("name", String(32), primary_key=True),  # of the setting: trace_days
    Column("days", Integer, nullable=False),  # in force
    Column("lowered_to", Integer),  # announced; NULL: nothing is
    Column("acts_at", BigInteger, nullable=False),
)

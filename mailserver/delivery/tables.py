"""Tables of delivery: the operator's figures, without citizen or mailbox, and the traces of messages, sealed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from foundation.database import metadata
from foundation.tables import Id

header_counts = Table(
    "header_counts",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since the epoch, UTC
    Column("name", String(16), primary_key=True),  # X-MSS-…
    Column("value", String(8), primary_key=True),  # of a closed list, or "present"
    Column("process", String(16), primary_key=True),  # so that two processes never wait for one row
    Column("messages", BigInteger, nullable=False),
)

# Everything begins with the time: what is written goes to the end, one page for many, and old rows go at once. An index by keyed
# hash would dirty a page of its own for each value: measured, a sixth more CPU a delivery. So marks are read from end to beginning.
traces = Table(
    "traces",
    metadata,
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("name", LargeBinary, primary_key=True),  # random
    Column("sealed", LargeBinary, nullable=False),  # traces.Trace
    sqlite_with_rowid=False,
)

trace_marks = Table(
    "trace_marks",
    metadata,
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("name", LargeBinary, primary_key=True),
    Column("marks", LargeBinary, nullable=False),  # 8 octets of the keyed hash of each address and of the Message-ID
    sqlite_with_rowid=False,
)

trace_steps = Table(
    "trace_steps",  # what became of it at another operator's, try by try
    metadata,
    Column("id", Id, primary_key=True),
    Column("blob", String(32), nullable=False),  # name of the content that left
    Column("at", BigInteger, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),  # traces.Step
    Index("trace_steps_blob", "blob"),
    sqlite_autoincrement=True,
)

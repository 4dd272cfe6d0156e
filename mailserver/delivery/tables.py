"""Tables of delivery: which mailboxes were used, and the traces of messages, sealed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, SmallInteger, String, Table

from foundation.database import metadata
from foundation.tables import Id

active_boxes = Table(
    "active_boxes",
    metadata,
    Column("month", Integer, primary_key=True, autoincrement=False),  # 202611
    Column("box_id", BigInteger, primary_key=True, autoincrement=False),  # signed in to, or sent from
)

# Everything begins with the time: what is written goes to the end, one page for many, and old rows go at once. An index by keyed
# hash would dirty a page of its own for each value: measured, a sixth more CPU a delivery. So marks are appended here, and filed
# behind the deliveries' back, thousands at a time (`trace_index`).
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

trace_blocks = Table(
    "trace_blocks",  # marks that were filed
    metadata,
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),  # first octet of the marks
    Column("last", BigInteger, primary_key=True, autoincrement=False),  # times of the newest and of the oldest trace
    Column("name", LargeBinary, primary_key=True),  # random
    Column("first", BigInteger, nullable=False),
    Column("entries", LargeBinary, nullable=False),  # mark, time, name of a trace: 8 octets each, one after the other
    sqlite_with_rowid=False,
)

trace_steps = Table(
    "trace_steps",  # what became of it afterwards: tries at another operator's, marks
    metadata,
    Column("id", Id, primary_key=True),
    Column("blob", String(32), nullable=False),  # name of the content that was kept or left
    Column("at", BigInteger, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),  # traces.Step
    Index("trace_steps_blob", "blob"),
    sqlite_autoincrement=True,
)

"""Table of bell entries. Readable: box, kind, dates, whether an e-mail left. Sealed: what the entry leads to."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, UniqueConstraint

from foundation.database import metadata
from foundation.tables import Id

notices = Table(
    "notices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("box_id", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("read_at", BigInteger),
    Column("mail", String(12)),  # sent | no_address | not_wanted | failed; NULL: under way
    Column("cause", LargeBinary, nullable=False),  # names the job; with `number`: a job that runs twice rings once
    Column("number", Integer, nullable=False),
    Column("sealed_target", LargeBinary),
    UniqueConstraint("cause", "number"),
    Index("notices_box", "box_id", "at"),
    sqlite_autoincrement=True,
)

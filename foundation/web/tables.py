"""Tables of the web kit. Nothing here opens a session: only hashes of session ids are kept, and what is personal is sealed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, SmallInteger, String, Table

from foundation.database import metadata

web_sessions = Table(
    "web_sessions",
    metadata,
    Column("id_hash", LargeBinary(32), primary_key=True),
    Column("stage", SmallInteger, nullable=False),  # sessions.Stage
    Column("realm", String(8), nullable=False, server_default=""),  # whose pages: who `person` is depends on it
    Column("person", BigInteger, nullable=False, index=True),  # who signed in
    Column("profile", BigInteger, nullable=False),  # for whom: the person or someone they act for
    Column("shared_computer", SmallInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),  # names, last search, pending code
)

web_kept_forms = Table(
    "web_kept_forms",
    metadata,
    Column("person", BigInteger, primary_key=True),
    Column("path_hash", LargeBinary(16), primary_key=True),
    Column("kept_at", BigInteger, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
)

web_once = Table(
    "web_once",
    metadata,
    Column("mark", LargeBinary(32), primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("location", String(200), nullable=False),  # where the form led to; "" while it is at work
)

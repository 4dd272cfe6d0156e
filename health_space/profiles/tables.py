"""Table of guardianships: ids and dates only, nothing personal."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Table

from foundation.database import metadata

guardianships = Table(
    "guardianships",
    metadata,
    Column("guardian_box_id", BigInteger, primary_key=True),
    Column("person_box_id", BigInteger, primary_key=True),
    Column("kind", String(8), nullable=False),  # parent | carer
    Column("since_at", BigInteger, nullable=False),
    Index("guardianships_person", "person_box_id"),
)

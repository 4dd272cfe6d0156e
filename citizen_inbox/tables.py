"""Prescriptions sent to pharmacies: what the tracking page starts from, and what warns before sending the same one twice."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, Table

from foundation.database import metadata
from foundation.tables import Id

sent_prescriptions = Table(
    "sent_prescriptions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("box_id", BigInteger, nullable=False),
    Column("document_id", BigInteger, nullable=False),
    Column("thread_id", BigInteger),
    Column("relayed", Boolean, nullable=False),  # the pharmacy's mailbox is kept by another operator
    Column("sent_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # pharmacy and title of the document, with the box's key
    Index("sent_prescriptions_box", "box_id", "sent_at"),
    sqlite_autoincrement=True,
)

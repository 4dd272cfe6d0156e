"""Traces found by keyed hash without reading them all

Revision: 0013, after 0012. What was written before is filed little by little by the job `trace_index`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trace_blocks",
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, primary_key=True),
        sa.Column("last", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("name", sa.LargeBinary(), primary_key=True),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )

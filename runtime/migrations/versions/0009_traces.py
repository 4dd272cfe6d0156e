"""Traces of messages, from reception to the last verdict

Revision: 0009, after 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for table, column in (("traces", "sealed"), ("trace_marks", "marks")):
        op.create_table(
            table,
            sa.Column("at", sa.BigInteger(), autoincrement=False, primary_key=True),
            sa.Column("name", sa.LargeBinary(), primary_key=True),
            sa.Column(column, sa.LargeBinary(), nullable=False),
            sqlite_with_rowid=False,
        )
    op.create_table(
        "trace_steps",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("blob", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("trace_steps_blob", "trace_steps", ["blob"])
    op.create_index("ix_trace_steps_at", "trace_steps", ["at"])

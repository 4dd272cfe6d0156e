"""Figures of all kinds in one table; mailboxes used in a month

Revision: 0010, after 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "figures",
        sa.Column("day", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("name", sa.String(24), primary_key=True),
        sa.Column("labels", sa.String(96), primary_key=True),
        sa.Column("process", sa.String(16), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.execute(
        "INSERT INTO figures (day, name, labels, process, count) "
        "SELECT day, 'headers', name || ' ' || value, process, messages FROM header_counts"
    )
    op.drop_table("header_counts")
    op.create_table(
        "active_boxes",
        sa.Column("month", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("box_id", sa.BigInteger(), autoincrement=False, primary_key=True),
    )

"""Turns at a server that allows so many requests a second

Revision: 20261130_paces, after 20261130_approvers.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261130_paces"
down_revision = "20261130_approvers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paces",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
    )

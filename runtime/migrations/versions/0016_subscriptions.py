"""Shared mailboxes: which folders each member subscribes to

Revision: 0016, after 0015.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "folder_subscriptions",
        sa.Column("box_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("folder_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("member", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("subscribed", sa.Boolean, nullable=False),
    )

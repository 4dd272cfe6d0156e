"""Roles of a mailbox's members, and their rights in single folders

Revision: 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Who could do everything still can: who holds a team's mailbox is for its operator to say.
    op.add_column("credentials", sa.Column("role", sa.String(8), nullable=False, server_default="holder"))
    op.create_table(
        "folder_rights",
        sa.Column("box_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("folder_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("member", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("rights", sa.String(16), nullable=False),
    )

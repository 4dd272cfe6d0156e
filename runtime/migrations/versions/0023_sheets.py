"""What a list shows of 64 messages, sealed together

Revision: 0023, after 0022.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sheets",
        sa.Column("folder_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("page", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )

"""How long things are kept, as it is in force and as it was announced

Revision: 20261130_retentions, after 20261130_trail.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261130_retentions"
down_revision = "20261130_trail"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retentions",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("lowered_to", sa.Integer()),
        sa.Column("acts_at", sa.BigInteger(), nullable=False),
    )

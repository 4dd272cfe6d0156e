"""What a recovery stands for: a second factor, a password, or both

Revision: 20261130_recovery_lost, after 20261130_published.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261130_recovery_lost"
down_revision = "20261130_published"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recoveries", sa.Column("lost", sa.String(8), nullable=False, server_default="factor"))

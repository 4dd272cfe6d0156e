"""The operator's people who may let somebody in again, each with a passphrase

Revision: 20261130_approvers, after 20261130_retentions.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261130_approvers"
down_revision = "20261130_retentions"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "approvers",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("name", sa.String(24), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("usable_at", sa.BigInteger(), nullable=False),
        sa.Column("vouched_by", sa.String(24), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("name", "removed_at"),
        sqlite_autoincrement=True,
    )

"""Application passwords: for one program, one protocol or both, revocable

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "app_passwords",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("credential_id", _ID, sa.ForeignKey("credentials.id"), nullable=False, index=True),
        sa.Column("secret_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_name", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_scram", sa.LargeBinary(), nullable=False),
        sa.Column("protocols", sa.String(32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )

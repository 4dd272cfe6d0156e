"""Which mail clients came in, and since when those of before are cut

Revision: 0018, after 0017.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.INTEGER(), "sqlite")


def upgrade() -> None:
    op.add_column("credentials", sa.Column("signed_out_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "mail_clients",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("credential_id", _ID, sa.ForeignKey("credentials.id"), nullable=False, index=True),
        sa.Column("key", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("way", sa.String(8), nullable=False),
        sa.Column("app_password", sa.BigInteger(), nullable=False),
        sa.Column("door", sa.String(12), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False, index=True),
        sqlite_autoincrement=True,
    )

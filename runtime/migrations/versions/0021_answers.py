"""Teams: who answered what, and the copies filed of what was sent in their name

Revision: 0021, after 0020.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answers",
        sa.Column("box_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("message_key", sa.LargeBinary, primary_key=True),
        sa.Column("member", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("sealed_actor", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "filed_copies",
        sa.Column("box_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("message_key", sa.LargeBinary, primary_key=True),
        sa.Column("folder_id", sa.BigInteger, nullable=False),
        sa.Column("uid", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )

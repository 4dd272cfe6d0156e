"""Mail engine: what the extensions of IMAP and the queue keep

Revision: 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("messages") as batch:
        # SAVEDATE (RFC 8514): seconds since the epoch; 0: stored before this was kept.
        batch.add_column(sa.Column("saved_at", sa.BigInteger(), nullable=False, server_default="0"))

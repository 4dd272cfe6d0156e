"""Expunges are forgotten: when a message went, up to which MODSEQ a folder forgot, how many it remembers

Revision: 0012, after 0011. Expunges of before have no day: the first sweep forgets them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("expunged", sa.Column("day", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("folders", sa.Column("forgotten", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("folders", sa.Column("remembered", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE folders SET remembered = (SELECT count(*) FROM expunged WHERE expunged.folder_id = folders.id) "
        "WHERE id IN (SELECT folder_id FROM expunged)"
    )

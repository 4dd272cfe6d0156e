"""A card and its texts are one row

Revision: 20261130_texts, after 20261130_recovery_lost. A card has its texts, always: one without would be refused here, not lost.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261130_texts"
down_revision = "20261130_recovery_lost"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.rename_table("cards", "cards_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX cards_pkey RENAME TO cards_before_pkey")
    op.create_table(
        "cards",
        sa.Column("blob_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("box_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("front", sa.LargeBinary(), nullable=False),
        sa.Column("heads", sa.LargeBinary(), nullable=False),
        sa.Column("back", sa.LargeBinary(), nullable=False),
        sa.Column("texts", sa.LargeBinary(), nullable=False),
    )
    op.execute(
        "INSERT INTO cards (blob_id, box_id, front, heads, back, texts) "
        "SELECT c.blob_id, c.box_id, c.front, t.heads, c.back, t.texts FROM cards_before c "
        "LEFT JOIN search_texts t ON t.blob_id = c.blob_id AND t.box_id = c.box_id ORDER BY c.blob_id, c.box_id"
    )
    op.drop_table("cards_before")
    op.drop_table("search_texts")

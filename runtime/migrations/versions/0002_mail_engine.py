"""Mail engine: what the extensions of IMAP and the queue keep

Revision: 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from runtime.schema import StoreTooOld

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs") as batch:
        batch.add_column(sa.Column("lane", sa.String(255), nullable=False, server_default=""))
        batch.add_column(sa.Column("priority", sa.SmallInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("folders") as batch:
        batch.add_column(sa.Column("flags_modseq", sa.BigInteger(), nullable=False, server_default="1"))
    op.execute("UPDATE folders SET flags_modseq = highest_modseq")
    op.create_table(
        "lost_folders",
        sa.Column("box_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("name_key", sa.LargeBinary(), primary_key=True),
        sa.Column("sealed_name", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "folder_annotations",
        sa.Column("box_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("folder_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("member", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("entry_key", sa.LargeBinary(), primary_key=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )
    op.drop_index("messages_modseq", "messages")
    with op.batch_alter_table("messages") as batch:
        # SAVEDATE (RFC 8514): seconds since the epoch; 0: stored before this was kept.
        batch.add_column(sa.Column("saved_at", sa.BigInteger(), nullable=False, server_default="0"))
    for name in ("cards", "search_texts"):
        # Only the keys of the mailboxes could seal them anew; nothing was released with the old form.
        if op.get_bind().execute(sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)).first():
            raise StoreTooOld(
                "it was made before version 0.1 was released and cannot be migrated: begin with an empty one"
            )
        op.drop_table(name)
    own = (
        sa.Column("blob_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("box_id", sa.BigInteger(), autoincrement=False, primary_key=True),
    )
    op.create_table(
        "cards",
        *(column._copy() for column in own),
        sa.Column("front", sa.LargeBinary(), nullable=False),
        sa.Column("back", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "search_texts",
        *own,
        sa.Column("heads", sa.LargeBinary(), nullable=False),
        sa.Column("texts", sa.LargeBinary(), nullable=False),
    )

"""The life of a mailbox: what it does while suspended, how long it is kept once closed, warnings of its quota, its certificate

Revision: 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mailboxes", sa.Column("refuses", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("mailboxes", sa.Column("kept_until", sa.BigInteger()))
    op.add_column("mailboxes", sa.Column("told_percent", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("mailboxes", sa.Column("certificate", sa.Text()))
    op.create_index("ix_mailboxes_certificate", "mailboxes", ["certificate"])

"""The directory: what the registers of professionals say a mailbox's holder is skilled in

Revision: 0023, after 0022.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("directory_entries", sa.Column("skills", sa.Text(), nullable=False, server_default=""))

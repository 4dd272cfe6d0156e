"""The directory: the digest of the line that an entry was read from

Revision: 0015, after 0014.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("directory_entries", sa.Column("line", sa.BigInteger()))

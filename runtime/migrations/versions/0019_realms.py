"""Web sessions say whose pages they are for: all of one person's are ended together. Those from before end here, once.

Revision: 0019, after 0018.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM web_sessions")
    op.add_column("web_sessions", sa.Column("realm", sa.String(8), nullable=False, server_default=""))

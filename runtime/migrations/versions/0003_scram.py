"""SCRAM: keys derived from the password, beside its hash; made at the next sign-in for who has none yet

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("credentials", sa.Column("sealed_scram", sa.LargeBinary()))

"""The number by which an OpenID provider names the person of a credential

Revision: 0008, after 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("credentials", sa.Column("subject_key", sa.LargeBinary()))
    op.create_index("ix_credentials_subject_key", "credentials", ["subject_key"])

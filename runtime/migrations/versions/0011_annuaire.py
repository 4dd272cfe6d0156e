"""The directory: of which resource of a FHIR server an entry is

Revision: 0011, after 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("directory_entries", sa.Column("resource", sa.String(128), nullable=False, server_default=""))
    op.create_index("directory_entries_resource", "directory_entries", ["resource"])

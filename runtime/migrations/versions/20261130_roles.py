"""Roles found by the person and the place that they repeat

Revision: 20261130_roles, after 20261130_paces.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261130_roles"
down_revision = "20261130_paces"
branch_labels = None
depends_on = None


_TOLD = sa.text("resource != ''")


def upgrade() -> None:
    for name, column in (("directory_entries_person", "person_id"), ("directory_entries_structure", "structure_id")):
        op.create_index(name, "directory_entries", [column], sqlite_where=_TOLD, postgresql_where=_TOLD)

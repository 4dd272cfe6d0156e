"""The different keywords of a folder found without reading its messages

Revision: 20261130_keywords, after 0026.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261130_keywords"
down_revision = "0026"
branch_labels = None
depends_on = None

_WITH_KEYWORDS = sa.text("keywords != ''")


def upgrade() -> None:
    op.create_index(
        "messages_keywords",
        "messages",
        ["folder_id", "keywords"],
        sqlite_where=_WITH_KEYWORDS,
        postgresql_where=_WITH_KEYWORDS,
    )

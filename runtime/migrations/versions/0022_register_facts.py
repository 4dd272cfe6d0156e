"""What the registers say of each professional, dated

Revision: 0022, after 0021.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_CODES, _TEXTS = ("profession", "type", "code", "sector"), ("label", "place", "town")


def upgrade() -> None:
    op.create_table(
        "register_facts",
        sa.Column("id", sa.BigInteger().with_variant(sa.INTEGER(), "sqlite"), primary_key=True),
        sa.Column("person_id", sa.String(16), nullable=False, index=True),
        sa.Column("kind", sa.String(8), nullable=False),
        *(sa.Column(name, sa.String(32), nullable=False) for name in _CODES),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        sa.Column("structure_id", sa.String(15), nullable=False),
        sa.Column("since", sa.Integer(), nullable=False),
        sa.Column("until", sa.Integer()),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False, unique=True),
    )

"""The audit trail takes no row in the place of another one

Revision: 20261130_trail, after 20261130_keywords. SQLite's INSERT OR REPLACE removes what is in its way without asking the triggers
of DELETE, unless a connection says `recursive_triggers`: which is for the connection to say. What is in the way has the same number
in its chain, or the same rowid (0 or less where none was given). PostgreSQL's ON CONFLICT DO UPDATE is an UPDATE, refused since
0017.
"""

from __future__ import annotations

from alembic import op

revision = "20261130_trail"
down_revision = "20261130_keywords"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN "
            "EXISTS (SELECT 1 FROM audit WHERE chain = NEW.chain AND seq = NEW.seq) OR "
            "NEW.rowid > 0 AND EXISTS (SELECT 1 FROM audit WHERE rowid = NEW.rowid) "
            "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
        )

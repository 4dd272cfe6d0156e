"""Mailboxes that the trail says were published

Revision: 20261130_published, after 20261130_roles. Those published before 0025 had no hash of what was told of them, so that one on
the red list was not taken away before the next publication. Of what was told nothing is known: an empty hash, like no other; the
job that tells what changed looks at once.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "20261130_published"
down_revision = "20261130_roles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    conn, last = op.get_bind(), dict[int, str]()
    trail = sa.text("SELECT details FROM audit WHERE event LIKE '%:directory:publish' ORDER BY at, chain, seq")
    for row in conn.execute(trail):
        said = json.loads(row.details)
        last[said["box"]] = said["verb"]
    there = [{"box": box, "hash": b""} for box, verb in last.items() if verb in ("insert", "replace")]
    if there:
        conn.execute(sa.text("UPDATE mailboxes SET published = :hash WHERE id = :box AND published IS NULL"), there)
        conn.execute(sa.text("UPDATE jobs SET due_at = 0 WHERE kind = 'annuaire-publish' AND state = 'waiting'"))

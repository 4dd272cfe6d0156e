"""The databases themselves refuse to change or remove a row of the audit trail, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from foundation.audit import Audit, verify
from foundation.database import Database
from foundation.tables import audit
from runtime import schema
from tests.support.postgres import other_database


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated store with three rows."""
    url = f"sqlite:///{tmp_path}/t.db"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = other_database(server, "guarded")
    schema.upgrade(url)
    found = Database(url)
    trail = Audit(lambda: 1_000)
    for number in range(3):
        found.write_now(trail.record, "message:mailbox:deliver", "box 1", {"n": number})
    yield found
    found.close_now()


_OTHER = (
    "INSERT INTO audit (chain, seq, at, event, actor, details, digest, severity) "
    "SELECT chain, seq, at, event, 'box 2', details, digest, severity"
)
ACTS = {
    "a row is changed": update(audit).where(audit.c.seq == 1).values(actor="box 2"),
    "all rows are changed": update(audit).values(at=0),
    "a row is removed": delete(audit).where(audit.c.seq == 1),
    "the last row is removed": delete(audit).where(audit.c.seq == 2),
    "all rows are removed": delete(audit),
    "the table is emptied": text("TRUNCATE audit"),
    "a row is written over": text(
        f"{_OTHER} FROM audit WHERE seq = 1 ON CONFLICT (chain, seq) DO UPDATE SET actor = excluded.actor"
    ),
    # SQLite alone has these
    "a row is replaced": text(f"{_OTHER.replace('INSERT', 'INSERT OR REPLACE')} FROM audit WHERE seq = 1"),
    "a row is replaced by its rowid": text(
        "INSERT OR REPLACE INTO audit (rowid, chain, seq, at, event, actor, details, digest, severity) "
        "SELECT rowid, 'new', 0, at, event, 'box 2', details, digest, severity FROM audit WHERE seq = 1"
    ),
    "a row is moved onto another": text("UPDATE OR REPLACE audit SET seq = 1 WHERE seq = 2"),
}
SQLITE_ALONE = {name for name in ACTS if "OR REPLACE" in str(ACTS[name])}


@pytest.mark.parametrize("act", ACTS)
def test_refused(db: Database, act: str) -> None:
    if act == "the table is emptied" and db.dialect == "sqlite":
        return  # no such statement: a DELETE
    if act in SQLITE_ALONE and db.dialect == "postgresql":
        return
    with pytest.raises(DBAPIError, match="append-only"):
        db.write_now(lambda tx: tx.execute(ACTS[act]))
    assert db.read_now(lambda conn: len(conn.execute(select(audit)).all())) == 3
    assert db.read_now(verify) == []


def test_rows_are_added_also_by_hand(db: Database) -> None:
    """The guard asks only whether something is in the way."""
    next_one = _OTHER.replace("SELECT chain, seq", "SELECT chain, seq + 1")
    db.write_now(lambda tx: tx.execute(text(f"{next_one} FROM audit WHERE seq = 2")))
    assert db.read_now(lambda conn: len(conn.execute(select(audit)).all())) == 4

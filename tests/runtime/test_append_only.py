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


ACTS = {
    "a row is changed": update(audit).where(audit.c.seq == 1).values(actor="box 2"),
    "all rows are changed": update(audit).values(at=0),
    "a row is removed": delete(audit).where(audit.c.seq == 1),
    "the last row is removed": delete(audit).where(audit.c.seq == 2),
    "all rows are removed": delete(audit),
    "the table is emptied": text("TRUNCATE audit"),
}


@pytest.mark.parametrize("act", ACTS)
def test_refused(db: Database, act: str) -> None:
    if act == "the table is emptied" and db.dialect == "sqlite":
        return  # no such statement: a DELETE
    with pytest.raises(DBAPIError, match="append-only"):
        db.write_now(lambda tx: tx.execute(ACTS[act]))
    assert db.read_now(lambda conn: len(conn.execute(select(audit)).all())) == 3
    assert db.read_now(verify) == []

"""Keeping longer holds at once; keeping less long is announced first, in the trail too. The clock is an argument."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url, select, text

from foundation.audit import Audit
from foundation.clock import DAY
from foundation.database import Database, metadata
from foundation.retention import ANNOUNCED, Retention, follow, found
from foundation.tables import audit
from tests.support.postgres import postgres_server

__all__ = ["postgres_server"]

NOW = 1_800_000_000_000

# what is in force and announced, the setting, days later -> what is in force and announced then
TABLE = [
    (Retention(186), 186, 0, Retention(186)),
    (Retention(186), 366, 0, Retention(366)),
    (Retention(186), 90, 0, Retention(186, 90, NOW + ANNOUNCED)),
    (Retention(186, 90, NOW + ANNOUNCED), 90, 6, Retention(186, 90, NOW + ANNOUNCED)),
    (Retention(186, 90, NOW + ANNOUNCED), 90, 7, Retention(90)),
    (Retention(186, 90, NOW + ANNOUNCED), 186, 6, Retention(186)),
    (Retention(186, 90, NOW + ANNOUNCED), 120, 6, Retention(186, 120, NOW + ANNOUNCED)),  # less goes than was said
    (Retention(186, 90, NOW + ANNOUNCED), 30, 6, Retention(186, 30, NOW + 6 * DAY + ANNOUNCED)),  # more goes
    (Retention(186, 90, NOW + ANNOUNCED), 30, 8, Retention(90, 30, NOW + 8 * DAY + ANNOUNCED)),
    (Retention(186, 90, NOW + ANNOUNCED), 186, 8, Retention(186)),
]


@pytest.mark.parametrize(("before", "days", "later", "after"), TABLE)
def test_each_wish(before: Retention, days: int, later: int, after: Retention) -> None:
    assert before.asked(days, NOW + later * DAY) == after


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 10)), min_size=1))
def test_nothing_goes_that_was_not_announced_for_a_week(wishes: list[tuple[int, int]]) -> None:
    """However settings are changed: what becomes shorter was asked for, without a break, since `ANNOUNCED` ago."""
    kept, now, asked = Retention(wishes[0][0]), NOW, list[tuple[int, int]]()
    for days, later in wishes:
        now += later * DAY
        after = kept.asked(days, now)
        if after.days < kept.days:
            standing = [wish for at, wish in asked if at > now - ANNOUNCED]
            before = [wish for at, wish in asked if at <= now - ANNOUNCED][-1:]
            assert all(wish <= kept.days for wish in standing)
            assert before
            assert after.days >= min(before + [wish for at, wish in asked if at <= now - ANNOUNCED])
        kept = after
        asked.append((now, days))


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/t.db"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        admin = create_engine(server, isolation_level="AUTOCOMMIT")
        with admin.connect() as conn:
            conn.execute(text("DROP DATABASE IF EXISTS kept"))
            conn.execute(text("CREATE DATABASE kept"))
        admin.dispose()
        url = make_url(server).set(database="kept").render_as_string(hide_password=False)
    database = Database(url)
    metadata.create_all(database.engine)
    yield database
    database.close_now()


def test_it_is_kept_in_a_row_and_written_in_the_trail(db: Database) -> None:
    trail = Audit(lambda: NOW)
    assert db.read_now(found, "trace_days") is None
    for days, later in ((186, 0), (186, 1), (90, 1), (90, 2), (90, 9), (120, 10)):
        kept = db.write_now(follow, trail, "trace_days", days, NOW + later * DAY)
        assert db.read_now(found, "trace_days") == kept
    rows = db.read_now(lambda conn: conn.execute(select(audit.c.event, audit.c.details).order_by(audit.c.seq)).all())
    told = [(row.event, json.loads(row.details)) for row in rows]
    assert [event for event, _ in told] == [f"system:retention:{verb}" for verb in ("announce", "act", "keep")]
    assert told[0][1] == {
        "name": "trace_days", "before": 186, "days": 186, "lowered_to": 90, "acts_at": NOW + DAY + ANNOUNCED
    }  # fmt: skip
    assert [said["days"] for _, said in told] == [186, 90, 120]

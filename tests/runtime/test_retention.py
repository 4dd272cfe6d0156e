"""`limits.trace_days` lowered: nothing goes for a week, and the log, the trail, the doctor and `message trace` say so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import structlog.testing
from sqlalchemy import func, insert, select

from foundation.clock import DAY, HOUR, system_clock
from foundation.tables import audit
from mailserver.delivery.tables import traces
from runtime.doctor.kept import database
from runtime.house import House
from runtime.settings import read
from runtime.sweep import keep_traces, sweeping

NOW = system_clock()


def told_by_doctor(operator: Path, at: int) -> list[str]:
    return [one.line("en") for one in database(read(operator), at) if "retention" in one.fault.subject]


def with_days(operator: Path, days: int) -> None:
    text = operator.read_text().partition("[limits]")[0]
    operator.write_text(f"{text}\n[limits]\ntrace_days = {days}\n")


async def day(operator: Path, number: int) -> tuple[int, list[Any]]:
    """The server of that day sweeps: how many traces are left, what it said."""
    house = House(read(operator), lambda: NOW + number * DAY)
    with structlog.testing.capture_logs() as logs:
        await keep_traces(house)
        await sweeping(house)({}, None)  # type: ignore[arg-type]
    left = house.db.read_now(lambda conn: conn.execute(select(func.count()).select_from(traces)).scalar_one())
    await house.close()
    return left, [one for one in logs if one["event"] in ("retention_lowered", "traces_erased_soon")]


async def test_a_lower_setting_acts_after_a_week(operator: Path) -> None:
    house = House(read(operator), lambda: NOW)
    rows = [{"at": NOW - age * DAY, "name": bytes([age]), "sealed": b""} for age in (10, 100, 150)]
    house.db.write_now(lambda tx: tx.execute(insert(traces), rows))
    house.db.close_now()
    assert await day(operator, 0) == (3, [])

    with_days(operator, 90)
    [finding] = told_by_doctor(operator, NOW + HOUR)  # before any start
    assert "limits.trace_days goes from 186 to 90: 2 traces of messages will be erased on" in finding
    assert "set limits.trace_days = 186 again" in finding
    left, logs = await day(operator, 1)
    assert left == 3
    assert [one["event"] for one in logs] == ["retention_lowered", "retention_lowered", "traces_erased_soon"]
    assert (logs[0]["before"], logs[0]["after"], logs[0]["in_days"]) == (186, 90, 7)
    assert logs[2]["count"] == 2
    assert (await day(operator, 7))[0] == 3
    assert len(told_by_doctor(operator, NOW + 7 * DAY)) == 1
    assert (await day(operator, 8))[0] == 1
    assert told_by_doctor(operator, NOW + 8 * DAY) == []

    house = House(read(operator))
    query = select(audit.c.event, audit.c.details).where(audit.c.event.startswith("system:retention"))
    found = house.db.read_now(lambda conn: conn.execute(query.order_by(audit.c.at)).all())
    house.db.close_now()
    assert [row.event for row in found] == ["system:retention:announce", "system:retention:act"]
    assert json.loads(found[0].details)["acts_at"] == NOW + 8 * DAY


async def test_taken_back_in_time_nothing_goes(operator: Path) -> None:
    house = House(read(operator), lambda: NOW)
    house.db.write_now(lambda tx: tx.execute(insert(traces).values(at=NOW - 150 * DAY, name=b"x", sealed=b"")))
    house.db.close_now()
    await day(operator, 0)
    with_days(operator, 90)
    await day(operator, 1)
    with_days(operator, 186)
    assert (await day(operator, 20))[0] == 1
    assert told_by_doctor(operator, NOW + 20 * DAY) == []

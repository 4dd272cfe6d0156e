"""A clock that cannot be right is said by the doctor, by the machines' door and in the figures, and written down."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from starlette.testclient import TestClient

from foundation.clock import DAY, HOUR, SECOND
from foundation.tables import audit
from mailserver.delivery.tables import traces
from runtime import time_check
from runtime.doctor import examine
from runtime.house import House, Trust
from runtime.metrics import application
from runtime.settings import Settings, read
from runtime.time_check import TOLERANCE
from runtime.watch import Watch
from tests.runtime.test_watch import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
async def house(world: World, tmp_path: Path) -> AsyncIterator[House]:
    from runtime import start

    settings: Settings = read(tmp_path / "beta" / "mssante.toml")
    start.prepare(settings)
    made = House(settings, lambda: world.now)
    yield made
    await made.close()


async def judged(house: House, at: int) -> None:
    """A message was, at this moment."""
    await house.db.write(lambda tx: tx.execute(insert(traces), {"at": at, "name": b"12345678", "sealed": b""}))


@pytest.mark.parametrize(
    ("ahead", "synchronised", "wrong"),
    [
        (-HOUR, False, False),
        (0, False, False),
        (TOLERANCE, False, False),  # machines that share a database
        (TOLERANCE + 1, False, True),
        (400 * DAY, False, True),
        (400 * DAY, True, False),  # it was wrong then; what keeps it right now is believed
    ],
)
async def test_when_it_cannot_be_right(world: World, house: House, ahead: int, synchronised: bool, wrong: bool) -> None:
    await judged(house, world.now + ahead)
    assert await house.db.read(time_check.wrong, world.now, lambda: synchronised) == wrong


async def test_an_empty_store_says_nothing(house: House, world: World) -> None:
    assert not await house.db.read(time_check.wrong, world.now, lambda: False)


async def test_what_machines_are_told(world: World, house: House) -> None:
    await judged(house, world.now + HOUR)
    wrong = TestClient(application(house, Trust(house.settings, house.clock), lambda: False))
    answer = wrong.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "clock\n")
    said = wrong.get("/metrics").text
    assert "\nmssante_clock_synchronised 0\n" in said
    assert f"\nmssante_clock_behind_seconds {HOUR // SECOND}\n" in said

    right = TestClient(application(house, Trust(house.settings, house.clock), lambda: True))
    assert right.get("/readyz").status_code == 200
    assert "\nmssante_clock_synchronised 1\n" in right.get("/metrics").text


async def test_what_the_doctor_says(world: World, house: House) -> None:
    await judged(house, world.now + HOUR)
    found = [one.line("fr") for one in examine(house.settings, world.now) if "horloge" in one.line("fr")]
    assert any("3600 s avant les messages déjà jugés" in line for line in found)
    later = [one.line("fr") for one in examine(house.settings, world.now + 2 * HOUR)]
    assert not any("déjà jugés" in line for line in later)


@pytest.mark.parametrize(("step", "direction"), [(90_000, "forth"), (-3_600_000, "back")])
async def test_a_jump_is_counted_and_written_in_the_trail(
    world: World, house: House, step: int, direction: str
) -> None:
    watch = Watch(
        house.settings,
        world.trust,
        lambda: world.now,
        lambda: world.now - world.set_forth,
        lambda: True,
        jumped=time_check.writing_down(house),
    )
    await watch.look()
    world.now, world.set_forth = world.now + step, step
    await watch.look()
    await house.db.write(lambda tx: None)  # behind what was handed in before
    rows = await house.db.read(lambda conn: conn.execute(select(audit.c.event, audit.c.details)).all())
    assert [(row.event, json.loads(row.details)) for row in rows] == [("system:clock:jump", {"seconds": step // 1000})]
    assert house.tally._counts == {("clock_set", direction): 1}

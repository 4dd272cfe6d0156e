"""The Annuaire Santé followed by the server itself: once by several processes, told when it fails, an alarm when it is too old."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import create_engine, select
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from foundation.clock import DAY, HOUR, MINUTE, system_clock
from foundation.tables import audit, jobs
from mssante import directory
from mssante.address import Address
from mssante.identity import luhn_key
from mssante.kinds import BoxKind
from mssante.mailbox import Holder, Mailbox, NewMailbox
from mssante.registers.annuaire import Unanswered
from runtime import annuaire_jobs, schema, start
from runtime.annuaire import SYSTEM, put, server_of
from runtime.annuaire_jobs import FOLLOW, PUBLISH
from runtime.cli import app
from runtime.figures import exposition
from runtime.house import House
from runtime.settings import read
from tests.mssante.registers.annuaire_server import KEY, RPPS, Annuaire, mailbox, practitioner
from tests.support.web import serving

ROCHE = Address("camille.roche", "medecins.autre.example")


@dataclass
class World:
    config: Path
    held: Annuaire
    key: Path
    now: int = field(default_factory=system_clock)
    houses: list[House] = field(default_factory=list)

    async def process(self) -> House:
        """One more that serves the settings."""
        house = House(read(self.config), lambda: self.now)
        await house.start()
        self.houses.append(house)
        for kind, handler in ((FOLLOW, annuaire_jobs.following), (PUBLISH, annuaire_jobs.publishing)):
            house.jobs.handle(kind, handler(house))
            await house.db.write(house.jobs.ensure, kind)
        return house

    def status(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["directory", "status", "--config", str(self.config), *words])

    async def facts(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads((await asyncio.to_thread(self.status, "--json")).stdout)
        return said


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    config, key = tmp_path / "mssante.toml", tmp_path / "annuaire.key"
    assert start.init(config) == start.OK
    key.write_text(KEY)
    held = Annuaire([practitioner("1", "Roche", "Camille", [mailbox(ROCHE.text, "PER")])])
    async with serving(held.app()) as origin:
        with config.open("a") as file:
            file.write(
                f'\n[annuaire]\nurl = "{origin}/fhir/v2"\nkey = "annuaire.key"\nsync_minutes = 60\npublish_hours = 24\n'
            )
        made = World(config, held, key)
        yield made
        for house in made.houses:
            await house.close()


async def rows(house: House, kind: str) -> list[Any]:
    return await house.db.read(lambda conn: conn.execute(select(jobs).where(jobs.c.kind == kind)).all())


async def test_two_processes_follow_it_once(world: World) -> None:
    first, second = await world.process(), await world.process()
    await asyncio.gather(first.jobs.drain(), second.jobs.drain())
    assert [kind for _, kind, _ in world.held.asked] == ["Organization", "Practitioner", "PractitionerRole"]
    assert await first.db.read(directory.get, ROCHE) is not None
    [row] = await rows(first, FOLLOW)
    assert (row.last_reason, row.due_at) == ("done", world.now + 60 * MINUTE)
    assert "_lastUpdated" not in world.held.asked[0][2]
    world.now += 61 * MINUTE
    await asyncio.gather(first.jobs.drain(), second.jobs.drain())
    assert len(world.held.asked) == 6
    assert "_lastUpdated" in world.held.asked[3][2]


async def test_what_fails_is_told_tried_again_and_after_days_an_alarm(world: World) -> None:
    house = await world.process()
    await house.jobs.drain()
    done_at = world.now
    assert (await asyncio.to_thread(world.status)).exit_code == 0
    world.key.write_text("wrong")
    world.now += 61 * MINUTE
    with capture_logs() as said:
        await house.jobs.drain()
    assert [one["event"] for one in said if one["log_level"] != "info"] == ["annuaire_failed"]
    [row] = await rows(house, FOLLOW)
    assert (row.last_reason, row.due_at) == ("failed", world.now + 15 * MINUTE)
    told = await asyncio.to_thread(world.status, "--lang", "en")
    assert (told.exit_code, "status 401" in told.stdout, "TOO OLD" in told.stdout) == (1, True, False)
    world.now = done_at + 73 * HOUR
    with capture_logs() as said:
        await house.jobs.drain()
    alarms = [one for one in said if one["event"] == "annuaire_stale" and one["job"] == FOLLOW]
    assert [(one["log_level"], one["hours"]) for one in alarms] == [("error", 73)]
    text = await house.db.read(exposition, world.now)
    assert f"mssante_directory_age_seconds {73 * 3600}" in text.splitlines()
    world.key.write_text(KEY)
    world.now += 16 * MINUTE
    await house.jobs.drain()
    found = (await world.facts())[FOLLOW]
    assert (found["failed_at"], found["why"], found["stale"]) == (None, "", False)


async def test_our_mailboxes_are_published_and_it_is_in_the_audit_trail(world: World) -> None:
    house = await world.process()
    new = NewMailbox("zoe@medecins.exemple.example", BoxKind.PER, Holder("Dr Zoé Roche", RPPS[1:]))
    unknown = NewMailbox("nobody@medecins.exemple.example", BoxKind.PER, Holder("Personne", ""))
    for one in (new, unknown):
        await house.db.write(house.mailboxes.create, one, world.now)
    with capture_logs() as said:
        await house.jobs.drain()
    [published] = [one for one in said if one["event"] == "directory_published"]
    assert (published["insert"], published["no_identifier"]) == (1, 1)
    assert [one["type"] for one in world.held.patched] == ["insert"]
    [row] = await rows(house, PUBLISH)
    assert row.due_at == world.now + 24 * HOUR
    trail = await house.db.read(lambda conn: conn.execute(select(audit.c.event, audit.c.actor)).all())
    assert ("system:directory:publish", "system") in [tuple(one) for one in trail]


async def ours(house: House, name: str, holder: str = RPPS[1:]) -> Mailbox:
    new = NewMailbox(f"{name}@medecins.exemple.example", BoxKind.PER, Holder(f"Dr {name}", holder))
    return await house.db.write(house.mailboxes.create, new, house.clock())


def sent(world: World) -> list[tuple[str, str]]:
    """(verb, local part) of what was sent since the last look."""
    found = []
    for one in world.held.patched:
        text = one["value"]["value"] if "value" in one else one["path"].split("'")[1]
        found.append((one["type"], text.partition("@")[0]))
    world.held.patched.clear()
    return found


async def test_only_what_changed_is_sent_again(world: World) -> None:
    house = await world.process()
    zoe, _ = await ours(house, "zoe"), await ours(house, "paul")
    await house.jobs.drain()
    assert sent(world) == [("insert", "zoe"), ("insert", "paul")]
    world.held.asked.clear()
    world.now += 25 * HOUR
    await house.jobs.drain()
    assert (sent(world), [kind for _, kind, asked in world.held.asked if "mailbox-mss:exact" in asked]) == ([], [])
    world.held.resources[0]["telecom"].append(mailbox(zoe.address.text, "PER"))
    await house.db.write(house.mailboxes.set_holder, zoe.id, Holder("Dr zoe", RPPS[1:], phone="01 99 00 10 10"))
    world.now += 25 * HOUR
    await house.jobs.drain()
    assert sent(world) == [("replace", "zoe")]


async def test_who_goes_on_the_red_list_is_taken_away_at_once(world: World) -> None:
    """Whoever put them there, and also while our mailboxes are sent; once."""
    house = await world.process()
    zoe, paul = await ours(house, "zoe"), await ours(house, "paul")
    await house.jobs.drain()
    sent(world)
    world.held.resources[0]["telecom"] += [mailbox(one.address.text, "PER") for one in (zoe, paul)]
    await house.db.write(house.mailboxes.set_red_list, zoe.id, True)
    assert await house.jobs.drain() == 1
    assert sent(world) == [("delete", "zoe")]
    await house.db.write(house.mailboxes.close, paul.id, world.now, world.now + DAY)
    await house.jobs.drain()
    assert sent(world) == [("delete", "paul")]
    world.now += 25 * HOUR
    await house.jobs.drain()
    assert sent(world) == []


async def test_published_by_command_they_are_taken_away_at_once_all_the_same(world: World) -> None:
    text = world.config.read_text()
    world.config.write_text(text.replace("publish_hours = 24", "publish_hours = 0"))
    house = await world.process()
    zoe, rouge = await ours(house, "zoe"), await ours(house, "rouge")
    await house.jobs.drain()
    assert sent(world) == []
    done = await asyncio.to_thread(
        CliRunner().invoke, app, ["directory", "publish", "--config", str(world.config), "--json"]
    )
    assert [one["done"] for one in json.loads(done.stdout)] == ["insert", "insert"]
    again = await asyncio.to_thread(
        CliRunner().invoke, app, ["directory", "publish", "--config", str(world.config), "--lang", "en"]
    )
    assert (again.exit_code, again.stdout.strip()) == (0, "Nothing to publish.")
    sent(world)
    world.held.resources[0]["telecom"].append(mailbox(rouge.address.text, "PER"))
    await house.db.write(house.mailboxes.set_red_list, rouge.id, True)
    await ours(house, "neuf")  # sent by the next command only
    await house.jobs.drain()
    assert sent(world) == [("delete", "rouge")]
    assert zoe.address.text not in str(world.held.resources)


@pytest.mark.parametrize("hours", [24, 0])
async def test_who_was_published_by_a_process_that_heard_no_answer_is_taken_away_too(world: World, hours: int) -> None:
    """Or that was killed between the change and its row: of a mailbox on the red list nobody else would ask."""
    world.config.write_text(world.config.read_text().replace("publish_hours = 24", f"publish_hours = {hours}"))
    house = await world.process()
    zoe, world.held.loses = await ours(house, "zoe"), 1
    with pytest.raises(Unanswered):
        await put(house, server_of(house), zoe, SYSTEM)
    assert sent(world) == [("insert", "zoe")]
    world.held.resources[0]["telecom"].append(mailbox(zoe.address.text, "PER"))
    await house.db.write(house.mailboxes.set_red_list, zoe.id, True)
    await house.jobs.drain()
    assert sent(world) == [("delete", "zoe")]


def again(database: str) -> None:
    """That step of the schema, once more."""
    engine, alembic = create_engine(database), schema.config()
    with engine.begin() as conn:
        alembic.attributes["connection"] = conn
        command.stamp(alembic, "20261130_roles")
        command.upgrade(alembic, "20261130_published")
        command.stamp(alembic, "head")
    engine.dispose()


async def test_published_before_hashes_were_kept_they_are_taken_away_after_the_upgrade(
    world: World,
) -> None:
    """Only the trail knows of them: with it the red list holds at the first look, and nobody else is asked about."""
    house = await world.process()
    rouge, close, never, back = [await ours(house, name) for name in ("rouge", "close", "never", "back")]
    with closing(sqlite3.connect(world.config.parent / "mssante.db")) as conn, conn:
        for number, (box, verb) in enumerate(
            [(rouge, "insert"), (close, "replace"), (back, "insert"), (back, "delete")]
        ):
            details = json.dumps({"box": box.id, "verb": verb})
            row = ("before", number, number, "operator:directory:publish", "operator ada", details, b"", 0)
            conn.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        conn.execute("UPDATE mailboxes SET red_list = 1 WHERE id IN (?, ?, ?)", (rouge.id, never.id, back.id))
        conn.execute("UPDATE mailboxes SET state = 'closed' WHERE id = ?", (close.id,))
        conn.execute("UPDATE jobs SET due_at = ?", (world.now + DAY,))
    world.held.resources[0]["telecom"] += [mailbox(box.address.text, "PER") for box in (rouge, close)]
    await asyncio.to_thread(again, house.settings.storage.database)
    assert await house.jobs.drain() == 1
    assert sorted(sent(world)) == [("delete", "close"), ("delete", "rouge")]
    asked = {asked["mailbox-mss:exact"] for _, _, asked in world.held.asked}
    assert asked == {rouge.address.text, close.address.text}
    world.now += 25 * HOUR
    world.held.asked.clear()
    await house.jobs.drain()
    assert sent(world) == []


async def test_one_that_is_refused_holds_up_no_other(world: World) -> None:
    house = await world.process()
    await ours(house, "inconnue", "1099900009" + luhn_key("1099900009"))
    await ours(house, "zoe")
    with capture_logs() as said:
        await house.jobs.drain()
    assert sent(world) == [("insert", "zoe")]
    [told] = [one for one in said if one["event"] == "mailbox_not_published"]
    assert (told["reason"].endswith("(status 404)"), "inconnue" in str(said)) == (True, False)
    world.now += 25 * HOUR
    with capture_logs() as said:
        await house.jobs.drain()
    assert [one["refused"] for one in said if one["event"] == "directory_published"] == [1]


async def test_what_two_processes_ask_is_one_pace(world: World) -> None:
    """Seventeen a second are the application's, whoever asks: each request of both begins 59 ms after another one."""
    asked = [server_of(await world.process()) for _ in range(2)]
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(one.mailbox("Practitioner", ROCHE.text) for one in asked for _ in range(10)))
    assert asyncio.get_running_loop().time() - began > 19 * 0.059


async def test_status_of_an_empty_directory_that_nobody_follows(tmp_path: Path) -> None:
    config = tmp_path / "mssante.toml"
    assert start.init(config) == start.OK
    said = await asyncio.to_thread(
        CliRunner().invoke, app, ["directory", "status", "--config", str(config), "--lang", "en"]
    )
    assert (said.exit_code, said.stdout.splitlines()[0]) == (0, "The directory is empty.")
    assert "by command only" in said.stdout

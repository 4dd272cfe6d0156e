"""A trust list that somebody put in place by hand (`mv`) is in the audit trail too: what was added, what removed."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from foundation.clock import MINUTE, system_clock
from mssante.trust_list import Entry
from runtime import start
from runtime.cli import app
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import BETA
from runtime.demo.pki import Pki
from runtime.house import House, Trust
from runtime.settings import read
from runtime.trust import known, read_trust_list
from runtime.trust_fetch import recorded
from runtime.trust_record import TrustRecord

NEW, DN = "nouveau.example", "CN=mx.nouveau.example,C=FR"


class World:
    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, system_clock()
        self.pki = Pki(folder / "pki", self.now)
        self.issued = self.pki.operator(BETA, folder / "beta" / "tls")
        self.config = folder / "beta" / "mssante.toml"
        self.config.write_text(settings_text(BETA, Ports(9000, web=False, bench=False), {}, self.pki, folder))
        self.settings = read(self.config)
        self.place(0)
        start.prepare(self.settings)
        self.begin()

    def begin(self) -> None:
        """The server starts."""
        self.house = House(self.settings)
        self.trust = Trust(self.settings, system_clock)
        self.record = TrustRecord(self.house, self.trust)

    def place(self, minute: int, *also: Entry) -> None:
        """By hand: a list made elsewhere, renamed over the one in use."""
        made = self.folder / "made.xml"
        dated = Pki(self.folder / "pki", self.now + minute * MINUTE)
        dated.sign_trust_list({BETA: self.issued}, bench=False, also=list(also), to=made)
        made.replace(self.settings.trust_list.file)

    async def look(self) -> list[dict[str, Any]]:
        """Twice, as the watch does: all that the audit trail then says."""
        for _ in range(2):
            self.trust.holder.follow()
            await self.record.look()
        return await self.house.db.read(recorded, 9)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.house.db.close()


async def test_the_first_list_and_the_next_ones(world: World) -> None:
    [first] = await world.look()
    assert (first["author"], first["added"], set(first["names_added"])) == (
        "fichier",
        len(BETA.all_domains),
        set(BETA.all_domains),
    )
    world.place(1, Entry(NEW, DN))
    first, second = await world.look()
    assert (second["author"], second["names_added"], second["names_removed"]) == ("fichier", {NEW: [DN]}, {})
    world.place(2)
    *_, third = await world.look()
    assert (third["author"], third["names_added"], third["names_removed"]) == ("fichier", {}, {NEW: [DN]})
    assert len(await world.look()) == 3, "each once"


async def test_it_is_not_written_while_whoever_fetched_it_may_write_it_down(world: World) -> None:
    await world.look()
    world.place(1, Entry(NEW, DN))
    world.trust.holder.follow()
    await world.record.look()
    assert len(await world.house.db.read(recorded, 9)) == 1


async def test_replaced_while_the_server_was_stopped(world: World) -> None:
    await world.look()
    world.place(1, Entry(NEW, DN))
    await world.house.db.close()
    world.begin()
    *_, found = await world.look()
    assert (found["author"], found["names_added"]) == ("fichier", {NEW: [DN]})


async def test_what_the_command_puts_in_place_is_the_operators(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "nadia")
    await world.look()
    shutil.copy(world.settings.trust_list.file, world.folder / "old.xml")
    world.place(1, Entry(NEW, DN))
    offered = world.folder / "offered.xml"
    world.settings.trust_list.file.replace(offered)
    shutil.copy(world.folder / "old.xml", world.settings.trust_list.file)
    done = CliRunner().invoke(app, ["trust-list", "fetch", str(offered), "--config", str(world.config)])
    assert done.exit_code == 0, done.output
    *_, found = await world.look()
    assert (found["author"], found["names_added"]) == ("operator nadia", {NEW: [DN]})
    assert len(await world.look()) == 2


async def test_a_bad_file_is_not_written_down_and_the_doctor_names_the_last_good_one(world: World) -> None:
    await world.look()
    file = world.settings.trust_list.file
    file.write_bytes(file.read_bytes()[:-40])
    assert len(await world.look()) == 1
    assert f"mssante trust-list fetch {known(world.settings)}" in str(read_trust_list(world.settings))
    done = CliRunner().invoke(app, ["trust-list", "fetch", str(known(world.settings)), "--config", str(world.config)])
    assert done.exit_code == 0, done.output
    assert not isinstance(read_trust_list(world.settings), str)

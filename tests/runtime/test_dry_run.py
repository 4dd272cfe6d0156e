"""`--dry-run` of every command that has one: no row and no file changes, and it says what the command then does."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from foundation.clock import MINUTE, system_clock
from mssante import approvers, one_time, recovery
from mssante.passwords import hash_password
from mssante.trust_list import Entry
from runtime import start
from runtime.cli import app
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import BETA
from runtime.demo.pki import Pki
from runtime.house import House
from runtime.settings import read
from tests.mssante.registers.annuaire_server import KEY, Annuaire, mailbox, practitioner
from tests.mssante.registers.annuaire_server import RPPS as PRACTITIONER
from tests.support.http_server import HttpServer
from tests.support.web import serving

RPPS = PRACTITIONER[1:]
DOMAIN = "medecins.beta.example"
TEAM, ANNE, PAUL, ROBOT = (f"{name}@{DOMAIN}" for name in ("equipe", "anne", "paul", "robot"))
EXTRACTION = (
    "Type de BAL|Adresse BAL|Nom d'exercice|Prénom d'exercice|Libellé Profession|L6LIGNEACHEMINEMENT structure BAL\n"
    "PER|zoe@autre.example|MARTIN|ZOÉ|Sage-Femme|99100 VILLEFLEUR\n"
)

LINES = """
mailbox create new@medecins.beta.example --kind PER --name New --login new@beta
mailbox create --file boxes.csv
mailbox holder anne@medecins.beta.example --town Ailleurs
mailbox holder --file holders.csv
mailbox private-email anne@medecins.beta.example anne@maison.example
mailbox suspend anne@medecins.beta.example --refuse
mailbox resume paul@medecins.beta.example
mailbox close anne@medecins.beta.example --export anne.zip
mailbox red-list anne@medecins.beta.example on
mailbox quota anne@medecins.beta.example 3G
mailbox certificate robot@medecins.beta.example CN=robot,C=FR
mailbox members add equipe@medecins.beta.example thomas@beta --person Thomas
mailbox members add --file people.csv
mailbox members role equipe@medecins.beta.example lea@beta reader
mailbox members subject equipe@medecins.beta.example lea@beta 899700000001
mailbox members suspend equipe@medecins.beta.example lea@beta
mailbox members resume equipe@medecins.beta.example max@beta
mailbox members remove equipe@medecins.beta.example lea@beta
account recover nadia@beta --lost both --reason vol --operator zoe --secret-file phrase
account approve 1 --operator zoe --secret-file phrase
account cancel 1
operator add bruno --secret-file phrase --by zoe --by-file phrase
operator remove yves --by zoe --by-file phrase
directory import extraction.txt
directory sync
directory publish --all
job retry --kind relay
job cancel --kind learn
queue retry --all
queue cancel --all
trust-list fetch newer.xml
certificate fetch
restore backup --config empty/mssante.toml
""".strip().splitlines()


class World:
    def __init__(self, folder: Path) -> None:
        self.folder, now = folder, system_clock()
        pki = Pki(folder / "pki", now - MINUTE)
        issued = pki.operator(BETA, folder / "tls")
        pki.sign_trust_list({BETA: issued}, bench=False)
        self.lists = HttpServer(folder)
        self.lists.give("/crl", pki.crl.read_bytes())
        self.config = folder / "mssante.toml"
        text = settings_text(BETA, Ports(9000, web=False, bench=False), {}, pki, folder)
        text = text.replace(str(pki.crl), "tls/crl.pem").replace("[tls]", f'[tls]\ncrl_urls = ["{self.lists.url}/crl"]')
        self.config.write_text(text)
        start.prepare(read(self.config))
        (folder / "boxes.csv").write_text("address;kind;name;login\nx@medecins.beta.example;PER;X;x@beta\nbad;PER;Y;\n")
        (folder / "holders.csv").write_text(f"address;town\n{ANNE};Hautbourg\n")
        (folder / "people.csv").write_text(f"address;login\n{TEAM};eve@beta\n")
        (folder / "extraction.txt").write_text(EXTRACTION)
        Pki(folder / "pki", now).sign_trust_list(
            {BETA: issued},
            bench=False,
            also=[Entry("nouveau.example", "CN=mx.nouveau.example,C=FR")],
            to=folder / "newer.xml",
        )
        self._fill()
        (folder / "empty" / "keys").mkdir(parents=True)
        (folder / "empty" / "mssante.toml").write_text(text)
        (folder / "empty" / "keys" / "master.key").write_bytes(read(self.config).storage.master_key.read_bytes())

    def _fill(self) -> None:
        for line in (
            f"mailbox create {TEAM} --kind ORG --name Equipe --login nadia@beta",
            f"mailbox create {ANNE} --kind PER --name Anne --holder-id {RPPS}",
            f"mailbox create {PAUL} --kind PER --name Paul",
            f"mailbox create {ROBOT} --kind APP --name Robot",
            f"mailbox suspend {PAUL}",
            f"mailbox members add {TEAM} lea@beta",
            f"mailbox members add {TEAM} max@beta",
            f"mailbox members suspend {TEAM} max@beta",
            f"backup {self.folder / 'backup'}",
        ):  # fmt: skip
            assert self.run(line).exit_code == 0, line
        house = House(read(self.config))
        nadia = house.db.read_now(house.credentials.by_login, "nadia@beta")
        assert nadia is not None
        house.db.write_now(one_time.enrol_totp, house.keys, nadia.credential_id, one_time.new_totp_secret())
        argon2 = hash_password("ficelle grenier castor", None).argon2
        for name in ("zoe", "yves"):
            house.db.write_now(approvers.add, house.keys, name, argon2, "", house.clock())
        (self.folder / "phrase").write_text("ficelle grenier castor\n")
        asked = (house.keys, nadia.credential_id, recovery.Lost.FACTOR, "key yves", "perte", house.clock())
        house.db.write_now(recovery.ask, *asked)
        blob = house.blobs.prepare(b"Subject: a\r\n\r\nSecret\r\n")
        payload: dict[str, Any] = {
            "blob": [blob.ref.name, blob.ref.key.hex(), blob.ref.size], "reverse_path": ANNE, "domain": "autre.example",
            "recipients": [{"address": "a@autre.example", "notify": [], "orcpt": None}], "envid": None, "ret": None,
            "created_at": house.clock(),
        }  # fmt: skip

        def owe(tx: Any) -> None:
            house.blobs.insert(tx, blob)
            house.jobs.enqueue(tx, "relay", payload, house.clock() + 60 * MINUTE, lane="autre.example")
            house.jobs.enqueue(tx, "learn", {})

        house.db.write_now(owe)
        house.db.close_now()

    def run(self, line: str, *more: str) -> Result:
        words = [str(self.folder / word) if self._is_file(word) else word for word in line.split()]
        config = [] if "--config" in words else ["--config", str(self.config)]
        return CliRunner().invoke(app, [*words, *more, *config])

    def _is_file(self, word: str) -> bool:
        return word.endswith((".zip", ".toml")) or (self.folder / word).exists()

    def digest(self) -> str:
        """Of every row of every table but that of turns (to ask a server is to take one), and of every file but the database's."""
        found = hashlib.sha256()
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and ".db" not in path.name:
                found.update(f"{path} {path.stat().st_mode}".encode() + path.read_bytes())
        with closing(sqlite3.connect(self.folder / "mssante.db")) as conn:
            for line in conn.iterdump():
                if not line.startswith('INSERT INTO "paces"'):
                    found.update(line.encode())
        return found.hexdigest()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.lists.__exit__()


def _commands(one: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    if any("--dry-run" in getattr(each, "opts", ()) for each in one.params):
        yield " ".join(path)
    for name, inner in getattr(one, "commands", {}).items():
        yield from _commands(inner, (*path, name))


def test_every_command_with_a_rehearsal_is_in_the_list() -> None:
    assert {
        name
        for name in _commands(get_command(app))
        if not any(line.startswith(f"{name} ") or line == name for line in LINES)
    } == set()


async def rehearsed(world: World, line: str) -> None:
    before = world.digest()
    tried = await asyncio.to_thread(world.run, line, "--dry-run")
    assert tried.exit_code == (1 if "boxes.csv" in line else 0), tried.output  # its second line is wrong
    facts = await asyncio.to_thread(world.run, line, "--dry-run", "--json")
    assert world.digest() == before
    done = await asyncio.to_thread(world.run, line)
    assert done.exit_code == tried.exit_code, done.output
    *said, last = tried.stdout.splitlines()
    assert last == "Essai : rien n’a été changé."
    json.loads(facts.stdout)
    assert '"password": "' not in facts.stdout
    assert '"code": "' not in facts.stdout
    assert ("code à venir" in tried.stdout) is (", code " in done.stdout)
    assert ("mot de passe à venir" in tried.stdout) is bool(re.search("mot de passe [a-z0-9]{4}-", done.stdout))
    if line.startswith("restore"):  # has a place of its own
        assert said[0].startswith("Sauvegarde du")
        return
    assert world.digest() != before
    assert bare("\n".join(said)) == bare(done.stdout)


def bare(text: str) -> list[str]:
    """Without passwords, codes and seconds."""
    return [re.sub(r"\d\dZ", "", re.split(", mot de passe|, code ", line)[0]) for line in text.splitlines()]


@pytest.mark.parametrize("line", LINES)
async def test_a_rehearsal_changes_nothing_and_says_what_is_done(line: str, world: World) -> None:
    if not line.startswith(("directory publish", "directory sync")):
        await rehearsed(world, line)
        return
    held = Annuaire([practitioner("1", "Roche", "Camille", [mailbox("other@autre.example", "PER")])])
    key = world.folder / "annuaire.key"
    key.write_text(KEY)
    async with serving(held.app()) as origin:
        with world.config.open("a") as file:
            file.write(f'\n[annuaire]\nurl = "{origin}/fhir/v2"\nkey = "annuaire.key"\n')
        await rehearsed(world, line.replace("--all", ANNE))

"""`mssante directory` as an operator types it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from foundation.tables import audit
from mssante.identity import luhn_key
from mssante.kinds import BoxKind
from mssante.mailbox import Holder, NewMailbox
from runtime import start
from runtime.cli import app
from runtime.house import House
from runtime.settings import read
from tests.mssante.registers.annuaire_server import (
    FINESS_NUMBER,
    KEY,
    RPPS,
    Annuaire,
    mailbox,
    organization,
    practitioner,
)
from tests.support.web import serving

HEADER = "Type de BAL|Adresse BAL|Nom d'exercice|Prénom d'exercice|Libellé Profession|L6LIGNEACHEMINEMENT structure BAL"
LINES = [
    "PER|zoe.martin@medecins.autre.example|MARTIN|ZOÉ|Sage-Femme|99100 VILLEFLEUR",
    "PER|rouge@medecins.exemple.example|ROUGE|PAUL|Médecin|99100 VILLEFLEUR",
    "PER|nonsense|A|B|C|D",
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mssante.toml"
    assert start.init(path) == start.OK
    house = House(read(path))
    hidden = NewMailbox("rouge@medecins.exemple.example", BoxKind.PER, red_list=True)
    house.db.write_now(house.mailboxes.create, hidden, 1)
    house.db.close_now()
    return path


@pytest.fixture
def extraction(tmp_path: Path) -> Path:
    path = tmp_path / "Extraction_Correspondance_MSSante_202611290730.txt"
    path.write_text("\n".join([HEADER, *LINES]) + "\n", encoding="utf-8")
    return path


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["directory", *words, "--config", str(config)])


def test_import_then_search_and_show(config: Path, extraction: Path) -> None:
    rehearsed = run(config, "import", str(extraction), "--dry-run")
    assert (rehearsed.exit_code, "rien n’a été changé" in rehearsed.stdout) == (0, True)
    assert run(config, "search", "martin").exit_code == 1
    done = run(config, "import", str(extraction))
    assert done.exit_code == 0, done.output
    assert "3 lignes lues." in done.stdout
    assert "1 boîtes d’ici en liste rouge" in done.stdout
    assert "ligne 4 : adresse invalide" in done.stdout
    assert "VILLEFLEUR" in run(config, "search", "sage", "femme", "vilefleur").stdout
    [found] = json.loads(run(config, "search", "--name", "martin", "--json").stdout)
    assert found["address"] == "zoe.martin@medecins.autre.example"
    assert run(config, "search", "rouge").exit_code == 1
    assert "Sage-Femme" in run(config, "show", "Zoe.Martin@medecins.autre.example").stdout
    assert run(config, "show", "rouge@medecins.exemple.example").exit_code == 1


def test_every_import_is_in_the_audit_trail_without_names(config: Path, extraction: Path) -> None:
    facts = json.loads(run(config, "import", str(extraction), "--json").stdout)
    assert facts == {
        "lines": 3, "unchanged": 0, "kept_out": 1, "gone": 0, "faults": {"address": 1},
        "first_faults": [{"line": 4, "fault": "address"}],
    }  # fmt: skip
    house = House(read(config))
    [row] = house.db.read_now(lambda conn: conn.execute(select(audit)).all())
    house.db.close_now()
    assert (row.event, json.loads(row.details)) == ("operator:directory:import", {"lines": 3, "faults": 1, "gone": 0})
    assert row.actor.startswith("operator ")


def test_what_the_registers_say_of_a_person_is_shown_with_its_dates(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "extraction.txt"
    header = "Type de BAL|Adresse BAL|Identification nationale PP|Nom d'exercice"
    path.write_text(f"{header}\nPER|zoe@medecins.autre.example|{RPPS}|MARTIN\n")
    assert run(config, "import", str(path)).exit_code == 0
    path = tmp_path / "PS_LibreAcces_SavoirFaire_202611290730.txt"
    header = "Identification nationale PP|Code profession|Code type savoir-faire|Code savoir-faire|Libellé savoir-faire"
    path.write_text(f"{header}\n{RPPS}|10|S|SM04|Cardiologie et maladies vasculaires\n{RPPS[:-1]}|10|S|SM04|X\n")
    imported = run(config, "import", str(path))
    assert "ligne 3 : identifiant invalide" in imported.stdout
    shown = run(config, "show", "zoe@medecins.autre.example").stdout
    assert "Médecin, Cardiologie et maladies vasculaires (depuis le 20" in shown
    [fact] = json.loads(run(config, "show", "zoe@medecins.autre.example", "--json").stdout)["register"]
    assert (fact["kind"], fact["code"], fact["until"]) == ("skill", "SM04", None)
    found = run(config, "search", "cardiologue", "martin").stdout
    assert "Cardiologie et maladies vasculaires" in found


def test_wrong_files_and_wrong_use(config: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("a|b|c\n")
    refused = run(config, "import", str(other), "--lang", "en")
    assert (refused.exit_code, "not an extraction" in refused.stderr) == (1, True)
    assert run(config, "import", str(tmp_path / "missing")).exit_code == 2
    assert run(config, "search").exit_code == 2
    assert run(config, "search", "--near", "69003").exit_code == 2
    assert run(config, "search", "a", "--sector", "SA99").exit_code == 2


async def test_sync(config: Path, tmp_path: Path) -> None:
    assert run(config, "sync").exit_code == 2  # no server in the settings
    held = Annuaire([practitioner("1", "Roche", "Camille", [mailbox("camille.roche@medecins.example", "PER")])])
    key = tmp_path / "annuaire.key"
    key.write_text(KEY + "\n")
    async with serving(held.app()) as origin:
        with config.open("a") as file:
            file.write(f'\n[annuaire]\nurl = "{origin}/fhir/v2"\nkey = "annuaire.key"\n')
        done = await asyncio.to_thread(run, config, "sync", "--json")
        assert json.loads(done.stdout)["entries"] == 1
        key.write_text("wrong")
        refused = await asyncio.to_thread(run, config, "sync", "--lang", "en")
    assert (refused.exit_code, refused.stderr.strip()) == (1, "Annuaire Santé: key refused (status 401)")
    assert "camille.roche" in run(config, "search", "roche").stdout


async def test_publish(config: Path, tmp_path: Path) -> None:
    house, number = House(read(config)), RPPS[1:]
    for address, holder, red in (
        ("camille@medecins.exemple.example", Holder("Dr Camille Roche", number), False),
        ("there@medecins.exemple.example", Holder("Dr Camille Roche", number), False),
        ("was.there@medecins.exemple.example", Holder("Dr Camille Roche", number), True),
        ("o'brien@medecins.exemple.example", Holder("Inconnue", "1099900009" + luhn_key("1099900009")), False),
    ):
        house.db.write_now(house.mailboxes.create, NewMailbox(address, BoxKind.PER, holder, red_list=red), 1)
    house.db.close_now()
    boxes = [mailbox(f"{name}@medecins.exemple.example", "PER") for name in ("there", "was.there")]
    held = Annuaire([practitioner("1", "Roche", "Camille", boxes)])
    (tmp_path / "annuaire.key").write_text(KEY)
    async with serving(held.app()) as origin:
        with config.open("a") as file:
            file.write(f'\n[annuaire]\nurl = "{origin}/fhir/v2"\nkey = "annuaire.key"\n')
        rehearsed = await asyncio.to_thread(run, config, "publish", "--all", "--json", "--dry-run")
        assert held.patched == []
        done = await asyncio.to_thread(run, config, "publish", "--all", "--json")
    acts = {one["address"].partition("@")[0]: one["done"] for one in json.loads(rehearsed.stdout)}
    assert acts == {
        "rouge": "refused",
        "camille": "insert",
        "there": "replace",
        "was.there": "delete",
        "o'brien": "insert",
    }
    report = {one["address"].partition("@")[0]: (one["done"], one["why"]) for one in json.loads(done.stdout)}
    assert report["o'brien"] == ("refused", "personne n’a cet identifiant (statut 404)")
    assert report["rouge"][0] == "refused"  # on the red list, its holder without an identifier
    assert done.exit_code == 1
    assert [(one["type"], one["path"]) for one in held.patched] == [
        ("insert", "Practitioner.telecom"),
        ("replace", "Practitioner.telecom.where(value = 'there@medecins.exemple.example')"),
        ("delete", "Practitioner.telecom.where(value = 'was.there@medecins.exemple.example')"),
    ]
    assert held.patched[0]["value"]["value"] == "camille@medecins.exemple.example"
    assert "value" not in held.patched[2]
    assert run(config, "publish", "camille@medecins.exemple.example", "--all").exit_code == 2


async def test_publishing_leaves_what_others_say_of_a_mailbox(config: Path, tmp_path: Path) -> None:
    """A structure is named by its national identifier; its « dématérialisation », service, rank and type of e-mail stay."""
    address = "cardio@medecins.exemple.example"
    house, holder = House(read(config)), Holder("Cardiologie", FINESS_NUMBER, phone="01 99 00 10 10")
    house.db.write_now(house.mailboxes.create, NewMailbox(address, BoxKind.ORG, holder), 1)
    house.db.close_now()
    there = mailbox(address, "ORG", service="Cœur", description="Ancienne")
    there["extension"][0]["extension"].append(dematerialised := {"url": "digitization", "valueBoolean": True})
    there["extension"].insert(0, kind := {"url": "https://hl7.fr/email-type", "valueCoding": {"code": "MSSANTE"}})
    held = Annuaire([organization("9", "CHU", "SA01", [there | {"rank": 1}])])
    (tmp_path / "annuaire.key").write_text(KEY)
    async with serving(held.app()) as origin:
        with config.open("a") as file:
            file.write(f'\n[annuaire]\nurl = "{origin}/fhir/v2"\nkey = "annuaire.key"\n')
        done = await asyncio.to_thread(run, config, "publish", address)
    assert (done.exit_code, [one["type"] for one in held.patched]) == (0, ["replace"]), done.output
    sent = held.patched[0]["value"]
    beside, metadata = sent["extension"]
    assert (sent["value"], sent["rank"], beside) == (address, 1, kind)
    assert metadata["extension"] == [
        {"url": "type", "valueCode": "ORG"},
        {"url": "listeRouge", "valueBoolean": False},
        {"url": "description", "valueString": "Cardiologie"},
        {"url": "phone", "valueString": "01 99 00 10 10"},
        {"url": "service", "valueString": "Cœur"},
        dematerialised,
    ]

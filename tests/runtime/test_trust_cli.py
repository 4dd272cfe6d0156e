"""`mssante trust-list` as an operator types it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from certs.authority import load_issued
from certs.names import of_name
from foundation.clock import MINUTE, system_clock
from foundation.tables import audit
from mssante.signed_xml import XmlFault
from mssante.trust_list import Entry, ListFault
from runtime import start
from runtime.cli import app
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import BETA
from runtime.demo.pki import Pki
from runtime.house import House
from runtime.settings import read
from runtime.trust import WHY

NEW, DN = "nouveau.mssante.example", "CN=mx.nouveau.example,C=FR"


class World:
    """An operator with a list in place, and `offered`: a newer one, with one more domain."""

    def __init__(self, folder: Path) -> None:
        self.now = system_clock()
        self.pki = Pki(folder / "pki", self.now)
        self.issued = self.pki.operator(BETA, folder / "beta" / "tls")
        self.pki.sign_trust_list({BETA: self.issued}, bench=False)
        self.config = folder / "beta" / "mssante.toml"
        self.config.write_text(settings_text(BETA, Ports(9000, web=False, bench=False), {}, self.pki, folder))
        start.prepare(read(self.config))
        self.offered = folder / "offered.xml"
        newer = Pki(folder / "pki", self.now + MINUTE)
        newer.sign_trust_list({BETA: self.issued}, bench=False, also=[Entry(NEW, DN)], to=self.offered)

    def run(self, verb: str, *words: object) -> Result:
        return CliRunner().invoke(app, ["trust-list", verb, *map(str, words), "--config", str(self.config)])

    def json(self, verb: str, *words: object) -> Any:
        found = self.run(verb, *words, "--json")
        assert found.exit_code == 0, found.output
        return json.loads(found.stdout)

    def acts(self) -> list[str]:
        house = House(read(self.config))
        events = house.db.read_now(lambda conn: list(conn.execute(select(audit.c.event)).scalars()))
        house.db.close_now()
        return events


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_show_says_what_is_in_place(world: World) -> None:
    assert "Liste du 20" in world.run("show").stdout
    assert "List of 20" in world.run("show", "--lang", "en").stdout
    facts = world.json("show")
    assert (facts["domains"], facts["certificates"], facts["stale"]) == (len(BETA.all_domains), 1, False)
    dn = of_name(world.issued.certificate.subject).text
    assert world.json("show", "--domain", BETA.domains[0]) == [dn]
    assert world.json("show", "--dn", dn) == sorted(BETA.all_domains)


def test_what_is_not_in_it(world: World) -> None:
    assert world.run("show", "--domain", NEW).exit_code == 1
    assert world.run("show", "--dn", DN).exit_code == 1
    assert world.run("show", "--dn", "not a name").exit_code == 2
    assert world.run("show", "--domain", NEW, "--dn", DN).exit_code == 2


def test_every_fault_of_a_list_has_a_sentence_in_french() -> None:
    assert set(WHY) == {fault.name for kind in (XmlFault, ListFault) for fault in kind}


def test_verify_changes_nothing(world: World) -> None:
    before = world.pki.trust_list.read_bytes()
    assert world.json("verify", world.offered)["added"] == 1
    spoiled = world.offered.with_name("spoiled.xml")
    spoiled.write_bytes(world.offered.read_bytes()[:-30])
    found = world.run("verify", spoiled)
    assert found.exit_code == 1
    assert "Liste refusée : le document est tronqué" in found.stderr
    assert "List refused: the document is cut short" in world.run("verify", spoiled, "--lang", "en").stderr
    assert world.run("verify", "nowhere.xml").exit_code == 2
    assert world.pki.trust_list.read_bytes() == before


def test_fetch_from_a_file_then_diff_then_an_older_one(world: World) -> None:
    before = world.pki.trust_list.read_bytes()
    rehearsed = world.json("fetch", world.offered, "--dry-run")
    assert rehearsed["names_added"] == {NEW: [DN]}
    assert world.pki.trust_list.read_bytes() == before
    assert world.acts() == []

    assert "ajoutés 1" in world.run("fetch", world.offered).stdout
    assert world.json("show", "--domain", NEW) == [DN]
    assert world.acts() == ["trust_list:current:replaced"]
    [change] = world.json("diff")
    assert change["names_added"] == {NEW: [DN]}
    assert change["author"].startswith("operator ")
    assert f"+ {NEW}  {DN}" in world.run("diff").stdout

    older = world.offered.with_name("older.xml")
    older.write_bytes(before)
    found = world.run("fetch", older)
    assert (found.exit_code, "pas plus récente" in found.stderr) == (1, True)
    assert f"- {NEW}  {DN}" in world.run("diff", world.offered, older).stdout
    [back] = world.json("diff", older)
    assert back["names_removed"] == {NEW: [DN]}


def test_the_same_list_again_is_said_and_leaves_no_trace(world: World) -> None:
    assert "ajoutés 0" in world.run("fetch", world.pki.trust_list).stdout
    assert world.acts() == []
    assert world.run("diff").stdout.strip() == "Rien n’a changé."


def test_fetch_needs_an_address_or_a_file(world: World) -> None:
    assert world.run("fetch").exit_code == 2


def sign(world: World, table: str, *words: object) -> Result:
    path = world.offered.with_name("table.csv")
    path.write_text(table, encoding="utf-8")
    pki = world.pki.root.parent
    files = ["--key", pki / "list-signer.key", "--certificate", pki / "list-signer.pem", *words]
    return CliRunner().invoke(app, ["trust-list", "sign", str(path), *map(str, files)])


def test_a_list_is_made_and_signed_from_a_table(world: World) -> None:
    made = world.offered.with_name("made.xml")
    table = f'domain;dn;description\n{NEW};"{DN}";Un essai\n{NEW};"CN=mx2.nouveau.example,C=FR";\n'
    time.sleep(1)  # a list is newer by the second
    assert sign(world, table, "--out", made).exit_code == 0
    assert world.json("verify", made)["names_added"] == {NEW: [DN, "CN=mx2.nouveau.example,C=FR"]}
    assert sign(world, table).stdout.startswith("<?xml")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("a;b\n", "Colonnes"),
        (f"domain;dn\n{NEW};pas un nom\n", "2: dn"),
        ("domain;dn\nsans point;CN=a\n", "2: domain"),
        ("domain;dn\nun.example\n", "2: dn"),
        ("domain,dn\nun.example,CN=a,C=FR\n", "2: dn: more fields"),
    ],
)
def test_a_faulty_table_is_told_line_by_line(world: World, table: str, said: str) -> None:
    found = sign(world, table)
    assert (found.exit_code, said in found.stderr) == (1, True), found.output


def test_the_key_must_be_the_signers(world: World) -> None:
    pki = world.pki.root.parent
    for key, said in ((pki / "root.key", "RSA"), (pki / "root.pem", "illisible")):
        found = sign(world, f"domain;dn\n{NEW};{DN}\n", "--key", key)
        assert (found.exit_code, said in found.stderr) == (1, True), found.output


def test_a_list_whose_signer_was_revoked_is_refused_and_the_one_in_place_stays(world: World) -> None:
    """Also when it is newer; what he signed before his certificate was stolen is still read at the next start."""
    pki = world.pki
    pki.authority.revoke(load_issued(pki.root.parent, "list-signer").certificate, world.now)
    pki.authority.save(pki.root.parent, world.now)
    for verb in ("verify", "fetch"):
        found = world.run(verb, world.offered)
        assert (found.exit_code, found.stderr.strip()) == (
            1, "Liste refusée : le certificat du signataire n’est pas reconnu (le certificat est révoqué)",
        )  # fmt: skip
    english = world.run("verify", world.offered, "--lang", "en").stderr.strip()
    assert english == "List refused: the certificate of the signer is not trusted (the certificate is revoked)"
    assert world.json("show")["domains"] == len(BETA.all_domains)


def test_of_an_unknown_signer_it_is_told_who_issued_his_certificate(world: World, tmp_path: Path) -> None:
    """That may be what the anchors lack."""
    other = Pki(tmp_path / "other", world.now)
    other.sign_trust_list({BETA: world.issued}, bench=False, to=world.offered)
    found = world.run("verify", world.offered)
    assert found.exit_code == 1
    assert "émis par CN=AC DEMONSTRATION ORGANISATIONS,O=AUTORITE DE DEVELOPPEMENT,C=FR" in found.stderr

"""`mssante certificate` as an operator types it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from certs.authority import Issued, Points, pem
from certs.profiles import OPERATOR, operator_subject
from foundation.clock import DAY, system_clock
from foundation.tables import audit
from runtime import start
from runtime.cli import app
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import BETA
from runtime.demo.pki import Pki
from runtime.house import House
from runtime.settings import read
from tests.support.http_server import HttpServer


class World:
    """One operator in order, with lists of its own; `renewed` makes certificates to come."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, system_clock()
        self.pki = Pki(folder / "pki", self.now)
        self.pki.sign_trust_list({BETA: self.pki.operator(BETA, folder / "beta" / "tls")}, bench=False)
        self.config = folder / "beta" / "mssante.toml"
        text = settings_text(BETA, Ports(9000, web=False, bench=False), {}, self.pki, folder)
        self.config.write_text(text.replace(str(self.pki.crl), "tls/crl.pem"))
        self.settings = read(self.config)
        shutil.copy(self.pki.crl, self.settings.tls.crl)
        start.prepare(self.settings)
        self.server = HttpServer(folder)

    def renewed(
        self, host: str = BETA.host, start: int | None = None, end: int | None = None
    ) -> tuple[Issued, list[object]]:
        subject = operator_subject(host, BETA.structure, BETA.name, "Villefleur (99)")
        points = Points(f"{self.server.url}/full", f"{self.server.url}/delta", f"{self.server.url}/ocsp")
        issued = self.pki.authority.issue(OPERATOR, subject, self.now, start=start, end=end, points=points)
        path, key = issued.write(self.folder, "renewed")
        return issued, ["--certificate", path, "--key", key]

    def run(self, verb: str, *words: object) -> Result:
        return CliRunner().invoke(app, ["certificate", verb, *map(str, words), "--config", str(self.config)])

    def json(self, verb: str, *words: object) -> Any:
        return json.loads(self.run(verb, *words, "--json").stdout)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.server.__exit__()


def test_list_names_every_certificate_and_its_end(world: World) -> None:
    found = world.json("list")
    assert [one["role"] for one in found] == ["server", "intermediate", "anchor"]
    assert [one["days_left"] // 100 for one in found] == [10, 18, 36]
    assert "serveur" in world.run("list").stdout
    assert "intermediate" in world.run("list", "--lang", "en").stdout
    assert world.run("list", "--csv").stdout.startswith("role,subject,not_after")


def test_show_says_all_of_a_certificate(world: World) -> None:
    _, words = world.renewed()
    facts = world.json("show", words[1])
    assert facts["subject"].startswith(f"CN={BETA.host},")
    assert facts["usages"] == ["serverAuth", "clientAuth"]
    assert facts["revocation_lists"] == [f"{world.server.url}/full", f"{world.server.url}/delta"]
    assert facts["ocsp"] == [f"{world.server.url}/ocsp"]
    assert world.json("show")["ocsp"] == []
    assert "émetteur" in world.run("show").stdout
    assert world.run("show", world.config).exit_code == 1


def test_check_before_and_after(world: World) -> None:
    assert "Tout est en ordre" in world.run("check").stdout
    _, words = world.renewed()
    assert world.run("check", *words).exit_code == 0


@pytest.mark.parametrize(
    ("fault", "said", "code"),
    [
        ("expired", "le certificat a expiré", 1),
        ("revoked", "le certificat est révoqué", 1),
        ("ends soon", "moins de 7 jours", 0),
        ("not listed", "pas celui qui est inscrit", 1),
        ("other key", "n’est pas la clé", 1),
        ("key for all to read", "chmod 600", 1),
        ("old lists", "a pris fin", 1),
    ],
)
def test_check_says_each_fault(world: World, fault: str, said: str, code: int) -> None:
    dates: dict[str, int] = {}
    if fault == "expired":
        dates = {"start": world.now - 20 * DAY, "end": world.now - DAY}
    if fault == "ends soon":
        dates = {"start": world.now - 20 * DAY, "end": world.now + 6 * DAY}
    issued, words = world.renewed("mail.autre.example" if fault == "not listed" else BETA.host, **dates)
    if fault == "revoked":
        world.pki.authority.revoke(issued.certificate, world.now)
        world.settings.tls.crl.write_bytes(b"".join(map(pem, world.pki.authority.crls(world.now))))
    if fault == "old lists":
        world.settings.tls.crl.write_bytes(b"".join(map(pem, world.pki.authority.crls(world.now - 9 * DAY))))
    if fault == "other key":
        words[3] = world.settings.tls.key
    if fault == "key for all to read":
        Path(str(words[3])).chmod(0o644)
    found = world.run("check", *words)
    assert (found.exit_code, said in found.stdout) == (code, True), found.output


def test_fetch_takes_the_lists_that_our_certificate_names(world: World) -> None:
    world.renewed()[0].write(world.settings.tls.certificate.parent, "server")
    full, _ = world.pki.authority.crls(world.now + 1000)
    world.server.give("/full", pem(full))
    before = world.settings.tls.crl.read_bytes()
    assert "nouvelles : oui" in world.run("fetch", "--dry-run").stdout
    assert world.settings.tls.crl.read_bytes() == before
    found = world.run("fetch")
    assert (found.exit_code, "/delta: status 404" in found.stderr) == (1, True), "one list could not be had"
    assert world.settings.tls.crl.read_bytes() != before
    world.server.give("/delta", pem(world.pki.authority.delta(full, world.now + 2000)))
    assert world.run("fetch").exit_code == 0
    house = House(world.settings)
    events = house.db.read_now(lambda conn: list(conn.execute(select(audit.c.event)).scalars()))
    house.db.close_now()
    assert events == ["operator:certificate:fetch"] * 2

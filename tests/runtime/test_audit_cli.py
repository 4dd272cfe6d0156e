"""`mssante audit` as an operator types it; the signature is judged by openssl, not by us."""

from __future__ import annotations

import json
import subprocess
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Delete, Update, delete, text, update
from typer.testing import CliRunner, Result

from foundation.audit import digest
from foundation.clock import DAY, system_clock
from foundation.database import Transaction
from foundation.tables import audit
from runtime import start
from runtime.cli import app
from runtime.demo.operator_files import Ports, settings_text
from runtime.demo.people import BETA
from runtime.demo.pki import Pki
from runtime.house import House
from runtime.settings import read

DAYS = 4


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """An operator on whose trail something happened each day of the last four."""
    pki = Pki(tmp_path / "pki", system_clock())
    pki.operator(BETA, tmp_path / "beta" / "tls")
    path = tmp_path / "beta" / "mssante.toml"
    path.write_text(settings_text(BETA, Ports(20_000, web=False, bench=False), {}, pki, tmp_path))
    start.prepare(read(path))
    now = [system_clock() - (DAYS - 1) * DAY]
    house = House(read(path), lambda: now[0])
    for number in range(DAYS):
        house.db.write_now(house.audit.record, "message:mailbox:deliver", f"box {number}", {"n": number})
        now[0] += DAY
    house.db.close_now()
    return path


def mssante(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["audit", *words, "--config", str(config)])


def tamper(config: Path, what: Update | Delete) -> None:
    """By somebody who took the triggers away first."""

    def act(tx: Transaction) -> None:
        for trigger in ("audit_no_update", "audit_no_delete"):
            tx.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
        tx.execute(what)

    house = House(read(config))
    house.db.write_now(act)
    house.db.close_now()


def openssl(folder: Path, anchors: Path) -> bool:
    """The two lines of docs/operator.md."""
    signed = subprocess.run(
        ["openssl", "cms", "-verify", "-binary", "-inform", "PEM", "-in", "SHA256SUMS.p7s", "-content", "SHA256SUMS",
         "-CAfile", str(anchors), "-purpose", "any", "-out", "/dev/null"], cwd=folder, capture_output=True,
    )  # fmt: skip
    sums = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True)
    return signed.returncode == 0 and sums.returncode == 0


def test_a_whole_trail(config: Path) -> None:
    assert "lignes : 4 ; chaînes : 1" in mssante(config, "verify").stdout
    found = mssante(config, "verify", "--json")
    assert (found.exit_code, json.loads(found.stdout)["faults"]) == (0, [])


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (update(audit).where(audit.c.seq == 2).values(actor="box 9"), "la ligne 2 a été modifiée"),
        (delete(audit).where(audit.c.seq == 1), "la ligne 1 manque"),
        (update(audit).where(audit.c.seq == 3).values(at=audit.c.at - 2 * DAY), "l’horloge a reculé"),
    ],
)
def test_what_was_done_to_it_shows(config: Path, what: Update | Delete, said: str) -> None:
    tamper(config, what)
    found = mssante(config, "verify")
    assert found.exit_code == 1
    assert said in found.stdout


def test_openssl_accepts_an_export_and_no_altered_one(config: Path, tmp_path: Path) -> None:
    folder, anchors = tmp_path / "export", read(config).tls.anchors
    found = mssante(config, "export", str(folder))
    assert found.exit_code == 0, found.stderr
    assert openssl(folder, anchors)
    rows = [json.loads(line) for line in (folder / "trail.jsonl").read_text().splitlines()]
    assert [digest(bytes.fromhex(row["previous"]), row).hex() for row in rows] == [row["digest"] for row in rows]
    assert json.loads((folder / "summary.json").read_text())["rows"] == DAYS
    assert "existe déjà" in mssante(config, "export", str(folder)).stderr

    trail = folder / "trail.jsonl"
    trail.write_text(trail.read_text().replace("box 1", "box 7"))
    assert not openssl(folder, anchors)
    sums = folder / "SHA256SUMS"
    sums.write_text(sums.read_text().replace(sums.read_text()[:64], sha256(trail.read_bytes()).hexdigest()))
    assert not openssl(folder, anchors)


def test_an_export_of_some_days(config: Path, tmp_path: Path) -> None:
    last = json.loads(mssante(config, "verify", "--json").stdout)["last_at"][:10]
    day = str(date.fromisoformat(last) - timedelta(days=1))
    assert mssante(config, "export", str(tmp_path / "one"), "--from", day, "--to", day).exit_code == 0
    [row] = [json.loads(line) for line in (tmp_path / "one" / "trail.jsonl").read_text().splitlines()]
    assert row["actor"] == "box 2"


@pytest.mark.parametrize(
    "what", [delete(audit).where(audit.c.seq >= 2), delete(audit).where(audit.c.event.startswith("message:"))]
)
def test_an_export_of_before_shows_what_was_cut_off_the_end(config: Path, tmp_path: Path, what: Delete) -> None:
    """Inside the chains nothing shows: the digests still follow each other."""
    mssante(config, "export", str(tmp_path / "before"))
    tamper(config, what)
    assert mssante(config, "verify").exit_code == 0
    found = mssante(config, "verify", "--against", str(tmp_path / "before"))
    assert found.exit_code == 1
    assert "la ligne 3 manque" in found.stdout
    assert mssante(config, "verify", "--against", str(tmp_path)).exit_code == 2

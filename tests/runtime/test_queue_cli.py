"""`mssante queue` as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from foundation.clock import MINUTE
from foundation.database import Transaction
from foundation.tables import audit
from runtime.cli import app
from runtime.house import House
from runtime.settings import read

A, SENDER = "anne.patiente@autre.example", "dr@beta.example"


@pytest.fixture
def config(operator: Path) -> Path:
    """An operator with one message that waits for another operator."""
    house = House(read(operator))
    blob = house.blobs.prepare(b"Subject: a\r\n\r\nSecret\r\n")
    payload: dict[str, Any] = {
        "blob": [blob.ref.name, blob.ref.key.hex(), blob.ref.size], "reverse_path": SENDER, "domain": "autre.example",
        "recipients": [{"address": A, "notify": [], "orcpt": None}], "envid": None, "ret": None,
        "created_at": house.clock() - 3 * MINUTE,
    }  # fmt: skip

    def owe(tx: Transaction) -> None:
        house.blobs.insert(tx, blob)
        house.jobs.enqueue(tx, "relay", payload, house.clock() + MINUTE, lane="autre.example")
        house.jobs.enqueue(tx, "notify", {})

    house.db.write_now(owe)
    house.db.close_now()
    return operator


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["queue", *words, "--config", str(config)])


def acts(config: Path) -> list[tuple[str, str]]:
    house = House(read(config))
    rows = house.db.read_now(lambda c: c.execute(select(audit.c.event, audit.c.actor).order_by(audit.c.at)).all())
    house.db.close_now()
    return [(row.event, row.actor) for row in rows]


def test_list_in_french_in_english_and_for_programs(config: Path) -> None:
    french = run(config, "list")
    assert french.exit_code == 0
    assert "autre.example" in french.stdout
    assert "en attente" in french.stdout
    assert A not in french.stdout
    assert "waiting" in run(config, "list", "--lang", "en").stdout
    [one] = json.loads(run(config, "list", "--json").stdout)
    assert (one["id"], one["domain"], one["state"], one["attempts"]) == (1, "autre.example", "waiting", 0)
    assert run(config, "list", "--domain", "x.example").stdout == "Rien n’attend.\n"
    assert acts(config) == []


def test_show_prints_addresses_says_so_and_is_audited(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "nadia")
    found = run(config, "show", "1")
    assert found.exit_code == 0
    assert A in found.stdout
    assert SENDER in found.stdout
    assert "données personnelles" in found.stdout
    assert acts(config) == [("operator:queue:show", "operator nadia")]
    assert json.loads(run(config, "show", "1", "--json").stdout)["recipients"] == [A]
    assert run(config, "show", "2").exit_code == 1  # a job of another kind is no message


def test_retry_and_cancel_say_what_they_did(config: Path) -> None:
    assert run(config, "retry", "1").stdout == "Essai demandé : 1\n"
    assert run(config, "retry", "7").exit_code == 1
    assert json.loads(run(config, "retry", "--all", "--json").stdout) == {"jobs": [1]}
    assert run(config, "cancel", "--domain", "autre.example", "--silent").stdout == "Annulé : 1\n"
    assert run(config, "list").stdout == "Rien n’attend.\n"
    assert [event for event, _ in acts(config)] == ["operator:queue:retry"] * 2 + ["operator:queue:cancel"]


@pytest.mark.parametrize(
    "words", [["retry"], ["cancel"], ["retry", "1", "--all"], ["cancel", "--all", "--domain", "x"]]
)
def test_an_act_must_say_on_what(config: Path, words: list[str]) -> None:
    assert run(config, *words).exit_code == 2


def test_what_is_held_is_shown_and_called_off_but_never_hurried(config: Path) -> None:
    house = House(read(config))
    payload: dict[str, Any] = {
        "blob": ["b", "00", 3], "reverse_path": SENDER, "domain": "", "sender": {"box_id": 1, "actor": ""},
        "recipients": [{"address": A, "notify": [], "orcpt": None}], "envid": None, "ret": None, "created_at": house.clock(),
    }  # fmt: skip
    house.db.write_now(house.jobs.enqueue, "held", payload, house.clock() + 60 * MINUTE, "box 1")
    house.db.close_now()
    assert "retenu" in run(config, "list").stdout
    one = json.loads(run(config, "list", "--json").stdout)[1]
    assert (one["id"], one["domain"], one["state"]) == (3, "", "held")
    assert A in run(config, "show", "3").stdout
    assert run(config, "retry", "3").exit_code == 1
    assert run(config, "cancel", "3", "--silent").stdout == "Annulé : 3\n"
    assert len(json.loads(run(config, "list", "--json").stdout)) == 1


def test_without_settings(tmp_path: Path) -> None:
    assert run(tmp_path / "none.toml", "list").exit_code == 2

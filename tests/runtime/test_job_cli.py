"""`mssante job` as an operator types it: what was given up is seen, tried again or called off, without a line of SQL."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner, Result

from foundation.clock import HOUR, MINUTE
from foundation.tables import audit, jobs
from mssante.kinds import BoxKind
from mssante.mailbox import Holder, NewMailbox
from runtime.cli import app
from runtime.house import House
from runtime.job_words import KINDS, MESSAGES, RECURRING
from runtime.settings import read

ROOT = Path(__file__).resolve().parents[2]
ANNE = "anne@medecins.beta.example"
NOTIFY, FILED, SWEEP, RELAYED, RUNNING = 1, 2, 3, 4, 5
ENDLESS = 2**53


class Desk:
    """An operator whose server has given up telling a citizen; numbers as above."""

    def __init__(self, config: Path) -> None:
        self.config = config
        house = House(read(config))
        now = house.clock()

        def owe(tx: Any) -> None:
            box = house.mailboxes.create(tx, NewMailbox(ANNE, BoxKind.PER, Holder("Anne")), now)
            house.jobs.enqueue(tx, "notify", {"box_id": box.id, "kind": "message"})
            house.jobs.enqueue(tx, "file", {"box_id": box.id, "folder_id": 1, "uid": 1}, now + MINUTE)
            house.jobs.enqueue(tx, "sweep", {}, now + HOUR)
            house.jobs.enqueue(tx, "relay", {"domain": "autre.example"}, now + HOUR, lane="autre.example")
            house.jobs.enqueue(tx, "bounce", {"reverse_path": ANNE})
            failed = {
                "state": "failed",
                "attempts": 20,
                "last_reason": "SMTPConnectError",
                "created_at": now - 3 * HOUR,
            }
            tx.execute(update(jobs).where(jobs.c.id == NOTIFY).values(**failed))
            tx.execute(update(jobs).where(jobs.c.id == RUNNING).values(state="running", lease_until=ENDLESS))

        house.db.write_now(owe)
        house.db.close_now()

    def __call__(self, line: str) -> Result:
        return CliRunner().invoke(app, ["job", *line.split(), "--config", str(self.config)])

    def facts(self, line: str) -> Any:
        done = self(f"{line} --json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def rows(self) -> dict[int, Any]:
        house = House(read(self.config))
        found = house.db.read_now(lambda conn: {row.id: row for row in conn.execute(select(jobs))})
        house.db.close_now()
        return found

    def acts(self) -> list[tuple[str, str]]:
        house = House(read(self.config))
        found = house.db.read_now(lambda conn: conn.execute(select(audit).order_by(audit.c.at)).all())
        house.db.close_now()
        return [(row.event, row.details) for row in found]


@pytest.fixture
def desk(operator: Path) -> Desk:
    return Desk(operator)


def test_what_was_given_up_comes_first(desk: Desk) -> None:
    first, *others = desk.facts("sum")
    assert first == {
        "kind": "notify", "owes": "prévenir un citoyen", "state": "failed", "count": 1,
        "age_seconds": first["age_seconds"], "next_try": None, "last_reason": "SMTPConnectError",
    }  # fmt: skip
    assert 3 * 3600 <= first["age_seconds"] < 3 * 3600 + 60
    assert [one["kind"] for one in others] == ["bounce", "file", "relay", "sweep"]
    french = desk("sum").stdout
    assert "abandonné" in french
    assert "ranger au dossier" in french
    assert "tell a citizen" in desk("sum --lang en").stdout


def test_one_by_one_without_an_address(desk: Desk) -> None:
    found = desk.facts("list")
    assert [one["id"] for one in found] == [NOTIFY, FILED, SWEEP, RELAYED, RUNNING]
    assert [one["id"] for one in desk.facts("list --state failed")] == [NOTIFY]
    assert [one["id"] for one in desk.facts("list --kind file")] == [FILED]
    assert [one["id"] for one in desk.facts("list --limit 2")] == [NOTIFY, FILED]
    assert ANNE not in desk("list").stdout
    assert desk("list --kind none").stdout == "Aucun travail.\n"
    assert desk("list --csv").stdout.splitlines()[0].startswith("id,kind,lane,state")
    assert desk.acts() == []


def test_show_names_the_mailbox_and_is_in_the_trail(desk: Desk) -> None:
    assert desk.facts(f"show {NOTIFY}")["mailbox"] == ANNE
    shown = desk(f"show {NOTIFY}").stdout
    assert "donnée personnelle" in shown
    assert "prévenir un citoyen" in shown
    event, details = desk.acts()[-1]
    assert (event, json.loads(details)["jobs"]) == ("operator:job:show", [NOTIFY])
    assert "données" not in desk(f"show {SWEEP}").stdout
    assert "mssante queue show" in desk(f"show {RELAYED}").stderr
    assert desk("show 99").exit_code == 1


def test_tried_again_from_the_beginning(desk: Desk) -> None:
    """Also one that crashed twenty times: it would be given up at its next crash."""
    assert desk("retry --failed").stdout == "Essai demandé : 1\n"
    row = desk.rows()[NOTIFY]
    assert (row.state, row.attempts, row.lease_until) == ("waiting", 0, 0)
    assert desk.facts(f"retry {FILED} {RUNNING}") == {"jobs": [FILED]}  # what is being done is left alone
    assert desk.facts("retry --kind sweep") == {"jobs": [SWEEP]}
    assert desk("retry --failed").exit_code == 1
    assert [event for event, _ in desk.acts()] == ["operator:job:retry"] * 3


def test_called_off_for_good(desk: Desk) -> None:
    assert desk(f"cancel {NOTIFY} {RUNNING}").stdout == "Abandonné pour de bon : 1\n"
    assert sorted(desk.rows()) == [FILED, SWEEP, RELAYED, RUNNING]
    assert desk("cancel --kind file --failed").exit_code == 1  # that one waits
    assert desk.acts()[-1][0] == "operator:job:cancel"


def test_a_rehearsal_changes_nothing(desk: Desk) -> None:
    before = desk.rows()
    for line in ("retry --failed", "cancel --failed"):
        assert "rien n’a été changé" in desk(f"{line} --dry-run").stdout
    assert desk.rows() == before
    assert desk.acts() == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"cancel {NOTIFY} {RELAYED}", "mssante queue"),
        ("cancel --kind relay", "mssante queue"),
        ("cancel --kind held", "mssante queue"),
        (f"cancel {SWEEP}", "revient toujours"),
        ("cancel --kind crl", "revient toujours"),
    ],
)
def test_what_is_not_called_off_here(desk: Desk, line: str, said: str) -> None:
    """A message's sender would never hear of it; recurring work would be missed until the next start."""
    refused = desk(line)
    assert (refused.exit_code, said in refused.stderr) == (1, True)
    assert len(desk.rows()) == 5


@pytest.mark.parametrize("line", ["retry", "cancel", "retry 1 --failed", "cancel 1 --kind file"])
def test_an_act_must_say_on_what(desk: Desk, line: str) -> None:
    assert desk(line).exit_code == 2


def test_every_kind_has_a_name() -> None:
    """Those that the code registers or enqueues by a name of its own, and those of `runtime.promises`."""
    said = re.compile(r"(?:jobs\.handle|enqueue|_owe)\(\s*(?:tx, )?\"(\w+)\"")
    sources = [path for package in ("citizen_inbox", "dmp_bridge", "health_space", "mailserver", "mssante", "runtime")
               for path in (ROOT / package).rglob("*.py")]  # fmt: skip
    found = {kind for path in sources for kind in said.findall(path.read_text(encoding="utf-8"))}
    assert len(found) >= 8
    assert found <= set(KINDS)
    recurring = set(re.findall(r'yield "(\w+)"', (ROOT / "runtime" / "promises.py").read_text(encoding="utf-8")))
    assert recurring <= set(RECURRING)
    assert not set(MESSAGES) & set(RECURRING)

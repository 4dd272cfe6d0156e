"""What docs/operator.md says is true of the code: its log events, its commands."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from sqlalchemy import select
from typer.main import get_command
from typer.testing import CliRunner

from certs.names import of_name
from certs.profiles import operator_subject
from mssante.directory import Entry, search
from mssante.directory_search import Search
from mssante.tables import credentials
from runtime import start
from runtime.cli import app
from runtime.house import House
from runtime.settings import read
from tests.docs.tree import PACKAGES, ROOT

PAGE = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
EVENT = re.compile(r"\blog\.(?:info|warning|error)\(\s*\"([^\"]+)\"")
ALARM = re.compile(r"\blog\.(?:warning|error|critical|exception)\(\s*\"([^\"]+)\"")
ADDRESS = "cardiologie@medecins.exemple.example"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new operator's folder, with the mailbox that the page's commands make."""
    folder = tmp_path_factory.mktemp("operator")
    assert start.init(folder / "mssante.toml") == start.OK
    text = (folder / "mssante.toml").read_text(encoding="utf-8")
    (folder / "mssante.toml").write_text(text.replace("# citizen_domain", "citizen_domain"), encoding="utf-8")
    for line in re.findall(r"^    mss (mailbox .*)$", PAGE, re.MULTILINE):
        done = CliRunner().invoke(app, [*shlex.split(line), "--config", str(folder / "mssante.toml")])
        assert done.exit_code == 0, done.output
    return folder


def _house(folder: Path) -> House:
    return House(read(folder / "mssante.toml"))


def test_every_log_event_is_explained() -> None:
    events = {
        event
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for event in EVENT.findall(path.read_text(encoding="utf-8"))
    }
    assert len(events) > 10
    assert not [event for event in sorted(events) if f"`{event}`" not in PAGE]


def test_every_alarm_has_its_line_for_who_is_woken() -> None:
    """What people see, the first look, the remedy, when to sleep again: no cell is empty."""
    alarms = {
        event
        for package in (*PACKAGES, "care_desk")
        for path in (ROOT / package).rglob("*.py")
        for event in ALARM.findall(path.read_text(encoding="utf-8"))
    }
    section = PAGE.partition("### Alarms of the log")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in section.splitlines() if "|" in line
    ]
    found = {row[0].strip("`"): row for row in rows[2:]}
    assert len(alarms) > 30
    assert sorted(alarms - set(found)) == []
    assert [row for row in found.values() if len(row) != 6 or not all(row)] == []
    told = {name for name in found if re.fullmatch(r"[a-z_. :]+", name)}
    assert sorted(told - alarms) == [], "no longer raised"


def test_the_commands_make_a_mailbox_with_folders_sign_ins_and_an_entry(folder: Path) -> None:
    house = _house(folder)
    box = house.db.read_now(house.mailboxes.resolve, ADDRESS)
    assert box is not None
    assert house.db.read_now(house.credentials.knows, "nadia.benali@exemple")
    assert house.db.read_now(house.mailboxes.resolve, "postmaster@medecins.exemple.example") is not None
    assert len(house.db.read_now(lambda conn: conn.execute(select(credentials.c.id)).all())) == 4
    found = house.db.read_now(search, Search("cardiologie villefleur"))
    assert [type(entry) for entry in found] == [Entry]
    house.db.close_now()


def test_every_command_on_the_page_is_one() -> None:
    """Each `mss noun verb` that the page names, and its options."""
    group: Any = get_command(app)
    named = set(re.findall(r"(?:`|^    )mss ([a-z][^`\n]*)", PAGE, re.MULTILINE))
    assert len(named) > 60
    for line in sorted(named):
        command, words = group, line.replace("…", "").split()
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert not (words and getattr(command, "commands", None)), f"mss {line}: no such command"
        options = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        asked = {word.strip("[],") for word in words if word.strip("[").startswith("--")}
        assert asked <= options, f"mss {line}"


def test_no_line_of_sql_is_needed() -> None:
    assert not re.search(r"SELECT |UPDATE \w+ SET|DELETE FROM|sqlite3 ", PAGE)


def test_the_request_for_a_certificate_is_one(tmp_path: Path) -> None:
    """Step 2 of joining: its subject is the DN that is listed, its key is nobody else's."""
    command = re.search(r"`(umask 077; openssl req .*?)`", PAGE)
    assert command is not None
    (tmp_path / "tls").mkdir()
    subprocess.run(command[1], shell=True, cwd=tmp_path, check=True, capture_output=True)
    request = x509.load_pem_x509_csr((tmp_path / "server.csr").read_bytes())
    expected = operator_subject("mail.exemple.example", "1990000001", "Opérateur Exemple", "Villefleur (99)")
    assert of_name(request.subject).text == of_name(expected).text
    assert (tmp_path / "tls" / "server.key").stat().st_mode & 0o077 == 0

"""What docs/operator.md says is true of the code: its log events, its script for mailboxes, its backup and its restore."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from mailserver.store.tables import folders
from mssante.directory import Entry, search
from mssante.tables import credentials
from runtime import start
from runtime.house import House
from runtime.settings import read

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
PACKAGES = ("foundation", "mssante", "certs", "mailserver", "health_space", "citizen_inbox", "dmp_bridge", "runtime")
EVENT = re.compile(r"\blog\.(?:info|warning|error)\(\s*\"([^\"]+)\"")
ADDRESS = "cardiologie@medecins.exemple.example"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new operator's folder, with the mailbox that the page's script makes."""
    folder = tmp_path_factory.mktemp("operator")
    assert start.init(folder / "mssante.toml") == start.OK
    script = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert script is not None
    code = script[1].replace('getpass("Password: ")', '"roue-miel-cour-12"')
    subprocess.run([sys.executable, "-c", code], cwd=folder, env={"PYTHONPATH": str(ROOT)}, check=True)
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


def test_the_script_makes_a_mailbox_with_folders_a_sign_in_and_an_entry(folder: Path) -> None:
    house = _house(folder)
    box = house.db.read_now(house.mailboxes.resolve, ADDRESS)
    assert box is not None
    assert house.db.read_now(house.credentials.knows, "nadia.benali@exemple")
    assert len(house.db.read_now(lambda conn: conn.execute(select(credentials.c.id)).all())) == 1
    found = house.db.read_now(search, "cardiologie villefleur")
    assert [type(entry) for entry in found] == [Entry]
    house.db.close_now()


def test_a_backup_restored_as_the_page_says_opens(folder: Path, tmp_path: Path) -> None:
    """The page's own two lines, with another folder; then the line of the restore."""
    copy, back = tmp_path / "backup", tmp_path / "restored"
    copy.mkdir()
    line = re.search(r"python -c '(import sqlite3; .*?)'$", PAGE, re.MULTILINE)
    assert line is not None
    code = line[1].replace("/backup", str(copy))
    house = _house(folder)  # in use meanwhile
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    subprocess.run(["cp", "-an", "blobs", str(copy)], cwd=folder, check=True)
    before = house.db.read_now(_validities)
    house.db.close_now()

    shutil.copytree(copy, back)
    shutil.copytree(folder / "keys", back / "keys")
    shutil.copy(folder / "mssante.toml", back)
    update = re.search(r"sqlite3 mssante\.db '(UPDATE folders .*?)'", PAGE)
    assert update is not None
    with sqlite3.connect(back / "mssante.db") as conn:
        conn.execute(update[1])
    conn.close()

    house = _house(back)
    box = house.db.read_now(house.mailboxes.resolve, ADDRESS)
    assert box is not None
    assert box.holder.display_name == "Service de cardiologie"  # its key opens
    assert set(house.db.read_now(_validities)).isdisjoint(before)
    house.db.close_now()


def test_the_query_for_jobs_runs(folder: Path) -> None:
    query = re.search(r'sqlite3 -readonly mssante\.db "(.*?)"$', PAGE, re.MULTILINE)
    assert query is not None
    with sqlite3.connect(folder / "mssante.db") as conn:
        conn.execute(query[1]).fetchall()
    conn.close()


def _validities(conn: Connection) -> list[int]:
    return list(conn.execute(select(folders.c.uid_validity)).scalars())

"""vdirsyncer copies the address book, on the product as it runs: those with whom the mailbox corresponds, and nobody else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import Ran, run
from tests.support.demo import Demo, wait_until

PROGRAM = str(Path(sys.executable).with_name("vdirsyncer"))
LABORATORY = "laboratoire"


class Vdirsyncer:
    """One person's, with a folder of .vcf files."""

    def __init__(self, server: Demo, person: dict[str, Any], folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "config").write_text(f"""
[general]
status_path = "{folder}/status/"
[pair book]
a = "here"
b = "there"
collections = ["from b"]
[storage here]
type = "filesystem"
path = "{folder}/cards/"
fileext = ".vcf"
[storage there]
type = "carddav"
url = "http://{server.operator()["web"]}/"
username = "{person["login"]}"
password = "{person["password"]}"
read_only = true
""")

    def does(self, *words: str, answers: str = "") -> Ran:
        return run(PROGRAM, "--config", str(self.folder / "config"), *words, input=answers)

    def cards(self) -> dict[str, str]:
        """Address -> card."""
        texts = [path.read_text() for path in (self.folder / "cards").glob("*/*.vcf")]
        return {line.rpartition(":")[2]: text for text in texts for line in text.splitlines() if "EMAIL" in line}


@pytest.fixture
def book(server: Demo, tmp_path: Path) -> Vdirsyncer:
    made = Vdirsyncer(server, server.person("medecin"), tmp_path / "doctor")
    found = made.does("discover", answers="y\n" * 4)
    assert found.code == 0, found.out
    assert "correspondants" in found.out
    return made


def test_who_is_written_to_is_in_the_book(server: Demo, book: Vdirsyncer) -> None:
    laboratory, doctor = server.person(LABORATORY), server.person("medecin")
    server.send("medecin", laboratory["address"], "Bilan")
    server.send(LABORATORY, doctor["address"], "Résultats")

    def synced() -> bool:
        done = book.does("sync")
        assert done.code == 0, done.out
        return laboratory["address"] in book.cards()

    wait_until(synced, why="the laboratory in the book")
    cards = book.cards()
    assert "BEGIN:VCARD" in cards[laboratory["address"]]
    assert doctor["address"] not in cards
    again = book.does("sync")
    assert (again.code, book.cards()) == (0, cards)


def test_a_wrong_password_copies_nothing(server: Demo, tmp_path: Path) -> None:
    stranger = Vdirsyncer(server, server.person("medecin") | {"password": "faux"}, tmp_path / "stranger")
    assert stranger.does("discover", answers="y\n" * 4).code != 0
    assert stranger.cards() == {}

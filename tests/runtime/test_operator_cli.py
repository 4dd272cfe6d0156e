"""`mssante operator`: two people who let somebody in again are two passphrases, whoever is root; how they come and go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from foundation.clock import DAY, HOUR, system_clock
from mssante import one_time
from runtime import author, house
from runtime.cli import app
from runtime.doctor import kept
from runtime.settings import read
from tests.runtime.test_mailbox_cli import NADIA, TEAM, THOMAS, Operator, make_team

PHRASES = {
    "alice": "ficelle grenier castor ombre",
    "bruno": "tilleul brouette sept lampes",
    "carole": "pierre mousse onze valises",
    "denis": "cuivre tambour velours ancre",
}


class Keyboard(Operator):
    """One account, root's, for everybody; passphrases lie in files. `later` in ms."""

    def __init__(self, config: Path, folder: Path) -> None:
        super().__init__(config)
        self.later = 0
        self.files = {name: folder / name for name in PHRASES}
        for name, phrase in PHRASES.items():
            self.files[name].write_text(phrase + "\n")

    def by(self, name: str, file: str = "") -> tuple[str, ...]:
        return "--operator", name, "--secret-file", str(self.files[file or name])

    def adding(self, name: str, by: str = "") -> tuple[str, ...]:
        vouched = ("--by", by, "--by-file", str(self.files[by])) if by else ()
        return (name, "--secret-file", str(self.files[name]), *vouched)

    def add(self, name: str, by: str = "") -> str:
        return self.done("operator add", *self.adding(name, by))

    def asks(self, name: str) -> int:
        number: int = self.facts(f"account recover {NADIA} --reason vol", *self.by(name))["recovery"]
        return number

    def told(self) -> str:
        found = read(self.config)
        return "\n".join(
            finding.line("fr")
            for finding in kept.operators(found, system_clock() + self.later)
            if "opérateurs" in finding.line("fr")
        )


@pytest.fixture
def mssante(operator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyboard:
    monkeypatch.setattr(author, "LOGIN", Path("/nonexistent"))
    monkeypatch.setenv("SUDO_USER", "alice")
    made = Keyboard(operator, tmp_path)
    make_team(made)
    made.done(f"mailbox members add {TEAM} {THOMAS} --person", "Thomas Girard")
    opened = made.house()
    nadia = opened.db.read_now(opened.credentials.by_login, NADIA)
    assert nadia is not None
    opened.db.write_now(one_time.enrol_totp, opened.keys, nadia.credential_id, one_time.new_totp_secret())
    opened.db.close_now()
    make: Callable[..., Any] = house.House.__init__
    monkeypatch.setattr(
        house.House, "__init__", lambda self, found: make(self, found, lambda: system_clock() + made.later)
    )
    return made


@pytest.fixture
def two(mssante: Keyboard) -> Keyboard:
    mssante.add("alice")
    mssante.add("bruno", "alice")
    return mssante


def test_two_passphrases_from_one_account(two: Keyboard) -> None:
    number = two.asks("alice")
    assert "un autre opérateur doit approuver" in two.refused(f"account approve {number}", *two.by("alice"))
    assert "code" in two.facts(f"account approve {number}", *two.by("bruno"))
    [row] = two.facts("account list")
    assert (row["asked_by"], row["agreed_by"]) == ("key alice", "key bruno")
    acts = dict(two.acts())
    assert acts["account:recover"] | {"author_by": "key", "account": "alice"} == acts["account:recover"]
    assert acts["account:recover-approve"]["asked_by"] == "key alice"
    assert not any(phrase in str(two.acts()) for phrase in PHRASES.values())


def test_root_alone_is_one_hand(two: Keyboard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another name in sudo's variable, a request from before, a passphrase that is not theirs: nothing makes a second one."""
    number = two.asks("alice")
    monkeypatch.setenv("SUDO_USER", "bruno")
    assert "Rien n’a été tapé" in two.refused(f"account approve {number}")
    assert "phrase secrète inexacte" in two.refused(f"account approve {number}", *two.by("bruno", "alice"))
    monkeypatch.setenv("SUDO_USER", "root")
    told = two.refused(f"account approve {number}")
    assert "Dites qui vous êtes" in told
    assert "alice, bruno" in told


def test_a_request_without_a_passphrase_is_not_agreed_to(mssante: Keyboard) -> None:
    """Asked before anybody was registered, by whoever."""
    number = mssante.facts(f"account recover {NADIA} --reason vol")["recovery"]
    mssante.add("alice")
    mssante.add("bruno", "alice")
    assert "redemandez-la" in mssante.refused(f"account approve {number}", *mssante.by("bruno"))
    number = mssante.asks("alice")
    mssante.done("operator remove alice --by bruno --by-file", str(mssante.files["bruno"]))
    assert "redemandez-la" in mssante.refused(f"account approve {number}", *mssante.by("bruno"))


def test_without_any_the_account_speaks_as_before(mssante: Keyboard, monkeypatch: pytest.MonkeyPatch) -> None:
    number = mssante.facts(f"account recover {NADIA} --reason vol")["recovery"]
    assert "que root choisit" in mssante.told()
    monkeypatch.setenv("SUDO_USER", "bruno")
    assert "code" in mssante.facts(f"account approve {number}")


def test_a_second_hand_is_not_made_for_tonight(two: Keyboard) -> None:
    two.later += DAY + HOUR  # the founders' day is over
    assert two.told() == ""
    assert "Rien n’a été tapé" in two.refused("operator add", *two.adding("carole"))  # asks alice, whose account it is
    two.add("carole", "alice")
    assert "carole comptera à partir du" in two.told()
    assert "présenté par alice" in two.told()
    number = two.asks("alice")
    assert "carole compte à partir du" in two.refused(f"account approve {number}", *two.by("carole"))
    assert "carole compte à partir du" in two.refused("operator add", *two.adding("denis", "carole"))
    two.later += 3 * DAY
    number = two.asks("alice")
    assert "code" in two.facts(f"account approve {number}", *two.by("carole"))


def test_taking_everybody_away_opens_nothing(two: Keyboard) -> None:
    two.later += 2 * DAY
    assert "Un autre que bruno" in two.refused("operator remove bruno --by bruno --by-file", str(two.files["bruno"]))
    two.done("operator remove bruno --by alice --by-file", str(two.files["alice"]))
    assert "bruno est retiré depuis peu" in two.told()
    assert "il en faut deux" in two.told()
    two.done("operator remove alice")  # the last one
    assert "Dites qui vous êtes" in two.refused(f"account recover {NADIA} --reason vol")
    two.add("alice")
    assert "alice compte à partir du" in two.refused(f"account recover {NADIA} --reason vol", *two.by("alice"))


def test_guessing_a_passphrase_is_slowed(two: Keyboard) -> None:
    answers = [two.refused(f"account recover {NADIA} --reason vol", *two.by("alice", "bruno")) for _ in range(5)]
    assert "inexacte" in answers[0]
    assert "Attendez" in answers[-1]
    two.later += HOUR
    two.asks("alice")
    assert "inexacte" in two.refused(f"account recover {NADIA} --reason vol", *two.by("alice", "bruno"))


@pytest.mark.parametrize(
    ("name", "phrase", "told"),
    [
        ("Élise", "ficelle grenier castor", "lettres sans accent"),
        ("elise", "court", "trop facile"),
        ("elise", "motdepasse12", "trop facile"),
        ("elise", "elise elise elise", "trop facile"),
    ],
)
def test_names_and_phrases_that_are_not_taken(
    mssante: Keyboard, tmp_path: Path, name: str, phrase: str, told: str
) -> None:
    file = tmp_path / "phrase"
    file.write_text(phrase)
    assert told in mssante.refused("operator add", name, "--secret-file", str(file))
    assert "Personne." in mssante.done("operator list")


def test_the_phrase_is_asked_for_twice_and_not_shown(mssante: Keyboard) -> None:
    line = ["operator", "add", "Alice", "--config", str(mssante.config)]
    ended = CliRunner().invoke(
        app, line, input=f"{PHRASES['alice']}\nautre chose\n{PHRASES['alice']}\n{PHRASES['alice']}\n"
    )
    assert ended.exit_code == 0, ended.output
    assert PHRASES["alice"] not in ended.output
    assert "Phrase secrète de alice" in ended.stderr
    [row] = mssante.facts("operator list")
    assert (row["operator"], row["vouched_by"], row["removed"]) == ("alice", "", "")
    assert "déjà enregistré" in mssante.refused("operator add", *mssante.adding("alice"))
    assert "illisible" in mssante.refused("operator add bruno --by alice --by-file /nulle/part")

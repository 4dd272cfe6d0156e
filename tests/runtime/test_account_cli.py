"""`mssante account`: what one operator asks and another agrees to; and whose hand is at the keyboard."""

from __future__ import annotations

import json
import os
import pwd
import re
from pathlib import Path
from typing import Any

import pytest

from foundation.clock import DAY
from foundation.database import Transaction
from foundation.tables import jobs
from mssante import one_time, recovery
from mssante.credentials import NewCredential
from mssante.identity import demo_ins
from mssante.kinds import BoxKind, ProfileState
from mssante.mailbox import Holder, NewMailbox
from mssante.passwords import hash_password
from mssante.recovery import State
from runtime import author
from runtime.author import Author, By, author_now
from tests.runtime.test_mailbox_cli import NADIA, TEAM, THOMAS, Operator, make_team

ACTIVATED = ProfileState.ACTIVATED
REASON = "Téléphone volé, reconnue en personne, carte professionnelle vue"


@pytest.fixture
def mssante(operator: Path) -> Operator:
    made = Operator(operator)
    make_team(made)
    made.done(f"mailbox members add {TEAM} {THOMAS} --role member --person", "Thomas Girard")
    house = made.house()
    nadia = house.db.read_now(house.credentials.by_login, NADIA)
    assert nadia is not None
    house.db.write_now(one_time.enrol_totp, house.keys, nadia.credential_id, one_time.new_totp_secret())
    house.db.close_now()
    return made


class Room:
    """Two operators, each at the keyboard in turn."""

    def __init__(self, mssante: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mssante, self.monkeypatch = mssante, monkeypatch

    def by(self, name: str) -> Operator:
        self.monkeypatch.setattr(author, "LOGIN", Path("/nonexistent"))
        self.monkeypatch.setenv("SUDO_USER", name)
        return self.mssante


@pytest.fixture
def room(mssante: Operator, monkeypatch: pytest.MonkeyPatch) -> Room:
    return Room(mssante, monkeypatch)


def ask(room: Room, name: str = "alice") -> int:
    number: int = room.by(name).facts(f"account recover {NADIA} --reason", REASON)["recovery"]
    return number


def told(mssante: Operator) -> list[str]:
    """Which jobs wait."""
    house = mssante.house()
    found = [row.kind for row in house.db.read_now(lambda conn: conn.execute(jobs.select()).all())]
    house.db.close_now()
    return found


def test_one_asks_another_agrees(room: Room) -> None:
    number = ask(room)
    [waiting] = room.mssante.facts("account list")
    assert (waiting["login"], waiting["state"], waiting["asked_by"]) == (NADIA, "asked", "operator alice")
    assert waiting["reason"] == REASON
    given = room.by("bruno").facts(f"account approve {number}")
    assert given["login"] == NADIA
    [agreed] = room.mssante.facts("account list")
    assert (agreed["state"], agreed["agreed_by"]) == ("agreed", "operator bruno")
    assert given["code"] not in json.dumps(agreed)
    acts = [(event, details) for event, details in room.mssante.acts() if event.startswith("account:")]
    assert [event for event, _ in acts] == [
        "account:recover", "account:recover-list", "account:recover-approve", "account:recover-list",
    ]  # fmt: skip
    assert acts[0][1] == {
        "credential": acts[0][1]["credential"], "recovery": number, "lost": "factor", "author_by": "sudo",
    }  # fmt: skip
    assert REASON not in str(acts)
    assert given["code"] not in str(acts)


def test_the_code_is_right_for_a_day_and_its_person(room: Room) -> None:
    number = ask(room)
    code = room.by("bruno").facts(f"account approve {number}")["code"]
    house = room.mssante.house()
    nadia, thomas = (house.db.read_now(house.credentials.by_login, login) for login in (NADIA, THOMAS))
    assert nadia is not None
    assert thomas is not None

    def check(person: int, typed: str, now: int) -> Any:
        return house.db.write_now(recovery.check, house.keys, person, typed, now)

    now = house.clock()
    assert check(nadia.credential_id, code.replace(" ", ""), now) == 1
    assert isinstance(check(nadia.credential_id, "00 00 00 00 00 00", now), recovery.WrongCode)
    assert isinstance(check(nadia.credential_id, "", now + 3_600_000), recovery.WrongCode)
    assert isinstance(check(thomas.credential_id, code, now), recovery.WrongCode)
    assert isinstance(check(nadia.credential_id, code, now + DAY + 60_000), recovery.WrongCode)
    house.db.close_now()


def test_the_same_operator_twice(room: Room) -> None:
    number = ask(room)
    assert "un autre opérateur doit approuver" in room.by("alice").refused(f"account approve {number}")
    assert "another operator must approve" in room.by("alice").refused(f"account approve {number} --lang en")
    assert room.by("bruno")(f"account approve {number}").exit_code == 0


def test_what_is_over(room: Room) -> None:
    first, second = ask(room), ask(room)
    assert "n’attend plus rien" in room.by("bruno").refused(f"account approve {first}")
    assert room.by("bruno")(f"account approve {second}").exit_code == 0
    assert "n’attend plus rien" in room.by("claire").refused(f"account approve {second}")
    room.by("alice").done(f"account cancel {second}")
    assert "n’attend plus rien" in room.by("alice").refused(f"account cancel {second}")
    assert [one["state"] for one in room.mssante.facts("account list")] == ["over", "over"]
    assert "inconnue" in room.by("bruno").refused("account approve 99")


def test_a_request_waits_three_days(room: Room) -> None:
    number = ask(room)
    house = room.mssante.house()
    late = house.clock() + recovery.ASKED_FOR + 60_000
    answer = house.db.write_now(recovery.agree, house.keys, number, "operator bruno", "x", late)
    assert answer is recovery.NotNow.NOT_WAITING
    found = house.db.read_now(recovery.get, house.keys, number, late)
    assert found is not None
    assert found.state is State.OVER
    house.db.close_now()


@pytest.mark.parametrize(
    ("login", "reason", "said"),
    [
        (NADIA, " ", "de 1 à 200 caractères"),
        (NADIA, "x" * 201, "de 1 à 200 caractères"),
        ("inconnue@beta", REASON, "aucun accès aux pages à ce nom"),
        (THOMAS, REASON, "aucune seconde vérification"),
    ],
)
def test_refused(room: Room, login: str, reason: str, said: str) -> None:
    assert said in room.by("alice").refused(f"account recover {login} --reason", reason)
    assert room.mssante.facts("account list") == []


def test_a_forgotten_password(room: Room) -> None:
    """Whoever has no second factor may ask for it too; the code stands for the password and for nothing else."""
    asked = room.by("alice").facts(f"account recover {THOMAS} --lost password --reason", REASON)
    code = room.by("bruno").facts(f"account approve {asked['recovery']}")["code"]
    assert [one["lost"] for one in room.mssante.facts("account list")] == ["password"]
    assert "mot de passe" in room.mssante.done("account list")
    house = room.mssante.house()
    thomas = house.db.read_now(house.credentials.by_login, THOMAS)
    assert thomas is not None
    found = house.db.read_now(recovery.of_code, house.keys, thomas.credential_id, code, house.clock())
    assert found is not None
    assert found.lost is recovery.Lost.PASSWORD
    refused = house.db.write_now(recovery.check, house.keys, thomas.credential_id, code, house.clock())
    assert isinstance(refused, recovery.WrongCode)
    house.db.close_now()


def citizen(mssante: Operator) -> str:
    house = mssante.house()

    def write(tx: Transaction) -> None:
        new = NewMailbox(f"{demo_ins(1).value}@patient.example", BoxKind.CIT, Holder("Jacqueline"), ACTIVATED)
        box = house.mailboxes.create(tx, new, house.clock())
        house.credentials.add(tx, NewCredential(box.id, "jacqueline", "Jacqueline", cheap), house.clock())

    cheap = hash_password("quatre mots au hasard", None)
    house.db.write_now(write)
    house.db.close_now()
    return "jacqueline"


def test_a_citizens_forgotten_password(room: Room) -> None:
    """Her mailbox is not told: what she enters by goes to her private address."""
    login = citizen(room.mssante)
    before = told(room.mssante)
    for lost in ("factor", "both"):
        said = room.by("alice").refused(f"account recover {login} --lost {lost} --reason", REASON)
        assert "seul --lost password a un sens" in said
    asked = room.by("alice").facts(f"account recover {login} --lost password --reason", REASON)
    given = room.by("bruno").facts(f"account approve {asked['recovery']}")
    assert re.fullmatch(r"(\d\d ){5}\d\d", given["code"])
    assert told(room.mssante) == before


def test_the_mailbox_is_told_each_time(room: Room) -> None:
    number = ask(room)
    room.by("bruno").done(f"account approve {number}")
    room.by("bruno").done(f"account cancel {number}")
    assert told(room.mssante).count("account") == 3


# -------------------------------------------------------------------- whose hand
@pytest.mark.parametrize(
    ("login", "sudo", "name", "by"),
    [
        ("0", "alice", "root", By.LOGIN),  # who logged in as root is root, whatever sudo's variable says
        ("4294967295", "alice", "alice", By.SUDO),
        ("4294967295", "", None, By.ACCOUNT),
        ("", "alice", "alice", By.SUDO),
        ("54321", "", "54321", By.LOGIN),  # an account that is gone
    ],
)
def test_whose_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str, sudo: str, name: str | None, by: By
) -> None:
    file = tmp_path / "loginuid"
    file.write_text(login)
    monkeypatch.setattr(author, "LOGIN", file)
    monkeypatch.setenv("SUDO_USER", sudo)
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert author_now() == Author(name or pwd.getpwuid(os.getuid()).pw_name, by)


def test_a_long_name_is_cut_as_the_trail_holds_it() -> None:
    assert Author("x" * 60, By.SUDO).text == "operator " + "x" * 23

"""Whom notices and filings are for, over real mailboxes: citizens, children, profiles not activated, opposed, closed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmp_bridge.filing import citizen_address
from foundation.database import Database, Transaction, metadata
from foundation.keys import KeyRing
from health_space.notices.addressees import addressees
from health_space.notices.rules import Addressee
from health_space.profiles.operations import Kind, add_guardian
from mssante.identity import demo_ins
from mssante.kinds import BoxKind, BoxState, ProfileState
from mssante.mailbox import Holder, NewMailbox
from mssante.mailboxes import Mailboxes


class Town:
    def __init__(self, root: Path) -> None:
        self.db = Database(f"sqlite:///{root}/db.sqlite")
        metadata.create_all(self.db.engine)
        self.mailboxes = Mailboxes(KeyRing(os.urandom(32)))
        self._serial = 0

    def citizen(self, email: str, profile: ProfileState = ProfileState.ACTIVATED) -> int:
        self._serial += 1
        ins = demo_ins(self._serial, sex=2, birth_year=1946, birth_month=5).value
        holder = Holder("Anne", ins, private_email=email)
        new = NewMailbox(f"{ins}@patient.example", BoxKind.CIT, holder, profile)
        return self.db.write_now(self.mailboxes.create, new, 1).id

    def of(self, box: int) -> list[Addressee] | None:
        return self.db.read_now(addressees(self.mailboxes), box)

    def address(self, box: int) -> str | None:
        return self.db.read_now(citizen_address(self.mailboxes), box)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    yield made
    made.db.close_now()


def test_profiles_activated_or_not_are_written_to(town: Town) -> None:
    active = town.citizen("a@x.example")
    waiting = town.citizen("b@x.example", ProfileState.NOT_ACTIVATED)
    silent = town.citizen("")
    assert town.of(active) == [Addressee("a@x.example", own=True, activated=True)]
    assert town.of(waiting) == [Addressee("b@x.example", own=True, activated=False)]
    assert town.of(silent) == []  # a letter is owed
    assert all(town.address(box) for box in (active, waiting, silent))


def test_opposed_closed_unknown_and_professionals_are_not(town: Town) -> None:
    opposed = town.citizen("a@x.example", ProfileState.OPPOSED)
    closed = town.citizen("b@x.example")
    professional = NewMailbox("dr@cabinet.example", BoxKind.PER, Holder("Dr", private_email="c@x.example"))

    def write(tx: Transaction) -> int:
        town.mailboxes.set_state(tx, closed, BoxState.CLOSED, 2)
        return town.mailboxes.create(tx, professional, 1).id

    doctor = town.db.write_now(write)
    for box in (opposed, closed, doctor, 999):
        assert town.of(box) is None
        assert town.address(box) is None


def test_a_childs_notices_go_to_the_parents_once_and_not_to_a_carer(town: Town) -> None:
    child, mother, father, carer = (
        town.citizen(email) for email in ("m@x.example", "m@x.example", "f@x.example", "c@x")
    )
    for guardian, kind in ((mother, Kind.PARENT), (father, Kind.PARENT), (carer, Kind.CARER)):
        town.db.write_now(add_guardian, guardian, child, kind, 1)
    found = town.of(child)
    assert found is not None
    assert {(to.email, to.own) for to in found} == {("m@x.example", False), ("f@x.example", False)}
    assert town.of(mother) == [Addressee("m@x.example", own=True, activated=True)]


def test_someone_helped_is_written_to_themselves(town: Town) -> None:
    helped, carer = town.citizen("h@x.example"), town.citizen("c@x.example")
    town.db.write_now(add_guardian, carer, helped, Kind.CARER, 1)
    assert town.of(helped) == [Addressee("h@x.example", own=True, activated=True)]

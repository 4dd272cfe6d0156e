"""Guessing on a large scale: pairs of logins and passwords stolen elsewhere, many accounts, many addresses.

Nothing hashes here: what counts is which guesses are looked at at all, over hours of a clock of ours. The attacker knows the rules,
never asks while it would be refused unlooked, and learns nothing between guesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from foundation.clock import DAY, HOUR, SECOND
from foundation.database import Database, Transaction, metadata
from foundation.keys import KeyRing
from foundation.places import place_of
from mssante import throttle
from mssante.tables import guesses

NOW = 1_794_472_800_000
KEYS = KeyRing(b"k" * 32)
OFFICE = "192.0.2.10"  # the accounts' own


class Door:
    """What `Credentials.check` does with wrong passwords, in one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def wait(self, login: str, place: str, now: int) -> int:
        return throttle.wait(self._tx.conn, throttle.subjects(KEYS, login, place), now)

    def wrong(self, login: str, place: str, now: int) -> None:
        throttle.failed(self._tx, throttle.subjects(KEYS, login, place), now)

    def right(self, login: str, place: str, now: int) -> None:
        throttle.succeeded(self._tx, throttle.subjects(KEYS, login, place), now)

    def attack(self, logins: Sequence[str], places: Sequence[str], lasts: int, pace: int) -> int:
        """Each `pace` ms from each place a guess at the next account, unless it would not be looked at; how many were looked at."""
        looked_at = turn = 0
        for now in range(NOW, NOW + lasts, pace):
            for place in places:
                login = logins[turn % len(logins)]
                turn += 1
                if not self.wait(login, place, now):
                    self.wrong(login, place, now)
                    looked_at += 1
        return looked_at


@pytest.fixture
def db(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path}/t.db")
    metadata.create_all(made.engine, tables=[guesses])
    return made


ACCOUNTS = [f"login{n}" for n in range(500)]
ONE, NETWORK = ["203.0.113.1"], [f"203.0.113.{n}" for n in range(1, 41)]
WORLD = [f"198.{n}.100.7" for n in range(60)]
ONE_V6, SITE_V6 = [f"2001:db8:1:1::{n:x}" for n in range(1, 41)], [f"2001:db8:1:{n:x}::1" for n in range(40)]


@pytest.mark.parametrize(
    ("case", "logins", "places", "most"),
    [
        ("one address, many accounts", ACCOUNTS, ONE, 20 + 12 + 130),
        ("one address, one account", ACCOUNTS[:1], ONE, 12 + 130),
        ("one network, many accounts", ACCOUNTS, NETWORK, 200 + 20 + 130),
        ("one IPv6 link", ACCOUNTS, ONE_V6, 20 + 12 + 130),
        ("one IPv6 site", ACCOUNTS, SITE_V6, 200 + 20 + 130),
        ("the world, one account", ACCOUNTS[:1], WORLD, 50 + 20 + 370),
    ],
)
def test_how_many_guesses_an_hour_are_looked_at(
    db: Database, case: str, logins: list[str], places: list[str], most: int
) -> None:
    """`most`: free ones, those while the wait grows, then one a wait (30 s of a place or network, 10 s of a login)."""
    looked_at = db.write_now(lambda tx: Door(tx).attack(logins, places, HOUR, 10 * SECOND))
    assert looked_at <= most, case
    assert looked_at > 20, case


def test_nobody_is_locked_out_meanwhile(db: Database) -> None:
    """From the office nobody notices; from a new place each waits once, seconds; after a day all is forgotten."""

    def scenario(tx: Transaction) -> None:
        door = Door(tx)
        for login in ACCOUNTS[:100]:
            door.right(login, OFFICE, NOW - DAY)
        door.attack(ACCOUNTS[:100], WORLD, HOUR // 2, 10 * SECOND)
        door.attack(ACCOUNTS[:100], NETWORK, HOUR // 2, 10 * SECOND)
        end = NOW + HOUR // 2
        for login in ACCOUNTS[:100]:
            assert door.wait(login, OFFICE, end) == 0
            assert door.wait(login, "192.0.2.99", end) <= 10 * SECOND  # at home
            assert door.wait(login, NETWORK[0], end) <= 30 * SECOND  # a neighbour of the attacker's
            assert door.wait(login, NETWORK[0], end + DAY) == 0

    db.write_now(scenario)


def test_an_attack_out_of_the_office_stops_nobody_there(db: Database) -> None:
    """A machine in the hospital guesses; who signed in from there before does not wait, the machine does."""

    def scenario(tx: Transaction) -> None:
        door = Door(tx)
        door.right("camille", OFFICE, NOW - DAY)
        looked_at = door.attack(ACCOUNTS, [OFFICE], HOUR, SECOND)
        assert looked_at < 200
        assert door.wait("camille", OFFICE, NOW + HOUR) == 0
        assert door.wait("login3", OFFICE, NOW + HOUR) <= 30 * SECOND

    db.write_now(scenario)


def test_the_own_success_is_no_way_round(db: Database) -> None:
    """An attacker with one good account signs in between the guesses: what others lost counts on."""

    def scenario(tx: Transaction) -> int:
        door, looked_at = Door(tx), 0
        for step, now in enumerate(range(NOW, NOW + HOUR, 5 * SECOND)):
            door.right("attacker", ONE[0], now)
            if not door.wait(ACCOUNTS[step % 500], ONE[0], now):
                door.wrong(ACCOUNTS[step % 500], ONE[0], now)
                looked_at += 1
        return looked_at

    assert db.write_now(scenario) <= 20 + 12 + 130


def test_one_wrong_answer_of_many_people_slows_nobody(db: Database) -> None:
    """The Monday after a change of passwords, in a hospital behind one address."""

    def scenario(tx: Transaction) -> None:
        door = Door(tx)
        for login in ACCOUNTS:
            door.right(login, OFFICE, NOW - 3 * DAY)
        for serial, login in enumerate(ACCOUNTS):
            now = NOW + serial * SECOND
            assert door.wait(login, OFFICE, now) == 0
            door.wrong(login, OFFICE, now)
            assert door.wait(login, OFFICE, now + throttle.FIRST_WAIT) == 0
            door.right(login, OFFICE, now + throttle.FIRST_WAIT)

    db.write_now(scenario)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("192.0.2.1", "192.0.2.254", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", True),
        ("2001:db8:1:2::1", "2001:db8:2:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.9", True),
    ],
)
def test_networks(one: str, two: str, same: bool) -> None:
    found = [throttle._network(place_of(place)) for place in (one, two)]
    assert (found[0] == found[1]) is same

"""What an account keeps, on PostgreSQL, in two processes' connections at once: a challenge and a recovery are good once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from foundation.clock import DAY, HOUR, SECOND
from foundation.database import Database
from foundation.web import sessions
from foundation.web.sessions import Stage
from mssante import approvers, one_time, passkeys, recovery, throttle
from mssante.ceremonies import BadPasskey
from mssante.credential_rows import CredentialRows
from mssante.identity import luhn_key
from mssante.mailbox import Holder
from mssante.mailboxes import Mailboxes
from mssante.passkeys import RightPasskey
from mssante.recovery import NotNow
from tests.mssante.test_passkeys import MINE, NOW, OTHERS, PARTY, House
from tests.support.postgres import other_database


@pytest.fixture
async def two(postgres_server: str) -> AsyncIterator[tuple[House, Database]]:
    url = other_database(postgres_server, "account")
    house, other = House(url), Database(url)
    yield house, other
    await other.close()
    await house.db.close()


def together(house: House, other: Database, work: Any) -> list[Any]:
    """The same work in both, at once; a fault is its result."""

    def one(db: Database) -> Any:
        try:
            return db.write_now(work)
        except LookupError as fault:
            return fault

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, (house.db, other)))


async def test_a_challenge_is_answered_once(two: tuple[House, Database]) -> None:
    house, other = two
    device = house.enrolled()
    for _ in range(5):
        answer = device.get(house.asking())
        found = together(
            house,
            other,
            lambda tx, answer=answer: passkeys.check(tx, house.keys, PARTY, house.ids["camille"], MINE, answer, NOW),
        )
        assert sorted(isinstance(one, RightPasskey) for one in found) == [False, True]
        assert BadPasskey.NO_CHALLENGE in found
    house.asking(session=OTHERS)
    assert house.check(device.get(house.asking())) == RightPasskey(house.mine()[0].id)
    assert house.who().passkey


async def test_a_recovery_is_agreed_to_once_and_used_once(two: tuple[House, Database]) -> None:
    house, other = two
    camille, codes = house.ids["camille"], [recovery.new_code(), recovery.new_code()]
    number = house.db.write_now(recovery.ask, house.keys, camille, recovery.Lost.FACTOR, "operator a", "vol", NOW)

    def agree(tx: Any) -> Any:
        return recovery.agree(tx, house.keys, number, "operator b", codes[0], NOW)

    agreed = together(house, other, agree)
    assert sorted(isinstance(one, NotNow) for one in agreed) == [False, True]
    assert house.db.write_now(recovery.check, house.keys, camille, codes[0], NOW) == number

    def use(tx: Any) -> None:
        one_time.enrol_totp(tx, house.keys, camille, one_time.new_totp_secret())
        recovery.use(tx, camille, number, NOW)

    used = together(house, other, use)
    assert sorted(isinstance(one, LookupError) for one in used) == [False, True]
    assert not house.db.read_now(recovery.usable, camille, number, NOW)


async def test_sessions_of_one_person(two: tuple[House, Database]) -> None:
    house, _ = two

    def opened(person: int, realm: str) -> sessions.Session:
        return house.db.write_now(
            sessions.open_session, house.keys, NOW, Stage.SIGNED_IN, person, {"client": "Firefox"}, False, None, realm
        )

    mine, _, citizens = opened(1, "pro"), opened(1, "pro"), opened(1, "")
    found = house.db.read_now(sessions.of, house.keys, 1, "pro", NOW)
    assert {one.client for one in found} == {"Firefox"}
    assert len(found) == 2
    assert not house.db.write_now(sessions.end_one, 2, "pro", sessions.handle(mine.id))
    house.db.write_now(sessions.end_all, 1, "pro", mine)
    assert [one.handle for one in house.db.read_now(sessions.of, house.keys, 1, "pro", NOW)] == [
        sessions.handle(mine.id)
    ]
    assert house.db.read_now(sessions.find, house.keys, citizens.id) is not None


async def test_once_in_a_while(two: tuple[House, Database]) -> None:
    house, _ = two
    assert house.db.write_now(throttle.spaced, b"k", 30 * SECOND, NOW) == 0
    assert house.db.write_now(throttle.spaced, b"k", 30 * SECOND, NOW + SECOND) == 29 * SECOND
    assert house.db.write_now(throttle.spaced, b"k", 30 * SECOND, NOW + 30 * SECOND) == 0


async def test_who_lets_people_in_come_and_go(two: tuple[House, Database]) -> None:
    house, _ = two
    write, read = house.db.write_now, house.db.read_now

    def add(name: str, by: str, now: int) -> approvers.Approver | None:
        return write(approvers.add, house.keys, name, f"phrase of {name}", by, now)

    alice, bruno, carole = (
        add("alice", "", NOW),
        add("bruno", "alice", NOW + HOUR),
        add("carole", "bruno", NOW + 2 * DAY),
    )
    assert alice is not None
    assert bruno is not None
    assert carole is not None
    assert [one.usable_at for one in (alice, bruno, carole)] == [NOW, NOW + HOUR, NOW + 5 * DAY]
    assert add("bruno", "alice", NOW) is None
    assert read(approvers.secret, house.keys, bruno) == "phrase of bruno"
    assert write(approvers.remove, "bruno", NOW + DAY)
    assert not write(approvers.remove, "bruno", NOW + DAY)
    again = add("bruno", "alice", NOW + 2 * DAY)
    assert again is not None
    assert not again.counts(NOW + 4 * DAY)
    assert [one.name for one in read(approvers.of_all)] == ["alice", "bruno", "carole", "bruno"]


async def test_an_older_sign_in_learns_its_holders_number(two: tuple[House, Database]) -> None:
    """Once; who has no number is passed over, and who has one of their own keeps it."""
    house, _ = two
    rpps = "1099000001" + luhn_key("1099000001")
    who = house.who()
    boxes = Mailboxes(house.keys)
    rows = CredentialRows(house.keys, boxes)
    house.db.write_now(boxes.set_holder, who.box_id, Holder("Camille", rpps))
    assert house.db.read_now(rows.held_by, rpps, "") is None
    last = house.db.write_now(rows.learn_numbers, 0)
    assert house.db.write_now(rows.learn_numbers, last) == 0
    found = house.db.read_now(rows.held_by, "8" + rpps, "")
    assert found is not None
    assert found.credential_id == who.credential_id
    house.db.write_now(rows.set_subject, who.credential_id, "autre")
    while last:
        last = house.db.write_now(rows.learn_numbers, last)
    assert house.db.read_now(rows.held_by, rpps, "") is None

"""What an account keeps, on PostgreSQL, in two processes' connections at once: a challenge and a recovery are good once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from foundation.clock import SECOND
from foundation.database import Database
from foundation.web import sessions
from foundation.web.sessions import Stage
from mssante import one_time, passkeys, recovery, throttle
from mssante.app_secrets import generate
from mssante.ceremonies import BadPasskey
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
    camille, codes = house.ids["camille"], [generate(), generate()]
    number = house.db.write_now(recovery.ask, house.keys, camille, "operator a", "vol", NOW)

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

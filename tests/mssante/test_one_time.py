"""Second factor: authenticator codes and sent codes serve once, expire, and cannot be guessed at speed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pyotp
import pytest

from foundation.clock import MINUTE, SECOND
from mssante.credentials import Credentials, NewCredential, SignedIn
from mssante.one_time import (
    CODE_LIVES,
    RightCode,
    WrongCode,
    check_code,
    enrol_totp,
    expect_code,
    expect_sent,
    new_code,
    new_totp_secret,
    totp_uri,
)
from mssante.passwords import hash_password

NOW = 1_794_472_800_000 // 30_000 * 30_000
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture
async def person(space: Any) -> Any:
    space.credentials = Credentials(space.db, space.keys, space.boxes)
    citizen = await space.citizen()
    new = NewCredential(citizen.id, "jacqueline", "Jacqueline Morel", hash_password("p", None))
    space.id = await space.db.write(space.credentials.add, new, NOW)
    return space


def totp(now: int) -> str:
    return pyotp.TOTP(SECRET).at(datetime.fromtimestamp(now / 1000, UTC))


async def use(person: Any, code: str, now: int = NOW) -> Any:
    return await person.db.write(check_code, person.keys, person.id, code, now)


async def test_authenticator(person: Any) -> None:
    await person.db.write(enrol_totp, person.keys, person.id, SECRET)
    who = await person.credentials.check("jacqueline", "p", NOW, "")
    assert isinstance(who, SignedIn)
    assert who.totp
    assert await use(person, totp(NOW)) == RightCode()
    assert isinstance(await use(person, totp(NOW)), WrongCode)  # replay
    assert isinstance(await use(person, totp(NOW - 30 * SECOND), NOW + 5 * MINUTE), WrongCode)  # older step, too late
    assert (
        await use(person, f"{totp(NOW + 10 * MINUTE)[:3]} {totp(NOW + 10 * MINUTE)[3:]}", NOW + 10 * MINUTE)
        == RightCode()
    )


@pytest.mark.parametrize(("drift", "right"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
async def test_authenticator_clock_drift(person: Any, drift: int, right: bool) -> None:
    await person.db.write(enrol_totp, person.keys, person.id, SECRET)
    assert isinstance(await use(person, totp(NOW + drift * SECOND)), RightCode) is right


async def test_an_earlier_step_is_not_taken_after_a_later_one(person: Any) -> None:
    await person.db.write(enrol_totp, person.keys, person.id, SECRET)
    assert await use(person, totp(NOW + 30 * SECOND)) == RightCode()
    assert isinstance(await use(person, totp(NOW)), WrongCode)


async def test_one_code_one_winner(person: Any) -> None:
    await person.db.write(enrol_totp, person.keys, person.id, SECRET)
    answers = await asyncio.gather(*(use(person, totp(NOW)) for _ in range(3)))
    assert answers.count(RightCode()) == 1


async def test_sent_code(person: Any) -> None:
    await person.db.write(expect_code, person.keys, person.id, "012345", NOW)
    assert isinstance(await use(person, "012346"), WrongCode)
    assert await use(person, " 012 345 ") == RightCode()
    assert isinstance(await use(person, "012345"), WrongCode)


async def test_sent_code_expires_and_is_replaced(person: Any) -> None:
    await person.db.write(expect_code, person.keys, person.id, "111111", NOW)
    assert isinstance(await use(person, "111111", NOW + CODE_LIVES), WrongCode)
    await person.db.write(expect_code, person.keys, person.id, "222222", NOW)
    await person.db.write(expect_code, person.keys, person.id, "333333", NOW)
    assert isinstance(await use(person, "222222"), WrongCode)
    assert await use(person, "333333") == RightCode()


async def test_five_wrong_codes_destroy_it(person: Any) -> None:
    await person.db.write(expect_code, person.keys, person.id, "444444", NOW)
    now = NOW
    waits = []
    for guess in range(5):
        answer = await use(person, f"00000{guess}", now)
        waits.append(answer.wait_ms)
        now += answer.wait_ms
    assert waits == [0, 0, 250, 500, 1_000]
    assert isinstance(await use(person, "444444", now), WrongCode)
    await person.db.write(expect_code, person.keys, person.id, "555555", now)
    assert await use(person, "555555", now + MINUTE) == RightCode()


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "١٢٣٤٥٦", "\ud800", "9" * 100_000])
async def test_nonsense(person: Any, code: str) -> None:
    await person.db.write(enrol_totp, person.keys, person.id, SECRET)
    await person.db.write(expect_code, person.keys, person.id, "123456", NOW)
    assert isinstance(await use(person, code), WrongCode)


async def test_a_weak_secret_is_not_enrolled(person: Any) -> None:
    with pytest.raises(ValueError, match="112"):
        await person.db.write(enrol_totp, person.keys, person.id, "JBSWY3DPEHPK3PXP")


async def test_nothing_enrolled(person: Any) -> None:
    assert isinstance(await use(person, "123456"), WrongCode)


def test_what_is_given_to_the_person() -> None:
    codes = {new_code() for _ in range(50)}
    assert all(len(code) == 6 and code.isdecimal() for code in codes)
    assert len(codes) > 40
    assert totp_uri(new_totp_secret(), "jacqueline", "Opérateur").startswith("otpauth://totp/")


async def test_who_has_the_password_sends_few_codes_and_the_last_one_stays_good(person: Any) -> None:
    waits = [await person.db.write(expect_sent, person.keys, person.id, f"{number:06d}", NOW) for number in range(20)]
    assert [wait > 0 for wait in waits] == [False] * 9 + [True] * 11
    assert await use(person, "000008") == RightCode()
    assert await person.db.write(expect_sent, person.keys, person.id, "999999", NOW + MINUTE) == 0
    assert await use(person, "999999", NOW + 2 * MINUTE) == RightCode()

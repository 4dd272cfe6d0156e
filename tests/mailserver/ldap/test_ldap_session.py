"""An LDAP session without its transport: who may ask, what is bounded, what is answered to what cannot be done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from foundation.database import Database, metadata
from foundation.keys import KeyRing
from mailserver.ldap import ber
from mailserver.ldap.ber import element, number, string
from mailserver.ldap.messages import NOTICE_OF_DISCONNECTION, WHO_AM_I, Code
from mailserver.ldap.session import LONGEST, MOST, LdapSession
from mailserver.sign_in import SignedIn
from mssante import directory
from mssante.directory import Entry
from mssante.kinds import BoxKind
from tests.mailserver.ldap.asking import equal, search, substrings
from tests.support.people import People

PEOPLE = People({"dr": ("pw", SignedIn(1, "dr@a.example"))}, wait_ms=700)
ENTRIES = [Entry(f"anne{n}@a.example", BoxKind.PER, f"Anne Petit{n}", town="Villefleur") for n in range(MOST + 5)]


class Client:
    def __init__(self, db: Database) -> None:
        self.waited: list[float] = []
        self.session = LdapSession(db, PEOPLE, "192.0.2.1", self._sleep)
        self.run = self.session.run()

    async def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    async def ask(self, octets: bytes) -> list[tuple[int, int, bytes]]:
        """(number, tag, content) of each answer, up to the one that ends the operation."""
        self.session.receive(octets)
        found = []
        async for piece in self.run:
            (_, at), (tag, content), *_ = ber.elements(ber.one(piece, 0x30))
            found.append((ber.integer(at), tag, content))
            if tag != 0x64:
                break
        return found

    async def code(self, octets: bytes) -> Code:
        return code(await self.ask(octets))


def code(answers: list[tuple[int, int, bytes]]) -> Code:
    return Code(ber.integer(next(ber.elements(answers[-1][2]))[1]))


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    db = Database(f"sqlite:///{tmp_path}/ldap.db")
    metadata.create_all(db.engine)
    for entry in ENTRIES:
        db.submit(directory.add, KeyRing(b"k" * 32), entry)
    await db.write(directory.add, KeyRing(b"k" * 32), Entry("u@a.example", BoxKind.PER, "Ursule Grand"))
    yield Client(db)
    await db.close()


def bind(name: str = "dr", password: str = "pw", version: int = 3, at: int = 1) -> bytes:
    return element(0x30, number(at), element(0x60, number(version), string(name), string(password, 0x80)))


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (bind(), Code.SUCCESS),
        (bind("uid=dr,ou=annuaire,o=mssante"), Code.SUCCESS),
        (bind("mail=dr, ou=annuaire, o=mssante"), Code.SUCCESS),
        (bind("", ""), Code.SUCCESS),  # nobody
        (bind("dr", ""), Code.UNWILLING_TO_PERFORM),
        (bind("dr", "no"), Code.INVALID_CREDENTIALS),
        (bind("other", "pw"), Code.INVALID_CREDENTIALS),
        (bind(version=2), Code.PROTOCOL_ERROR),
    ],
)
async def test_bind(client: Client, octets: bytes, expected: Code) -> None:
    assert await client.code(octets) is expected
    assert client.waited == ([0.7] if expected is Code.INVALID_CREDENTIALS else [])
    rights = Code.SUCCESS if expected is Code.SUCCESS and b"dr" in octets else Code.INSUFFICIENT_ACCESS_RIGHTS
    assert await client.code(search(equal("cn", "ursule"))) is rights


async def test_a_failed_bind_forgets_the_one_before(client: Client) -> None:
    await client.ask(bind())
    assert client.session.signed_in
    await client.ask(bind(password="no"))
    assert not client.session.signed_in
    assert await client.code(search(equal("cn", "ursule"))) is Code.INSUFFICIENT_ACCESS_RIGHTS


async def test_who_is_revoked_sees_nothing_more(client: Client) -> None:
    people = People({"dr": ("pw", SignedIn(1, "dr@a.example", member=7))})
    client.session._sign_in = people
    assert await client.code(bind()) is Code.SUCCESS
    assert await client.code(search(equal("cn", "ursule"))) is Code.SUCCESS
    people.change(7, None)
    assert await client.code(search(equal("cn", "ursule"))) is Code.INSUFFICIENT_ACCESS_RIGHTS


async def test_answers_are_bounded(client: Client) -> None:
    await client.ask(bind())
    for limit, shown in ((0, MOST), (5, 5), (5_000, MOST)):
        answers = await client.ask(search(equal("cn", "anne"), limit=limit))
        assert (code(answers), len(answers)) == (Code.SIZE_LIMIT_EXCEEDED, shown + 1)
    assert code(await client.ask(search(element(0x87, b"objectClass")))) is Code.SIZE_LIMIT_EXCEEDED
    assert len(await client.ask(search(equal("cn", "ursule")))) == 2


async def test_specialities_are_values_of_one_attribute(client: Client) -> None:
    """RFC 4519 2.5; asked for as people say it."""
    heart = Entry("c@a.example", BoxKind.PER, "Camille Roche", speciality="Cardiologie", skills="Gériatrie")
    await client.session._db.write(directory.add, KeyRing(b"k" * 32), heart)
    await client.ask(bind())
    for asked in (equal("description", "cardiologue"), substrings("description", "gériat")):
        [(_, _, found), _] = await client.ask(search(asked, attributes=(string("description"),)))
        attribute = element(0x30, string("description"), element(0x31, string("Cardiologie"), string("Gériatrie")))
        assert found == string("mail=c@a.example,ou=annuaire,o=mssante") + element(0x30, attribute)


async def test_a_critical_control_is_refused_and_another_passed_over(client: Client) -> None:
    await client.ask(bind())
    paged = string("1.2.840.113556.1.4.319")
    for critical, expected in ((b"\xff", Code.UNAVAILABLE_CRITICAL_EXTENSION), (b"\0", Code.SUCCESS)):
        controls = element(0xA0, element(0x30, paged, element(1, critical), string(b"")))
        answers = await client.ask(search(equal("cn", "ursule"), more=controls))
        assert code(answers) is expected
        assert (b"no control 1.2.840.113556.1.4.319 here" in answers[-1][2]) == (critical == b"\xff")


async def test_who_am_i_and_what_is_unknown(client: Client) -> None:
    def extended(name: str) -> bytes:
        return element(0x30, number(3), element(0x77, string(name, 0x80)))

    await client.ask(bind())
    assert (await client.ask(extended(WHO_AM_I)))[0][2].endswith(b"u:dr@a.example")
    assert await client.code(extended("1.3.6.1.1.8")) is Code.PROTOCOL_ERROR  # Cancel (RFC 3909)
    for tag, answer in ((0x66, 0x67), (0x68, 0x69), (0x4A, 0x6B), (0x6C, 0x6D), (0x6E, 0x6F)):
        [(_, seen, _)] = answers = await client.ask(element(0x30, number(4), element(tag, b"")))
        assert (seen, code(answers)) == (answer, Code.UNWILLING_TO_PERFORM)


async def test_requests_sent_together_are_answered_in_order(client: Client) -> None:
    client.session.receive(
        bind() + search(equal("cn", "ursule"), at=7) + element(0x30, number(8), element(0x50, b"\7"))
    )
    assert [at for at, _, _ in await client.ask(b"")] == [1]
    assert [at for at, _, _ in await client.ask(b"")] == [7, 7]
    client.session.receive(element(0x30, number(9), element(0x42)))
    assert [piece async for piece in client.run] == []


@pytest.mark.parametrize(
    "octets", [b"GET / HTTP/1.1\r\n\r\n", b"\x30\x84\x7f\xff\xff\xff", b"\x30\x80", b"\x30\x03\x02\x01\x00"]
)
async def test_what_is_no_ldap_ends_the_connection_with_a_notice(client: Client, octets: bytes) -> None:
    [(at, _, content)] = await client.ask(octets)
    assert (at, NOTICE_OF_DISCONNECTION.encode() in content) == (0, True)
    assert [piece async for piece in client.run] == []


async def test_a_stranger_may_not_send_long_requests(client: Client) -> None:
    long = search(equal("cn", "x" * 20_000))
    await client.ask(bind())
    assert await client.code(long) is Code.SUCCESS
    await client.ask(bind("", ""))
    assert (await client.ask(long))[0][0] == 0


async def test_the_longest_request(client: Client) -> None:
    await client.ask(bind())
    assert (await client.ask(search(equal("cn", "x" * LONGEST))))[0][0] == 0


async def test_a_wait_can_be_broken_off(client: Client) -> None:
    task: asyncio.Task[Any] = asyncio.ensure_future(anext(client.run))
    await asyncio.sleep(0)
    assert client.session.at_rest
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

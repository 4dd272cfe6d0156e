"""Keys asked of a real DNS server on a loopback port: found, absent, broken, silent; remembered and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from structlog.testing import capture_logs

from foundation.clock import HOUR, SECOND
from mailserver.signatures import records
from mailserver.signatures.records import DnsRecords
from mailserver.signatures.verdicts import Verdict

KEY = "rsa._domainkey.beta.example"


@dataclass
class Server(asyncio.DatagramProtocol):
    """`rows`: name -> TXT in presentation form; a name in `silent` gets no answer, one in `broken` SERVFAIL."""

    rows: dict[str, list[str]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    ttl: int = 600
    asked: list[str] = field(default_factory=list)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text(omit_final_dot=True)
        self.asked.append(name)
        if name in self.silent or "*" in self.silent:
            return
        answer = dns.message.make_response(query)
        if name in self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name not in self.rows:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif texts := self.rows[name]:
            answer.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", "TXT", *texts))
        self.transport.sendto(answer.to_wire(), address)


@dataclass
class World:
    server: Server
    ask: DnsRecords
    now: int = 0


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(records, "TRY_S", 0.05)
    monkeypatch.setattr(records, "ASK_S", 0.1)
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(Server, ("127.0.0.1", 0))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    made = World(server, DnsRecords(lambda: resolver, lambda: made.now))
    yield made
    transport.close()


@pytest.mark.parametrize(
    ("texts", "answer"),
    [
        (['"v=DKIM1; p=AA" "BB"'], b"v=DKIM1; p=AABB"),  # RFC 6376 3.6.2.2: without a blank between
        (['"v=DKIM1; p=AA"', '"v=spf1 -all"'], b"v=DKIM1; p=AA"),
        (['"v=DKIM1; p=AA"', '"v=DKIM1; p=BB"'], Verdict.KEY_UNUSABLE),
        (['"v=spf1 -all"'], b"v=spf1 -all"),  # told from a key where keys are read
        ([" ".join(['"' + "x" * 255 + '"'] * 33)], Verdict.KEY_UNUSABLE),  # longer than any key
        ([], Verdict.NO_KEY),
        (None, Verdict.NO_KEY),
    ],
)
async def test_what_dns_says(world: World, texts: list[str] | None, answer: bytes | Verdict) -> None:
    if texts is not None:
        world.server.rows[KEY] = texts
    assert await world.ask(KEY) == answer


async def test_an_answer_lasts_as_long_as_it_says(world: World) -> None:
    world.server.rows[KEY] = ['"v=DKIM1; p=AA"']
    for world.now, asked in ((0, 1), (599 * SECOND, 1), (600 * SECOND, 2)):
        assert await world.ask(KEY) == b"v=DKIM1; p=AA"
        assert len(world.server.asked) == asked


@pytest.mark.parametrize(("ttl", "lasts"), [(0, records.LEAST_TTL), (1_000_000, HOUR)])
async def test_within_bounds(world: World, ttl: int, lasts: int) -> None:
    world.server.rows[KEY], world.server.ttl = ['"v=DKIM1; p=AA"'], ttl
    for world.now, asked in ((0, 1), (lasts - 1, 1), (lasts, 2)):
        await world.ask(KEY)
        assert len(world.server.asked) == asked


async def test_what_is_absent_or_broken_is_asked_again_later(world: World) -> None:
    world.server.broken.add(KEY)
    assert await world.ask(KEY) is await world.ask(KEY) is Verdict.NO_DNS
    tries = len(world.server.asked)
    world.server.broken.clear()
    world.now = records.FAILED_TTL
    assert await world.ask(KEY) is await world.ask(KEY) is Verdict.NO_KEY
    assert len(world.server.asked) == tries + 1
    world.server.rows[KEY] = ['"v=DKIM1; p=AA"']
    world.now += records.ABSENT_TTL
    assert await world.ask(KEY) == b"v=DKIM1; p=AA"


async def test_many_messages_at_once_ask_once(world: World) -> None:
    world.server.rows[KEY] = ['"v=DKIM1; p=AA"']
    assert set(await asyncio.gather(*(world.ask(KEY) for _ in range(50)))) == {b"v=DKIM1; p=AA"}
    assert world.server.asked == [KEY]


async def test_who_gives_up_leaves_the_question_to_others(world: World) -> None:
    world.server.rows[KEY] = ['"v=DKIM1; p=AA"']
    hasty, patient = asyncio.create_task(world.ask(KEY)), asyncio.create_task(world.ask(KEY))
    await asyncio.sleep(0)
    hasty.cancel()
    assert await patient == b"v=DKIM1; p=AA"


async def test_only_so_many_are_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST", 3)
    for number in range(9):
        await world.ask(f"{number}.example")
    assert len(world.ask._known) == 3
    await world.ask("8.example")
    assert len(world.server.asked) == 9


async def test_where_nothing_answers_not_every_message_waits(world: World) -> None:
    world.server.silent.add("*")
    with capture_logs() as logs:
        for number in range(records.DEAF):
            assert await world.ask(f"{number}.example") is Verdict.NO_DNS
        tries = len(world.server.asked)
        for number in range(20):
            assert await world.ask(f"later{number}.example") is Verdict.NO_DNS
    assert len(world.server.asked) == tries
    assert [entry["event"] for entry in logs] == ["dns_silent"]
    world.server.silent.clear()
    world.now = records.FAILED_TTL
    assert await world.ask("later0.example") is Verdict.NO_KEY


async def test_one_silent_domain_silences_no_other(world: World) -> None:
    world.server.silent |= {f"silent{number}.example" for number in range(9)}
    for number in range(9):
        assert await world.ask(f"silent{number}.example") is Verdict.NO_DNS
        assert await world.ask(f"other{number}.example") is Verdict.NO_KEY


async def test_a_machine_without_resolver(world: World) -> None:
    def make() -> dns.asyncresolver.Resolver:
        raise dns.resolver.NoResolverConfiguration

    assert await DnsRecords(make)(KEY) is Verdict.NO_DNS

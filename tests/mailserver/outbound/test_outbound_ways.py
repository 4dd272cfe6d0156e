"""Routes, times and private mail."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from hypothesis import given
from hypothesis import strategies as st

from foundation.clock import HOUR, MINUTE
from mailserver.mime import scan
from mailserver.outbound.mail_out import FolderOutbox, Letterhead, NotSent, Relay, SmtpOutbox
from mailserver.outbound.routes import NoRoute, TableOrDns
from mailserver.outbound.schedule import Patience
from mssante.operators import Route


# ---------------------------------------------------------------- routes
class Dns:
    def __init__(self, answer: list[str] | Exception) -> None:
        self.answer = answer

    async def resolve(self, domain: str, kind: str) -> list[Any]:
        assert kind == "MX"
        if isinstance(self.answer, Exception):
            raise self.answer
        return [dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.MX, text) for text in self.answer]


def nobody(_domain: str) -> Route | None:
    """The table of operators, empty."""
    return None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (["20 b.x.example.", "10 a.x.example."], [Route("a.x.example"), Route("b.x.example")]),
        ([f"10 h{n}.x.example." for n in range(9)], [Route(f"h{n}.x.example") for n in range(5)]),
        (["0 ."], NoRoute("null_mx", True)),
        (dns.resolver.NXDOMAIN(), NoRoute("no_such_domain", True)),
        (dns.resolver.NoAnswer(response=dns.message.make_query("x.example", "MX")), [Route("x.example")]),
        (dns.resolver.NoNameservers(), NoRoute("dns_unavailable", False)),
        (dns.exception.Timeout(), NoRoute("dns_unavailable", False)),
    ],
)  # fmt: skip
async def test_routes_by_dns(answer: list[str] | Exception, expected: object) -> None:
    resolver: Any = Dns(answer)
    assert await TableOrDns(nobody, resolver, shuffle=lambda routes: None)("x.example") == expected


async def test_the_operators_table_comes_first() -> None:
    resolver: Any = Dns(dns.resolver.NXDOMAIN())
    route = Route("127.0.0.1", 8125)
    assert await TableOrDns({"x.example": route}.get, resolver)("x.example") == [route]


# ---------------------------------------------------------------- times
@given(st.lists(st.integers(0, HOUR), max_size=3), st.booleans())
def test_tries_end_at_the_limit_and_pass_the_notice(delays: list[int], urgent: bool) -> None:
    patience, now, tries, told = Patience(), 0, 0, False
    times = []
    while now < patience.until(0, urgent):
        tries += 1
        told = told or now >= patience.notice
        after = patience.wait(tries, now, [patience.until(0, urgent), 0 if told else patience.notice])
        assert 0 < after <= HOUR
        now += after + (delays.pop() if delays else 0)
        times.append(now)
    assert len(times) < 90
    assert any(patience.notice <= time <= patience.notice + 3 * HOUR for time in times)


def test_the_schedule() -> None:
    patience, now, times = Patience(chance=lambda: 0.0), 0, []
    for tries in range(1, 9):
        now += patience.wait(tries, now, [patience.limit, patience.notice])
        times.append(now // MINUTE)
    assert times == [1, 6, 15, 75, 135, 195, 255, 315]


@given(st.integers(1, 9), st.floats(0, 1), st.integers(0, 80 * HOUR), st.booleans())
def test_waits_are_spread_but_the_marks_are_met(tries: int, chance: float, now: int, urgent: bool) -> None:
    """However the dice fall, one try is at the delay notice and one at the limit; no wait is longer than the table's."""
    patience = Patience(chance=lambda: chance)
    after = patience.wait(tries, now, [patience.until(0, urgent), patience.notice])
    full = patience.waits[min(tries, len(patience.waits)) - 1]
    assert 0 < after <= full
    for mark in (patience.notice, patience.until(0, urgent)):
        assert not now < mark < now + after


# ---------------------------------------------------------------- private mail
LETTERHEAD = Letterhead("ne-pas-repondre@notices.example", clock=lambda: 1_790_000_000_000)
SUBJECT, TEXT = "Vous avez un nouveau message", "Bonjour,\n\nConnectez-vous comme d’habitude.\n"


async def test_a_folder_of_eml_files(tmp_path: Path) -> None:
    folder = tmp_path / "outbox"
    outbox = FolderOutbox(folder, LETTERHEAD)
    await asyncio.gather(*(outbox.send("jacqueline@private.example", SUBJECT, TEXT) for _ in range(3)))
    files = sorted(folder.iterdir())
    assert [path.suffix for path in files] == [".eml"] * 3
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        message = scan(path.read_bytes())
        assert (message.subject, message.text()) == (SUBJECT, TEXT.strip())
        assert [str(address) for address in message.addresses("to")] == ["jacqueline@private.example"]
        assert message.header("Auto-Submitted") == "auto-generated"


class Provider:
    """A relay for private mail; `answer` to RCPT."""

    answer = "250 OK"

    def __init__(self) -> None:
        self.got: list[Envelope] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.got.append(envelope)
        return "250 OK"


@pytest.fixture
async def provider() -> AsyncIterator[tuple[Provider, int]]:
    found = Provider()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(found, hostname="relay.example"), "127.0.0.1", 0
    )
    yield found, server.sockets[0].getsockname()[1]
    server.close()


async def test_through_a_relay(provider: tuple[Provider, int]) -> None:
    relay, port = provider
    outbox = SmtpOutbox(Relay("127.0.0.1", port, tls="none"), LETTERHEAD)
    await outbox.send("jacqueline@private.example", SUBJECT, TEXT)
    assert relay.got[0].rcpt_tos == ["jacqueline@private.example"]
    assert relay.got[0].mail_from == "ne-pas-repondre@notices.example"
    assert scan(relay.got[0].original_content or b"").text() == TEXT.strip()


@pytest.mark.parametrize(("answer", "permanent"), [("550 5.1.1 no", True), ("450 4.2.1 later", False)])
async def test_a_refusal_says_no_address(provider: tuple[Provider, int], answer: str, permanent: bool) -> None:
    relay, port = provider
    relay.answer = answer
    with pytest.raises(NotSent) as caught:
        await SmtpOutbox(Relay("127.0.0.1", port, tls="none"), LETTERHEAD).send("j@private.example", SUBJECT, TEXT)
    assert caught.value.permanent is permanent
    assert "@" not in str(caught.value)
    assert relay.got == []


async def test_a_relay_must_speak_tls_unless_told_otherwise(provider: tuple[Provider, int]) -> None:
    relay, port = provider
    with pytest.raises(NotSent):
        await SmtpOutbox(Relay("127.0.0.1", port), LETTERHEAD).send("j@private.example", SUBJECT, TEXT)
    with pytest.raises(NotSent):
        await SmtpOutbox(Relay("127.0.0.1", 1, tls="none"), LETTERHEAD).send("j@private.example", SUBJECT, TEXT)
    assert relay.got == []

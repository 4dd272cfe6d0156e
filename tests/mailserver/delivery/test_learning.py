"""Reports that come in mark the trace of the message they are about: who is believed, once and for good."""

from __future__ import annotations

import pytest

from foundation.clock import DAY, HOUR
from mailserver.delivery import traces
from mailserver.delivery.api import Door, Sender
from mailserver.delivery.learning import Learning
from mailserver.delivery.traces import OPENED, Trace, Traces
from mailserver.mime.reports import MAX_WORDS
from mssante.address import address_key
from mssante.identity import Invalid
from tests.mailserver.delivery.conftest import CITIZEN, DOCTOR, PEER, SERVICE, START, World, mail

HOSPITAL = frozenset({PEER.partition("@")[2]})


@pytest.fixture(autouse=True)
def learning(world: World) -> None:
    world.space.jobs.handle("learn", Learning(world.space).learn)


async def trace(world: World, ident: str = "m1@x.example") -> Trace:
    [one] = await world.space.db.read(Traces(world.space.keys).find, ident, None, START, START + 30 * DAY, 9)
    return one


def delivery_report(action: str, about: str = PEER, ident: str = "m1@x.example", to: str = DOCTOR) -> bytes:
    return report(
        "delivery-status",
        f"Reporting-MTA: dns; mx.hopital.example\n\nFinal-Recipient: rfc822; {about}\nAction: {action}\nStatus: 5.1.1",
        ident,
        to,
    )


def receipt(by: str, ident: str = "m1@x.example", to: str = DOCTOR) -> bytes:
    words = f"Final-Recipient: rfc822; {by}\nOriginal-Message-ID: <{ident}>\nDisposition: x/y; displayed"
    return report("disposition-notification", words, ident, to, by)


def report(kind: str, words: str, ident: str, to: str, by: str = "postmaster@hopital.example") -> bytes:
    text = (
        f"From: {by}\nTo: {to}\nMessage-ID: <r{hash((kind, words))}@x.example>\nMIME-Version: 1.0\n"
        f"Content-Type: multipart/report; report-type={kind}; boundary=B\n\n--B\nContent-Type: text/plain\n\nAvis\n"
        f"--B\nContent-Type: message/{kind}\n\n{words}\n"
        f"--B\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{ident}>\n--B--\n"
    )
    return text.replace("\n", "\r\n").encode()


async def tell(world: World, octets: bytes, to: str = DOCTOR, domains: frozenset[str] = HOSPITAL) -> None:
    outcome = await world.send("", to, octets, who=Sender(Door.MX, peer_domains=domains))
    assert outcome.verdicts[0].reason is None
    await world.space.jobs.drain()


async def relayed(world: World) -> None:
    """A message to another operator, which took it over."""
    await world.send(DOCTOR, [PEER, CITIZEN], mail(DOCTOR, PEER))
    assert (await trace(world)).verdict(PEER) == "relayed"


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        ("delivered", "delivered"),
        ("failed", "failed"),
        ("delayed", "deferred"),
        ("expanded", "delivered"),
        ("relayed", "relayed"),
        ("nonsense", "relayed"),
    ],
)
async def test_another_operator_says_the_verdict(world: World, action: str, verdict: str) -> None:
    await relayed(world)
    await tell(world, delivery_report(action))
    one = await trace(world)
    assert (one.verdict(PEER), one.verdict(CITIZEN)) == (verdict, "delivered")


async def test_never_two_final_verdicts(world: World) -> None:
    await relayed(world)
    for action in ("delayed", "failed", "failed", "delivered", "delayed"):
        await tell(world, delivery_report(action))
    one = await trace(world)
    assert [step.state for step in one.steps] == ["deferred", "failed"]
    assert (one.verdict(PEER), one.steps[-1].status) == ("failed", "5.1.1")


def long_report(actions: list[str], about: str = PEER) -> bytes:
    """A block for each action."""
    blocks = [
        f"Final-Recipient: rfc822; {about}\nAction: {action}\nRemote-MTA: dns; {'h' * 2_000}" for action in actions
    ]
    return report(
        "delivery-status", "\n\n".join(["Reporting-MTA: dns; mx.hopital.example", *blocks]), "m1@x.example", DOCTOR
    )


async def test_one_report_cannot_say_two_final_verdicts(world: World) -> None:
    await relayed(world)
    await tell(world, long_report(["delayed", "failed", "delivered", "failed"]))
    one = await trace(world)
    assert ([step.state for step in one.steps], one.verdict(PEER)) == (["deferred", "failed"], "failed")


async def test_a_trace_does_not_grow_with_what_says_nothing_new(world: World) -> None:
    await relayed(world)
    for _ in range(2):
        await tell(world, long_report(["delayed"] * 50))
    [step] = (await trace(world)).steps
    assert (step.state, step.host) == ("deferred", "h" * MAX_WORDS)


async def test_a_long_report_of_a_message_to_many_reads_each_address_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its work is done while every other writer waits."""
    await world.send(DOCTOR, [f"p{number}@hopital.example" for number in range(100)], mail(DOCTOR, PEER))
    read: list[str] = []

    def counted(address: str) -> str | Invalid:
        read.append(address)
        return address_key(address)

    monkeypatch.setattr(traces, "address_key", counted)
    blocks = "\n\n".join(f"Final-Recipient: rfc822; q{number}@hopital.example\nAction: failed" for number in range(200))
    await tell(world, report("delivery-status", f"Reporting-MTA: dns; x\n\n{blocks}", "m1@x.example", DOCTOR))
    assert (await trace(world)).steps == ()
    assert 0 < len(read) < 1_000


async def test_only_who_serves_the_recipient_is_believed(world: World) -> None:
    await relayed(world)
    await tell(world, delivery_report("failed").replace(b"hopital.example>", b"x>"), domains=HOSPITAL)
    await tell(world, delivery_report("failed", about=CITIZEN))
    other = Sender(Door.MX, peer_domains=frozenset({"clinique.example"}))
    lie = delivery_report("failed").replace(b"From: postmaster@hopital", b"From: postmaster@clinique")
    await world.send("", DOCTOR, lie, who=other)
    await world.space.jobs.drain()
    one = await trace(world)
    assert (one.verdict(CITIZEN), one.steps[1:]) == ("delivered", ())


async def test_a_report_to_somebody_else_says_nothing_of_my_message(world: World) -> None:
    await relayed(world)
    await tell(world, delivery_report("failed", to=SERVICE), to=SERVICE)
    assert (await trace(world)).steps == ()


async def test_a_receipt_from_another_operator_marks_opened_once(world: World) -> None:
    await relayed(world)
    for after in (HOUR, 2 * HOUR):
        world.now = START + after
        await tell(world, receipt(PEER))
    one = await trace(world)
    assert (one.verdict(PEER), one.marks(PEER)) == ("relayed", {OPENED: START + HOUR})
    assert one.marks(CITIZEN) == {}


async def test_a_colleague_here_receipts_their_own_mail_only(world: World) -> None:
    await world.send(DOCTOR, SERVICE, mail(DOCTOR, SERVICE))
    await world.send(SERVICE, DOCTOR, receipt(SERVICE), reverse_path="")
    await world.space.jobs.drain()
    one = await trace(world)
    assert (one.verdict(SERVICE), one.marks(SERVICE)) == ("delivered", {OPENED: START})

    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, ident="m2"))
    lie = receipt(CITIZEN, "m2@x.example").replace(f"From: {CITIZEN}".encode(), f"From: {SERVICE}".encode())
    await world.send(SERVICE, DOCTOR, lie, reverse_path="")
    await world.space.jobs.drain()
    assert (await trace(world, "m2@x.example")).marks(CITIZEN) == {}


async def test_a_report_about_nothing_known_is_mail_like_any_other(world: World) -> None:
    await tell(world, delivery_report("failed", ident="unknown@x.example"))
    await tell(
        world, b"From: a@hopital.example\r\nContent-Type: multipart/report; boundary=B\r\n\r\n--B\r\n\r\nx\r\n--B--\r\n"
    )
    assert len(await world.rows(DOCTOR)) == 2
    assert await world.jobs("learn") == []

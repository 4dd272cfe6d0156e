"""Malware is refused at every door, whatever it is wrapped in; without its antivirus the server takes nothing by default.

clamd is the real one, with one signature.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.message import EmailMessage

import pytest

from foundation.antivirus import Absent, Clamd, Clean, Infected, verdict_of
from mailserver.delivery.accept import Delivery
from mailserver.delivery.api import Door, Envelope, Outcome, Recipient, Sender, Terms
from tests.mailserver.delivery.conftest import CITIZEN, DOCTOR, PEER, SERVICE, World, mail
from tests.support.clamd import EICAR, NAME, clamd
from tests.support.clamd import Clamd as Daemon

__all__ = ["clamd"]


def zipped(*layers: str) -> bytes:
    content = EICAR
    for name in layers:
        into = io.BytesIO()
        with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
        content = into.getvalue()
    return content


def letter(sender: str, to: str, attached: bytes | None = None, text: str = "Bonjour.") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"], message["Message-ID"] = (
        sender,
        to,
        "Compte rendu",
        "<v@x.example>",
    )
    message.set_content(text)
    if attached is not None:
        message.add_attachment(attached, maintype="application", subtype="octet-stream", filename="compte-rendu.bin")
    return message.as_bytes().replace(b"\n", b"\r\n")


CARRIERS = {
    "raw, as the text": letter(PEER, DOCTOR, text=EICAR.decode()),
    "in base64": letter(PEER, DOCTOR, EICAR),
    "in a zip": letter(PEER, DOCTOR, zipped("eicar.com")),
    "in a zip in an XDM": letter(PEER, DOCTOR, zipped("eicar.com", "IHE_XDM/SUBSET01/DOC0001.ZIP")),
    "in base64 of a large message": letter(PEER, DOCTOR, b"\0" * 200_000 + EICAR),
}


def guarded(world: World, antivirus: Clamd, unscanned: bool = False) -> World:
    space = replace(world.space, antivirus=antivirus, unscanned=unscanned)
    return replace(world, space=space, delivery=Delivery(space))


@pytest.fixture
async def safe(world: World, clamd: Daemon) -> World:
    return guarded(world, Clamd(clamd.address, 20))


def reasons(outcome: Outcome) -> list[str | None]:
    return [verdict.reason.name if verdict.reason else None for verdict in outcome.verdicts]


@pytest.mark.parametrize("content", CARRIERS.values(), ids=CARRIERS.keys())
async def test_malware_is_refused_for_all(safe: World, content: bytes) -> None:
    outcome = await safe.send(PEER, [DOCTOR, SERVICE], content)
    assert reasons(outcome) == ["virus_found"] * 2
    verdict = outcome.verdicts[0]
    assert verdict.reason is not None
    assert NAME in verdict.reason.in_french(verdict.detail)
    assert (verdict.reason.code, verdict.reason.enhanced) == (554, "5.7.0")
    assert await safe.rows(DOCTOR) == []
    assert await safe.jobs() == []


async def test_at_every_door(safe: World) -> None:
    for sender, to in ((DOCTOR, CITIZEN), (DOCTOR, PEER), (CITIZEN, DOCTOR)):
        assert reasons(await safe.send(sender, to, letter(sender, to, EICAR))) == ["virus_found"], sender
    later = Terms(hold_until=safe.now + 60_000)
    assert reasons(await safe.send(DOCTOR, PEER, letter(DOCTOR, PEER, EICAR), terms=later)) == ["virus_found"]
    assert await safe.jobs() == []


async def test_what_is_clean_passes_and_our_own_notices_are_not_asked_about(safe: World) -> None:
    assert reasons(await safe.send(PEER, DOCTOR, letter(PEER, DOCTOR, b"PK"))) == [None]
    notice = letter("postmaster@cabinet.example", DOCTOR, EICAR)
    envelope = Envelope(Sender(Door.SYSTEM), "", (Recipient(DOCTOR),))
    assert reasons(await safe.delivery.accept(envelope, safe.space.blobs.prepare(notice))) == [None]


async def test_without_its_antivirus_mail_is_put_off_or_taken_as_set(world: World, clamd: Daemon) -> None:
    strict, open_ = guarded(world, Clamd(clamd.address, 5)), guarded(world, Clamd(clamd.address, 5), unscanned=True)
    clamd.stop()
    refused = await strict.send(PEER, DOCTOR, mail(PEER, DOCTOR))
    assert reasons(refused) == ["antivirus_absent"]
    assert refused.verdicts[0].reason is not None
    assert not refused.verdicts[0].reason.permanent
    assert reasons(await open_.send(PEER, DOCTOR, mail(PEER, DOCTOR))) == [None]
    clamd.start()
    assert reasons(await strict.send(PEER, DOCTOR, mail(PEER, DOCTOR))) == [None]


async def test_more_than_the_daemon_takes_is_no_verdict(safe: World) -> None:
    blob = safe.space.blobs.prepare(b"z" * 3_000_000)  # its StreamMaxLength is 1 MB
    assert safe.space.antivirus is not None
    assert isinstance(await safe.space.antivirus.scan(blob), Absent)
    blob.discard()


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"stream: OK\0", Clean()),
        (b"stream: Win.Test.EICAR_HDB-1 FOUND\0", Infected("Win.Test.EICAR_HDB-1")),
        (b"INSTREAM size limit exceeded. ERROR\0", Absent("INSTREAM size limit exceeded. ERROR")),
        (b"UNKNOWN COMMAND\0", Absent("UNKNOWN COMMAND")),
        (b"\0", Absent("")),
    ],
)
def test_answers(answer: bytes, verdict: Clean | Infected | Absent) -> None:
    assert verdict_of(answer) == verdict


async def _silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def _talkative(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"z" * 100_000)
    await writer.drain()


async def _gone(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize("daemon", [_silent, _talkative, _gone])
async def test_a_sick_daemon_is_an_absent_one(
    world: World, daemon: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> None:
    server = await asyncio.start_server(daemon, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sick = guarded(world, Clamd(f"127.0.0.1:{port}", 0.5))
    assert reasons(await sick.send(PEER, DOCTOR, mail(PEER, DOCTOR))) == ["antivirus_absent"]
    server.close()

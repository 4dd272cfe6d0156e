"""SMTP smuggling over real sockets, as a table: what is sent, what is answered, what is delivered, what the connection does next.

Each row is a message that hides another transaction behind something that some server somewhere takes for the end of a message.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mailserver.smtp import ports
from mailserver.smtp.limits import Limits
from mailserver.smtp.ports import DoorRules
from tests.mailserver.smtp.smtp_house import Memory, house, opened
from tests.mailserver.smtp.test_smtp_doors import (
    Pki,
    Play,
    client_context,
    mx_house,
    pki,  # noqa: F401  a fixture
    play,  # noqa: F401  a fixture
    submission_house,
)

BEGIN = b"MAIL FROM:<a@beta.example>\r\nRCPT TO:<carrier@alpha.example>\r\n"
CARRIER = b"Subject: carrier\r\n\r\nhello"
SMUGGLED = (
    b"MAIL FROM:<chief@beta.example>\r\nRCPT TO:<victim@alpha.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nhidden\r\n"
)
CLEAN = b"Subject: clean\r\n\r\nnext\r\n"

REFUSED, VOID, CONTENT = "554 and the end of the session", "554 and the session goes on", "content like any other"
TABLE = {
    # a line end that is none (RFC 5321 2.3.8)
    "LF.LF": (b"\n.\n", REFUSED),
    "LF.CRLF": (b"\n.\r\n", REFUSED),
    "CRLF.LF": (b"\r\n.\n", REFUSED),
    "CR.CR": (b"\r.\r", REFUSED),
    "CR.CRLF": (b"\r.\r\n", REFUSED),
    "CRLF.CR": (b"\r\n.\r", REFUSED),
    "LF.CR": (b"\n.\r", REFUSED),
    "CR.LF": (b"\r.\n", REFUSED),
    "LFCR.LFCR": (b"\n\r.\n\r", REFUSED),
    "LF LF.CRLF": (b"\n\n.\r\n", REFUSED),
    "CR CRLF.CRLF": (b"\r\r\n.\r\n", REFUSED),
    "CRLF.CR CRLF": (b"\r\n.\r\r\n", REFUSED),
    "LF": (b"\n", REFUSED),
    "CR": (b"\r", REFUSED),
    "CR NUL LF.CRLF": (b"\r\0\n.\r\n", REFUSED),
    "NUL, then LF.LF": (b"\0\r\n\n.\n", REFUSED),
    "a line too long, then LF.LF": (b"x" * 1_200 + b"\r\n\n.\n", REFUSED),
    # octets that some drop
    "CRLF NUL.CRLF": (b"\r\n\0.\r\n", VOID),
    "CRLF.NUL CRLF": (b"\r\n.\0\r\n", VOID),
    "CRLF NUL CRLF": (b"\r\n\0\r\n", VOID),
    # dots that end nothing, and line ends of other alphabets
    "CRLF..CRLF": (b"\r\n..\r\n", CONTENT),
    "CRLF...CRLF": (b"\r\n...\r\n", CONTENT),
    "CRLF. CRLF": (b"\r\n. \r\n", CONTENT),
    "CRLF .CRLF": (b"\r\n .\r\n", CONTENT),
    "CRLF.TAB CRLF": (b"\r\n.\t\r\n", CONTENT),
    "quoted-printable": (b"\r\n=2E\r\n", CONTENT),
    "VT.VT": (b"\x0b.\x0b", CONTENT),
    "FF.FF": (b"\x0c.\x0c", CONTENT),
    "NEL.NEL": ("\x85.\x85".encode(), CONTENT),
    "LS.LS": ("\u2028.\u2028".encode(), CONTENT),
    "one dot leader": ("\r\n\u2024\r\n".encode(), CONTENT),
    "fullwidth stop": ("\r\n\uff0e\r\n".encode(), CONTENT),
}
ROWS = [pytest.param(end, verdict, id=name) for name, (end, verdict) in TABLE.items()]


class Client:
    """Sends without delay, in segments of our choice; reads replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *segments: bytes) -> None:
        for segment in segments:
            self.writer.write(segment)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def reply(self) -> str:
        """The next one, its lines joined."""
        lines = [await self.reader.readline()]
        while lines[-1][3:4] == b"-":
            lines.append(await self.reader.readline())
        return b"".join(lines).decode()

    async def ask(self, line: bytes) -> str:
        await self.send(line + b"\r\n")
        return await self.reply()

    async def begin(self) -> None:
        assert (await self.ask(b"MAIL FROM:<a@beta.example>"))[:3] == "250"
        assert (await self.ask(b"RCPT TO:<carrier@alpha.example>"))[:3] == "250"

    async def ended(self) -> bool:
        """Nothing more is said, and the connection goes."""
        return await self.reader.read() == b""


@asynccontextmanager
async def at(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client = Client(reader, writer)
    try:
        assert (await client.reply())[:4] == "220 "
        yield client
    finally:
        writer.close()


@asynccontextmanager
async def bench(folder: Path, acceptor: Memory) -> AsyncIterator[Client]:
    async with opened(
        ports.BENCH, house(folder, acceptor, limits=Limits(linger_s=0.4))
    ) as door:  # octet by octet takes a while on a busy machine
        async with at(door.port) as client:
            await client.ask(b"EHLO client.example")
            yield client
        while door._live:  # the session ends by itself
            await asyncio.sleep(0.01)


def octets(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[at : at + 1] for at in range(len(data)))


def segments(end: bytes, cut: str) -> tuple[bytes, ...]:
    """The carrier, the false end and what it hides."""
    if cut == "whole":
        return (CARRIER + end + SMUGGLED,)
    return (CARRIER, *octets(end), SMUGGLED)


def untouched(acceptor: Memory) -> None:
    """The hidden transaction was never begun, nothing was delivered."""
    assert [one.address for one in acceptor.judged] == ["carrier@alpha.example"]
    assert acceptor.accepted == []


async def goes_on(client: Client, acceptor: Memory) -> None:
    """The same connection takes one clean message, and that one only."""
    before = len(acceptor.bodies)
    assert await client.ask(b"NOOP") == "250 2.0.0 OK\r\n"
    await client.begin()
    assert (await client.ask(b"DATA"))[:3] == "354"
    assert (await client.ask(CLEAN + b"."))[:9] == "250 2.0.0"
    assert acceptor.bodies[before:] == [CLEAN]
    assert (await client.ask(b"QUIT"))[:3] == "221"
    assert await client.ended()


# ---------------------------------------------------------------- DATA
@pytest.mark.parametrize("cut", ["whole", "octet by octet"])
@pytest.mark.parametrize(("end", "verdict"), ROWS)
def test_in_data(end: bytes, verdict: str, cut: str, tmp_path: Path, play: Play) -> None:  # noqa: F811
    async def scenario() -> None:
        acceptor = Memory()
        async with bench(tmp_path, acceptor) as client:
            await client.begin()
            assert (await client.ask(b"DATA"))[:3] == "354"
            await client.send(*segments(end, cut), b".\r\n")
            answer = await client.reply()
            if verdict is REFUSED:
                assert answer[:9] == "554 5.5.2"
                assert await client.ended()
                untouched(acceptor)
                return
            if verdict is VOID:
                assert answer[:9] == "554 5.6.0"
                untouched(acceptor)
            else:
                assert answer[:9] == "250 2.0.0"
                assert acceptor.bodies == [(CARRIER + end + SMUGGLED).replace(b"\r\n.", b"\r\n")]
                assert [one.address for one in acceptor.judged] == ["carrier@alpha.example"]
            await goes_on(client, acceptor)

    play(scenario())


# ---------------------------------------------------------------- BDAT (RFC 3030)
@pytest.mark.parametrize("cut", ["whole", "octet by octet", "two chunks", "a chunk an octet"])
@pytest.mark.parametrize(("end", "verdict"), [*ROWS, pytest.param(b"\r\n.\r\n", CONTENT, id="CRLF.CRLF")])
def test_in_chunks(end: bytes, verdict: str, cut: str, tmp_path: Path, play: Play) -> None:  # noqa: F811
    content = CARRIER + end + SMUGGLED
    half = len(CARRIER) + len(end) // 2
    chunks = {"two chunks": (content[:half], content[half:]), "a chunk an octet": (CARRIER, *octets(end), SMUGGLED)}
    parts = chunks.get(cut, (content,))

    async def scenario() -> None:
        acceptor = Memory()
        async with bench(tmp_path, acceptor) as client:
            await client.begin()
            answers = []
            for part in parts:
                last = b" LAST" if part is parts[-1] else b""
                await client.send(b"BDAT %d%s\r\n" % (len(part), last))
                await client.send(*(octets(part) if cut == "octet by octet" else (part,)))
                answers.append((await client.reply())[:9])
                if answers[-1] == "554 5.5.2":
                    break
            if verdict is REFUSED:
                assert answers[-1] == "554 5.5.2"
                assert set(answers[:-1]) <= {"250 2.0.0", "554 5.6.0"}
                assert await client.ended()
                untouched(acceptor)
                return
            if verdict is VOID:
                assert answers[-1] == "554 5.6.0"
                untouched(acceptor)
            else:
                assert set(answers) == {"250 2.0.0"}
                assert acceptor.bodies == [content]
                assert [one.address for one in acceptor.judged] == ["carrier@alpha.example"]
            await goes_on(client, acceptor)

    play(scenario())


def test_a_chunk_without_transaction_is_no_commands(tmp_path: Path, play: Play) -> None:  # noqa: F811
    async def scenario() -> None:
        acceptor = Memory()
        async with bench(tmp_path, acceptor) as client:
            await client.send(b"BDAT %d LAST\r\n" % len(SMUGGLED) + SMUGGLED)
            assert (await client.reply())[:9] == "503 5.5.1"
            assert acceptor.judged == []
            await goes_on(client, acceptor)

    play(scenario())


def test_a_line_end_begun_in_one_message_is_not_ended_in_the_next(tmp_path: Path, play: Play) -> None:  # noqa: F811
    """The CR that RSET forgot must not make the LF of the next message a line end."""

    async def scenario() -> None:
        acceptor = Memory()
        async with bench(tmp_path, acceptor) as client:
            await client.begin()
            await client.send(b"BDAT 5\r\nabcd\r")
            assert (await client.reply())[:3] == "250"
            assert (await client.ask(b"RSET"))[:3] == "250"
            await client.begin()
            await client.send(b"BDAT 6 LAST\r\n\n.\r\nab")
            assert (await client.reply())[:9] == "554 5.5.2"
            assert await client.ended()
            assert acceptor.accepted == []

    play(scenario())


# ---------------------------------------------------------------- commands
@pytest.mark.parametrize("cut", ["whole", "octet by octet"])
@pytest.mark.parametrize(
    "line",
    [
        b"NOOP\n",
        b"NOOP\r",
        b"NOOP\n\r",
        b"NOOP\r\r\n",
        b"\n",
        b"RCPT TO:<carrier@alpha.example>\n",
        b"RCPT TO:<carrier@alpha.example\r>\r\n",
        b"DATA\n",
        b"DATA\r",
        b"BDAT 4 LAST\n",
    ],
    ids=repr,
)
def test_in_commands(line: bytes, cut: str, tmp_path: Path, play: Play) -> None:  # noqa: F811
    async def scenario() -> None:
        acceptor = Memory()
        async with bench(tmp_path, acceptor) as client:
            await client.begin()
            await client.send(*((line + SMUGGLED,) if cut == "whole" else (*octets(line), SMUGGLED)), b".\r\n")
            assert (await client.reply())[:9] == "554 5.5.2"
            assert await client.ended()
            untouched(acceptor)

    play(scenario())


@pytest.mark.parametrize(
    "line", [b"NOOP\0", b"RCPT TO:<victim@alpha.example>\0", b"\0", b"RCPT TO:<v\0@alpha.example>"]
)
def test_a_command_with_a_nul_is_none(line: bytes, tmp_path: Path, play: Play) -> None:  # noqa: F811
    async def scenario() -> None:
        acceptor = Memory()
        async with bench(tmp_path, acceptor) as client:
            await client.begin()
            assert (await client.ask(line))[:9] == "500 5.5.2"
            untouched(acceptor)
            assert (await client.ask(b"RSET"))[:3] == "250"
            await goes_on(client, acceptor)

    play(scenario())


# ---------------------------------------------------------------- STARTTLS (RFC 3207 4.2)
INJECTED = b"EHLO evil.example\r\n" + SMUGGLED + b".\r\n"
DOORS = [pytest.param(ports.MX, id="25"), pytest.param(ports.SUBMISSION, id="587")]


@asynccontextmanager
async def tls_door(rules: DoorRules, folder: Path, pki: Pki, acceptor: Memory) -> AsyncIterator[int]:  # noqa: F811
    make = mx_house if rules is ports.MX else submission_house
    async with opened(rules, make(folder, pki, acceptor)) as door:
        yield door.port
        async with asyncio.timeout(10):
            while door._live:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("rules", DOORS)
@pytest.mark.parametrize("injected", [INJECTED, b"MAIL FROM:<chief@beta.example>\r\n", b"NO", b"\n.\n"], ids=repr)
def test_what_came_with_starttls_is_forgotten(
    injected: bytes,
    rules: DoorRules,
    pki: Pki,  # noqa: F811
    tmp_path: Path,
    play: Play,  # noqa: F811
) -> None:
    """In the same segment as STARTTLS, in the clear: neither obeyed nor put before what comes under TLS."""
    context = client_context(pki, pki.certificate("beta"))

    async def scenario() -> None:
        acceptor = Memory()
        async with tls_door(rules, tmp_path, pki, acceptor) as port, at(port) as client:
            await client.ask(b"EHLO client.example")
            await client.send(b"STARTTLS\r\n" + injected)
            assert await client.reply() == "220 2.0.0 Ready to start TLS\r\n"
            await client.writer.start_tls(context, server_hostname="localhost")
            assert await client.ask(b"NOOP") == "250 2.0.0 OK\r\n"
            # the greeting is forgotten; at 587 the sign-in stands before it
            forgotten = "503 5.5.1" if rules is ports.MX else "530 5.7.0"
            assert (await client.ask(b"MAIL FROM:<a@beta.example>")).splitlines()[-1][:9] == forgotten
            assert await client.ask(b"OP") == "500 5.5.1 Command not recognised\r\n"
            assert acceptor.judged == []
            assert (await client.ask(b"QUIT"))[:3] == "221"
            assert acceptor.accepted == []

    play(scenario())


@pytest.mark.parametrize("rules", [*DOORS, pytest.param(ports.SUBMISSIONS, id="465")])
def test_what_comes_in_the_clear_instead_of_tls_ends_the_connection(
    rules: DoorRules,
    pki: Pki,  # noqa: F811
    tmp_path: Path,
    play: Play,  # noqa: F811
) -> None:
    async def scenario() -> None:
        acceptor = Memory()
        async with tls_door(rules, tmp_path, pki, acceptor) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            client = Client(reader, writer)
            if rules is not ports.SUBMISSIONS:
                assert (await client.reply())[:4] == "220 "
                await client.ask(b"EHLO client.example")
                assert (await client.ask(b"STARTTLS"))[:4] == "220 "
            await client.send(INJECTED)
            said = await _rest(reader)
            assert not any(line[:1].isdigit() for line in said.split(b"\r\n")), "no reply, at most an alert of TLS"
            assert (acceptor.judged, acceptor.accepted) == ([], [])
            writer.close()

    play(scenario())


def test_a_hello_sent_before_it_was_asked_is_not_kept_for_later(
    pki: Pki,  # noqa: F811
    tmp_path: Path,
    play: Play,  # noqa: F811
) -> None:
    """A client's TLS hello in the segment of STARTTLS is forgotten like all that came before the 220."""
    hello, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = client_context(pki).wrap_bio(hello, out, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()

    async def scenario() -> None:
        acceptor = Memory()
        made = replace(mx_house(tmp_path, pki, acceptor), limits=Limits(handshake_s=0.3))
        async with opened(ports.MX, made) as door, at(door.port) as client:
            await client.ask(b"EHLO client.example")
            await client.send(b"STARTTLS\r\n" + out.read())
            assert (await client.reply())[:4] == "220 "
            assert await _rest(client.reader) == b""
            assert acceptor.judged == []

    play(scenario())


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""

"""A house for the doors under test: an acceptor that remembers, a peer of our choice; a wire in memory; a player of transcripts."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from certs.chain import Fault, Refused, Trusted
from foundation.blob_files import FolderFiles
from foundation.blob_receiver import Receiver
from foundation.blobs import Blobs, PreparedBlob
from foundation.dn import DistinguishedName, parse
from mailserver.delivery.api import Envelope, Fate, Outcome, Recipient, Sender, Verdict
from mailserver.sign_in import SignedIn
from mailserver.smtp import ports
from mailserver.smtp.doors import OpenDoor, Template, open_door
from mailserver.smtp.limits import Limits
from mailserver.smtp.ports import DoorRules, House, JudgePeer
from mssante import reasons
from mssante.reason import Reason
from tests.support.people import People

HOST = "mx.alpha.example"
BETA_DN = "CN=mail.beta.example,OU=1990000011,O=HOPITAL BETA,ST=Villefleur (99),C=FR"
REASONS = {
    "unknown": reasons.BOX_UNKNOWN,
    "full": reasons.BOX_FULL,
    "closed": reasons.BOX_CLOSED,
    "opposed": reasons.CITIZEN_OPPOSED,
}


# Return-Path of the inward doors, then our Received field on its three lines.
TRACE = re.compile(rb"\A(?:Return-Path: [^\r]*\r\n)?Received: [^\r]*\r\n\t[^\r]*\r\n\t[^\r]*\r\n")


@dataclass
class Memory:
    """An acceptor. Local parts: `unknown`, `full`... are refused at RCPT, `late-unknown`... after DATA."""

    judged: list[Recipient] = field(default_factory=list)
    accepted: list[tuple[Envelope, bytes]] = field(default_factory=list)
    fault: Exception | None = None
    gate: asyncio.Event | None = None  # accept waits for it
    held_messages: int = 2

    async def judge(self, sender: Sender, reverse_path: str, recipient: Recipient) -> Verdict:
        self.judged.append(recipient)
        return self._verdict(recipient, recipient.address.partition("@")[0])

    async def accept(self, envelope: Envelope, content: PreparedBlob) -> Outcome:
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        local_parts = [r.address.partition("@")[0].removeprefix("late-") for r in envelope.recipients]
        verdicts = tuple(map(self._verdict, envelope.recipients, local_parts))
        if any(v.fate is not Fate.REFUSED for v in verdicts):
            content.secure()
            self.accepted.append((envelope, content.plaintext()))
        else:
            content.discard()
        return Outcome(verdicts, "mid-1")

    async def room_to_hold(self, sender: Sender) -> Reason | None:
        held = [envelope for envelope, _ in self.accepted if envelope.terms.hold]
        return reasons.TOO_MANY_HELD if len(held) >= self.held_messages else None

    def _verdict(self, recipient: Recipient, word: str) -> Verdict:
        reason = REASONS.get(word)
        return Verdict(recipient.address, Fate.REFUSED if reason else Fate.DELIVERED, reason)

    @property
    def bodies(self) -> list[bytes]:
        """What was accepted, without our Received header."""
        return [TRACE.sub(b"", content, count=1) for _, content in self.accepted]


CAMILLE = SignedIn(7, "camille.roche@alpha.example", "Camille Roche")
PEOPLE = People({"camille": ("café-au-lait", CAMILLE), "user": ("pencil", CAMILLE)}, wait_ms=30)  # RFC 7677 3


@dataclass(frozen=True)
class List:
    generated_at: int = 1_763_800_000_000
    entries: dict[str, str] = field(default_factory=lambda: {"beta.example": BETA_DN, "gamma.example": "CN=g,C=FR"})

    def has(self, domain: str) -> bool:
        return domain in self.entries

    def domains_of(self, dn: DistinguishedName) -> frozenset[str]:
        return frozenset(domain for domain, text in self.entries.items() if parse(text) == dn)


PEERS: dict[str, Trusted | Refused] = {
    "beta": Trusted(parse(BETA_DN), 0),
    "stranger": Trusted(parse("CN=mail.stranger.example,C=FR"), 0),
    **{fault.name.lower(): Refused(fault, "" if fault is Fault.MISSING else "CN=seen") for fault in Fault},
}


async def no_tls(_: object, transport: asyncio.Transport, session: asyncio.Protocol, hello: bytes) -> asyncio.Transport:
    """For wires in memory: the upgrade happens, the octets stay readable."""
    session.data_received(hello)
    transport.resume_reading()
    return transport


def shown(peer: str) -> JudgePeer:
    """A judge that sees this one of PEERS."""

    async def judge(_: asyncio.Transport) -> Trusted | Refused:
        return PEERS[peer]

    return judge


def house(folder: Path, acceptor: Memory, peer: str = "beta", **changes: Any) -> House:
    made = House(
        hostname=HOST,
        acceptor=acceptor,
        new_writer=partial(Receiver, Blobs(FolderFiles(folder))),
        aliases={"postmaster": "postmaster@alpha.example"},
        start_tls=no_tls,
        sign_in=PEOPLE,
        judge_peer=shown(peer),
        trust=List,
        limits=Limits(linger_s=0.05),
        clock=lambda: 1_763_800_000_000,
        new_id=lambda: "id-1",
    )
    return replace(made, **changes)


class Wire(asyncio.Transport):
    """A connection in memory: `send` as the client, read `said` as the client."""

    def __init__(self, template: Template, peer: str = "192.0.2.7") -> None:
        super().__init__({"peername": (peer, 4000)})
        self.said = b""
        self.closed = self.paused = False
        self.session = template()
        self.session.connection_made(self)

    async def send(self, data: bytes, step: int = 0) -> bytes:
        """Sends in pieces of `step` octets (0: whole) and returns what the server says next."""
        self.said = b""
        for at in range(0, len(data), step or len(data) or 1):
            while self.paused:
                await asyncio.sleep(0)
            if not self.closed:
                self.session.data_received(data[at : at + step] if step else data)
            await asyncio.sleep(0)
        return await self.rest()

    async def rest(self) -> bytes:
        """Lets the session work until it waits for us, or is gone."""
        for _ in range(2_000):
            await asyncio.sleep(0)
            waits = self.session._input.waiting is not None and not self.session._out
            if (waits and not self.session._over) or self.session.task is None:
                break
        else:
            await asyncio.sleep(0.1)  # a password, a thread or the last moments
        return self.said

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed, "written after close"
        self.said += data

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.session.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def wire(rules: DoorRules, house: House, peer: str = "192.0.2.7") -> Wire:
    return Wire(Template(rules, house, asyncio.get_running_loop()), peer)


@asynccontextmanager
async def opened(rules: DoorRules, house: House) -> AsyncIterator[OpenDoor]:
    sock = socket.create_server(("127.0.0.1", 0))
    door = await open_door(rules, house, sock)
    try:
        yield door
    finally:
        await door.close(1)


# ---------------------------------------------------------------- transcripts
@dataclass(frozen=True)
class Transcript:
    """`head` are the `name: value` lines before the first blank one; turns are (octets to send, lines expected)."""

    name: str
    head: dict[str, str]
    turns: tuple[tuple[bytes, tuple[str, ...]], ...]

    @property
    def rules(self) -> DoorRules:
        rules: DoorRules = getattr(ports, self.head["door"])
        return rules


def read_transcript(path: Path) -> Transcript:
    """`C:` a line sent, with CR LF; `c:` octets sent as a Python literal's inside; `S:` a line expected, `*` stands for anything.

    `C:` lines that follow each other leave in one segment. `S: -` expects silence, `S: ...` any number of lines, `S: closed` the
    end of the connection.
    """
    head_text, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    head = dict(line.split(": ", 1) for line in head_text.splitlines() if not line.startswith("#"))
    turns: list[tuple[bytes, tuple[str, ...]]] = []
    sent, expected = b"", list[str]()
    for line in body.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        who, text = line[:2], line[3:]
        if who in ("C:", "c:"):
            if expected:
                turns.append((sent, tuple(expected)))
                sent, expected = b"", []
            sent += (
                text.encode() + b"\r\n"
                if who == "C:"
                else text.encode("latin-1").decode("unicode_escape").encode("latin-1")
            )
        else:
            assert who == "S:", line
            expected.append(text)
    turns.append((sent, tuple(expected)))
    return Transcript(path.stem, head, tuple(turns))


async def play(transcript: Transcript, house: House, step: int = 0) -> None:
    """Fails at the first answer that is not the one written."""
    connection = wire(transcript.rules, house)
    for sent, expected in transcript.turns:
        said = await (connection.send(sent, step) if sent else connection.rest())
        lines = said.decode("ascii").split("\r\n")[:-1]
        wanted = [line for line in expected if line not in ("-", "closed")]
        assert _as_wanted(lines, wanted), f"{transcript.name}: after {sent!r}\n said   {lines}\n wanted {wanted}"
        if "closed" in expected:
            await asyncio.sleep(0.1)
        assert connection.closed == ("closed" in expected), f"{transcript.name}: after {sent!r}"
    connection.close()
    await asyncio.sleep(0)


def _as_wanted(lines: list[str], wanted: list[str]) -> bool:
    if not wanted:
        return not lines
    if wanted[0] == "...":
        return any(_as_wanted(lines[skipped:], wanted[1:]) for skipped in range(len(lines) + 1))
    return bool(lines) and fnmatchcase(lines[0], wanted[0].replace("[", "[[]")) and _as_wanted(lines[1:], wanted[1:])

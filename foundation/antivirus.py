"""Asks an antivirus about a content: clamd over INSTREAM (clamd(8)), on a Unix socket or on TCP of a network that is ours.

It goes whole, in chunks of `<length><octets>`; the daemon opens what is in it (base64, archives).
One connection a content, few at a time: the daemon's own queue would only wait longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import structlog

from foundation.blobs import PreparedBlob

log = structlog.get_logger()

PIECE = 256 * 1024  # octets
AT_ONCE = 8
ANSWER_OCTETS = 4096


@dataclass(frozen=True, slots=True)
class Clean:
    pass


@dataclass(frozen=True, slots=True)
class Infected:
    """`name`: what the antivirus calls it."""

    name: str


@dataclass(frozen=True, slots=True)
class Absent:
    """No verdict: `why` in the daemon's words, or the kind of our own error."""

    why: str


Verdict = Clean | Infected | Absent


class Antivirus(Protocol):
    async def scan(self, content: PreparedBlob) -> Verdict:
        """Never raises for what the daemon does."""
        ...


class Clamd:
    """`address`: path of a Unix socket, or `host:port`; `seconds`: for one content, from the connection to the answer."""

    def __init__(self, address: str, seconds: float) -> None:
        self._address, self._seconds = address, seconds
        self._room = asyncio.Semaphore(AT_ONCE)
        self._absent = False

    async def scan(self, content: PreparedBlob) -> Verdict:
        try:
            async with self._room, asyncio.timeout(self._seconds):
                verdict = verdict_of(await self.stream(_pieces(content)))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as fault:
            verdict = Absent(type(fault).__name__)
        self._tell(verdict)
        return verdict

    async def stream(self, pieces: AsyncIterable[bytes]) -> bytes:
        """The daemon's answer, as it is."""
        reader, writer = await self._connected()
        try:
            writer.write(b"zINSTREAM\0")
            async for piece in pieces:
                writer.write(len(piece).to_bytes(4, "big") + piece)
                await writer.drain()
            writer.write(bytes(4))
            return await reader.readuntil(b"\0")
        except ConnectionError:  # it may answer before it has read all
            return await reader.readuntil(b"\0")
        finally:
            writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._address.startswith("/"):
            return await asyncio.open_unix_connection(self._address, limit=ANSWER_OCTETS)
        host, _, port = self._address.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port), limit=ANSWER_OCTETS)

    def _tell(self, verdict: Verdict) -> None:
        """Once when it goes, once when it is back."""
        if isinstance(verdict, Absent) and not self._absent:
            log.error("antivirus_absent", why=verdict.why)
        elif not isinstance(verdict, Absent) and self._absent:
            log.info("antivirus_back")
        self._absent = isinstance(verdict, Absent)


async def _pieces(content: PreparedBlob) -> AsyncIterator[bytes]:
    """From memory, or from the disk in a thread."""
    for at in range(0, content.ref.size, PIECE):
        yield await asyncio.to_thread(content.read, at, PIECE) if content.on_disk else content.read(at, PIECE)


async def _zeros(octets: int) -> AsyncIterator[bytes]:
    for at in range(0, octets, PIECE):
        yield bytes(min(PIECE, octets - at))


def verdict_of(answer: bytes) -> Verdict:
    """`stream: OK`, `stream: NAME FOUND`, `… ERROR`."""
    text = answer.rstrip(b"\0\r\n").decode("ascii", "replace")
    said = text.removeprefix("stream: ")
    if said == "OK":
        return Clean()
    if said.endswith(" FOUND"):
        return Infected(said.removesuffix(" FOUND"))
    return Absent(text)


async def largest(address: str, octets: int, seconds: float) -> Verdict:
    """What the daemon says of so many zeros: nothing but its limits can be in the way."""
    try:
        async with asyncio.timeout(seconds):
            return verdict_of(await Clamd(address, seconds).stream(_zeros(octets)))
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as fault:
        return Absent(type(fault).__name__)

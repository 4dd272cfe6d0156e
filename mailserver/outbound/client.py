"""The client's side of one SMTP connection: lines out, replies in (RFC 5321 4.2), several commands at once when the peer
announces PIPELINING (RFC 2920), the limits it announces (RFC 9422). Knows no mail: who is told what is `courier`'s.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import cast

from OpenSSL import SSL

from certs.tls_switch import start_tls_client
from certs.tls_transport import TlsTransport

STEP = 60.0  # seconds for one reply
MAX_REPLY = 64 * 1024  # octets of one reply, and of replies not read yet
SLICE = 64 * 1024  # octets given to the transport at once: what is not sent yet stays small

NO_LIMIT = 1_000_000  # above all that can be announced

_LINE = re.compile(rb"([2-5]\d\d)([ -]?)([^\r\n]*)\r?\n")


class Lost(Exception):
    """The connection is gone, silent for too long, or speaks nonsense."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`text`: the lines without their codes; octets that are not UTF-8 as surrogates."""

    code: int
    text: str


class Client(asyncio.Protocol):
    """Made by `connect`. `extensions`: keyword in small letters -> parameters, as the last EHLO gave them."""

    def __init__(self) -> None:
        self.extensions: dict[str, str] = {}
        self.context: SSL.Context | None = None  # of its TLS
        self.mails = 0  # MAIL commands said, for MAILMAX
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    # ---------------------------------------------------------------- what the loop calls
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > MAX_REPLY:
            self.close()
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._news.set()
        self._room.set()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    # ---------------------------------------------------------------- the connection
    @property
    def is_open(self) -> bool:
        """Open and silent: a peer that said something unasked (421, as a rule) is about to leave."""
        return self._transport is not None and not self._transport.is_closing() and not self._buffer

    @property
    def tls(self) -> TlsTransport | None:
        return self._transport if isinstance(self._transport, TlsTransport) else None

    @property
    def may_go_on(self) -> bool:
        """Whether the peer takes one message more on this connection, for any domain."""
        return self.mails < self.limit("MAILMAX") and self.limit("RCPTDOMAINMAX") == NO_LIMIT

    def limit(self, name: str) -> int:
        return limits(self.extensions.get("limits", "")).get(name, NO_LIMIT)

    def leave(self) -> None:
        """QUIT (RFC 5321 4.1.1.10), between two messages only; what the peer says to it changes nothing."""
        if self.is_open:
            self._open().write(b"QUIT\r\n")
        self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def start_tls(self, context: SSL.Context, host: str) -> None:
        """Octets that came with the 220 were sent before TLS by anybody: the connection is given up (RFC 3207 section 6)."""
        if not self.is_open:
            raise Lost
        loop, name = asyncio.get_running_loop(), "" if _is_address(host) else host
        self._transport = await start_tls_client(loop, self._open(), self, context, name, STEP)
        self.context = context
        self.extensions = {}

    # ---------------------------------------------------------------- the conversation
    async def hello(self, name: str) -> Reply:
        [reply] = await self.ask([f"EHLO {name}".encode()])
        if reply.code == 250:
            words = [line.partition(" ") for line in reply.text.split("\n")[1:]]
            self.extensions = {keyword.lower(): parameters.strip() for keyword, _, parameters in words}
        return reply

    async def ask(self, commands: Sequence[bytes]) -> list[Reply]:
        """One reply for each, in order; all are sent at once when the peer allows it."""
        if any(b"\r" in command or b"\n" in command for command in commands):
            raise ValueError("a command is one line")
        if "pipelining" in self.extensions:
            await self.send(b"".join(command + b"\r\n" for command in commands))
            return [await self.reply() for _ in commands]
        replies = []
        for command in commands:
            await self.send(command + b"\r\n")
            replies.append(await self.reply())
        return replies

    async def send(self, octets: bytes) -> None:
        """Waits for a slow peer, slice by slice."""
        view = memoryview(octets)
        for start in range(0, len(view), SLICE):
            await self._within(self._room, STEP)
            self._open().write(view[start : start + SLICE])

    async def reply(self, seconds: float = STEP) -> Reply:
        lines: list[str] = []
        octets = 0
        while True:
            end = self._buffer.find(b"\n") + 1
            if end:
                found = _LINE.fullmatch(bytes(self._buffer[:end]))
                del self._buffer[:end]
                octets += end
                if found is None or octets > MAX_REPLY:
                    raise Lost
                lines.append(found[3].decode("utf-8", "surrogateescape"))
                if found[2] != b"-":
                    return Reply(int(found[1]), "\n".join(lines))
            else:
                self._open()
                self._news.clear()
                await self._within(self._news, seconds)

    async def _within(self, event: asyncio.Event, seconds: float) -> None:
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            raise Lost from None

    def _open(self) -> asyncio.Transport:
        if self._transport is None:
            raise Lost
        return self._transport


_LIMIT = re.compile(r"([A-Z0-9_-]+)(?:=([!-:<-~]+))?", re.IGNORECASE)


def limits(parameter: str) -> dict[str, int]:
    """RFC 9422 3 and 4: a fault of form voids all of it, a value that is no number its own limit only (3.7)."""
    pairs = [_LIMIT.fullmatch(one) for one in parameter.split()]
    found = {}
    for pair in pairs:
        if pair is None:
            return {}
        if re.fullmatch("[1-9][0-9]{0,5}", pair[2] or ""):
            found[pair[1].upper()] = int(pair[2])
    return found


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def connect(host: str, port: int) -> tuple[Client, Reply]:
    """A connection and its greeting; raises `Lost` or `OSError`."""
    loop = asyncio.get_running_loop()
    try:
        _, client = await asyncio.wait_for(loop.create_connection(Client, host, port), STEP)
    except TimeoutError:
        raise Lost from None
    try:
        return client, await client.reply()
    except BaseException:
        client.close()
        raise

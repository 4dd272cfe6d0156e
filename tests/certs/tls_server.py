"""A tiny SMTP-like server over the TLS adapter, and its clients: the `ssl` module, smtplib."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from certs.authority import Issued
from certs.chain import Trusted
from certs.contexts import asking_context
from certs.tls_session import TlsError
from certs.tls_switch import start_tls_server, tls_server_factory
from certs.tls_transport import TlsTransport
from foundation.clock import system_clock


class Door(asyncio.Protocol):
    """A tiny SMTP-like server: lines in, replies out; STARTTLS switches; DATA n reads n bytes and counts them."""

    def __init__(self, context: object, judge: Callable[[TlsTransport], str], seconds: float = 5.0) -> None:
        self.context, self.judge, self.seconds = context, judge, seconds
        self.buffer = b""
        self.body = -1
        self.seen = 0
        self.lost: list[BaseException | None] = []
        self.ends = 0
        self.error: TlsError | None = None
        self.tls: TlsTransport | None = None
        self.writing = asyncio.Event()
        self.writing.set()
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(b"220 ready\r\n")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost.append(exc)

    def eof_received(self) -> bool:
        self.ends += 1
        return False

    def pause_writing(self) -> None:
        self.writing.clear()

    def resume_writing(self) -> None:
        self.writing.set()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._work()

    def _work(self) -> None:
        while True:
            if self.body >= 0:
                taken = min(self.body - self.seen, len(self.buffer))
                self.seen += taken
                self.buffer = self.buffer[taken:]
                if self.seen < self.body:
                    return
                self.body = -1
                self.transport.write(b"250 %d bytes\r\n" % self.seen)
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                return
            self.buffer = rest
            self._command(line)

    def _command(self, line: bytes) -> None:
        verb, _, argument = line.partition(b" ")
        match verb.upper():
            case b"STARTTLS":
                self._spawn(self._switch())
            case b"EHLO":
                self.transport.write(b"250-door\r\n250 STARTTLS\r\n")
            case b"MAIL":
                assert self.tls is not None
                self.transport.write(self.judge(self.tls).encode() + b"\r\n")
            case b"COUNT":
                self.body, self.seen = int(argument), 0
            case b"GIVE":
                self._spawn(self._give(int(argument)))
            case b"QUIT":
                self.transport.write(b"221 bye\r\n")
                self.transport.close()
            case b"RSET" | b"NOOP":
                self.transport.write(b"250 ok\r\n")
            case _:
                self.transport.write(b"500 what\r\n")

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)

    async def _switch(self) -> None:
        assert not isinstance(self.transport, TlsTransport)
        try:
            self.tls = await start_tls_server(
                asyncio.get_running_loop(), self.transport, self, self.context,  # type: ignore[arg-type]
                reply=b"220 go\r\n", handshake_seconds=self.seconds,
            )  # fmt: skip
        except TlsError as error:
            self.error = error
            return
        assert self.buffer == b"", "no byte of TLS reached the application before the switch"
        self.transport = self.tls

    async def _give(self, size: int) -> None:
        piece = bytes(65536)
        while size > 0:
            await self.writing.wait()
            self.transport.write(piece[:size])
            size -= len(piece)


class Server:
    def __init__(self, port: int, doors: list[Door]) -> None:
        self.port, self.doors = port, doors

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.01)


def judged(world: object) -> Callable[[TlsTransport], str]:
    def judge(transport: TlsTransport) -> str:
        verdict = world.store().judge(  # type: ignore[attr-defined]
            transport.get_extra_info("peercert_der"), transport.get_extra_info("peer_chain_der"), system_clock()
        )
        return f"250 {verdict.dn}" if isinstance(verdict, Trusted) else f"550 5.7.1 {verdict.fault.en}"

    return judge


@asynccontextmanager
async def serving(
    world: object, folder: Path, *, implicit: bool = False, seconds: float = 5.0
) -> AsyncIterator[Server]:
    context = asking_context(world.identity(folder))  # type: ignore[attr-defined]
    doors: list[Door] = []

    def make() -> Door:
        doors.append(Door(context, judged(world), seconds))
        return doors[-1]

    loop = asyncio.get_running_loop()
    factory = tls_server_factory(loop, make, lambda: context, seconds) if implicit else make
    server = await loop.create_server(factory, "127.0.0.1", 0)
    try:
        yield Server(server.sockets[0].getsockname()[1], doors)
    finally:
        server.close()


def client_context(world: object, folder: Path, issued: Issued | None = None, *, tls12: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(world.anchors(folder)))  # type: ignore[attr-defined]
    context.check_hostname = False
    if issued is not None:
        certificate, key = issued.write(folder, "client")
        context.load_cert_chain(certificate, key)
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def mail(port: int, context: ssl.SSLContext) -> tuple[int, str]:
    with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
        client.starttls(context=context)
        code, text = client.docmd("MAIL", "FROM:<a@b.example>")
        return code, text.decode()

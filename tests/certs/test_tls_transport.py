"""The TLS adapter against clients nobody here wrote: the `ssl` module, smtplib, openssl s_client; on uvloop and on asyncio."""

from __future__ import annotations

import asyncio
import os
import smtplib
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from certs.authority import Issued
from certs.chain import Fault, Trusted
from certs.contexts import asking_context
from certs.profiles import operator_subject
from certs.times import to_datetime
from certs.tls_session import TlsError, TlsSession
from certs.tls_transport import TlsTransport, start_tls_server, tls_server_factory
from foundation.clock import DAY, system_clock

NOW = system_clock()
SUBJECT = operator_subject("mx.un.example", "344368557300034", "OPÉRATEUR UN", "Bouches-du-Rhône (13)")


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
        self.tasks.add(task)  # type: ignore[arg-type]

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


CASES = [
    ("good", 250, "CN=mx.un.example,OU=344368557300034,O=OPÉRATEUR UN,ST=Bouches-du-Rhône (13),C=FR"),
    (None, 550, Fault.MISSING.en),
    ("expired", 550, Fault.EXPIRED.en),
    ("future", 550, Fault.NOT_YET_VALID.en),
    ("revoked", 550, Fault.REVOKED.en),
    ("stranger", 550, Fault.UNTRUSTED.en),
    ("selfsigned", 550, Fault.UNTRUSTED.en),
]


@pytest.mark.parametrize("tls12", [False, True])
@pytest.mark.parametrize(("peer", "code", "text"), CASES)
async def test_every_certificate_gets_a_reply(
    world: object, tmp_path: Path, peer: str | None, code: int, text: str, tls12: bool
) -> None:
    issued = world.other.root if peer == "selfsigned" else getattr(world, peer) if peer else None  # type: ignore[attr-defined]
    async with serving(world, tmp_path) as server:
        context = client_context(world, tmp_path, issued, tls12=tls12)
        got = await asyncio.to_thread(mail, server.port, context)
        assert got[0] == code
        assert got[1].endswith(text)
        await server.until(lambda: server.doors[0].lost != [])
        assert server.doors[0].lost == [None], "connection_lost exactly once"


@pytest.mark.parametrize("tls12", [False, True])
async def test_a_weak_key_gets_a_reply_too(world: object, tmp_path: Path, tls12: bool) -> None:
    """OpenSSL's security level would drop the handshake."""
    key = rsa.generate_private_key(65537, 1024)
    authority: Issued = world.ours.intermediate  # type: ignore[attr-defined]
    builder = x509.CertificateBuilder(authority.certificate.subject, SUBJECT, key.public_key(), 77)
    start, end = to_datetime(NOW - DAY), to_datetime(NOW + DAY)
    weak = builder.not_valid_before(start).not_valid_after(end).sign(authority.key, hashes.SHA256())
    async with serving(world, tmp_path) as server:
        context = client_context(world, tmp_path, tls12=tls12)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(*Issued(weak, key, (authority.certificate,)).write(tmp_path, "weak"))
        got = await asyncio.to_thread(mail, server.port, context)
        assert got == (550, f"5.7.1 {Fault.WEAK.en}")


async def test_what_the_peer_sent_can_be_read(world: object, tmp_path: Path) -> None:
    good: Issued = world.good  # type: ignore[attr-defined]
    async with serving(world, tmp_path) as server:
        await asyncio.to_thread(mail, server.port, client_context(world, tmp_path, good))
        tls = server.doors[0].tls
        assert tls is not None
        assert x509.load_der_x509_certificate(tls.get_extra_info("peercert_der")) == good.certificate
        assert tuple(map(x509.load_der_x509_certificate, tls.get_extra_info("peer_chain_der"))) == good.chain
        assert tls.get_extra_info("cipher")[1] == "TLSv1.3"
        assert tls.get_extra_info("peername")[0] == "127.0.0.1"


async def test_resumption_is_refused_so_that_the_chain_is_always_there(world: object, tmp_path: Path) -> None:
    def twice(port: int) -> list[tuple[bool, bytes]]:
        replies, session = [], None
        for _ in range(2):
            plain = socket.create_connection(("127.0.0.1", port), 5)
            plain.recv(100)
            plain.sendall(b"STARTTLS\r\n")
            plain.recv(100)
            with context.wrap_socket(plain, session=session) as secured:
                secured.sendall(b"MAIL FROM:<>\r\n")
                replies.append((bool(secured.session_reused), secured.recv(300)))
                session = secured.session
        return replies

    for tls12 in (False, True):
        context = client_context(world, tmp_path, world.good, tls12=tls12)  # type: ignore[attr-defined]
        async with serving(world, tmp_path) as server:
            for reused, reply in await asyncio.to_thread(twice, server.port):
                assert not reused
                assert reply.startswith(b"250 CN=mx.un.example")


async def test_openssl_client(world: object, tmp_path: Path) -> None:
    world.good.write(tmp_path, "client")  # type: ignore[attr-defined]
    world.anchors(tmp_path)  # type: ignore[attr-defined]
    async with serving(world, tmp_path) as server:
        process = await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{server.port}", "-quiet", "-crlf",
            "-verify_return_error", "-CAfile", "anchors.pem",
            "-cert", "client.pem", "-key", "client.key", "-cert_chain", "client.pem",
            cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(b"MAIL FROM:<a@b.example>\nQUIT\n"), 10)
    assert b"250 CN=mx.un.example" in out
    assert b"221 bye" in out


@pytest.mark.parametrize("implicit", [False, True])
async def test_much_data_both_ways_with_a_slow_reader(world: object, tmp_path: Path, implicit: bool) -> None:
    size = 20_000_000

    def exchange(port: int) -> tuple[bytes, int]:
        plain = socket.create_connection(("127.0.0.1", port), 10)
        if not implicit:
            plain.recv(100)
            plain.sendall(b"STARTTLS\r\n")
            plain.recv(100)
        with client_context(world, tmp_path).wrap_socket(plain) as secured:
            if implicit:
                assert secured.recv(100) == b"220 ready\r\n"
            secured.sendall(b"COUNT %d\r\n" % size)
            secured.sendall(os.urandom(1000) * (size // 1000))
            reply = secured.recv(100)
            secured.sendall(b"GIVE %d\r\n" % size)
            got = 0
            threading.Event().wait(0.3)  # the server must wait, not fill its memory
            while got < size:
                got += len(secured.recv(65536))
            return reply, got

    async with serving(world, tmp_path, implicit=implicit) as server:
        worst = 0

        async def watch() -> None:
            nonlocal worst
            while True:
                await asyncio.sleep(0.01)
                for door in server.doors:
                    worst = max(worst, door.transport.get_write_buffer_size())

        watcher = asyncio.create_task(watch())
        reply, got = await asyncio.to_thread(exchange, server.port)
        watcher.cancel()
        assert reply == b"250 %d bytes\r\n" % size
        assert got == size
        assert worst < 400_000, "write flow control: the buffer stays near its limit"


async def test_pause_reading_stops_delivery_and_loses_nothing(world: object, tmp_path: Path) -> None:
    received = bytearray()
    made: asyncio.Future[TlsTransport] = asyncio.get_running_loop().create_future()
    ended = asyncio.Event()

    class Sink(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, TlsTransport)
            transport.pause_reading()
            transport.pause_reading()  # idempotent
            made.set_result(transport)

        def data_received(self, data: bytes) -> None:
            received.extend(data)
            if len(received) < 300_000:
                sink.pause_reading()
                asyncio.get_running_loop().call_later(0.005, sink.resume_reading)

        def eof_received(self) -> None:
            ended.set()

    def send(port: int) -> None:
        with client_context(world, tmp_path).wrap_socket(socket.create_connection(("127.0.0.1", port), 5)) as secured:
            secured.settimeout(5)
            secured.sendall(payload)
            secured.unwrap()

    payload = os.urandom(1_000_000)
    context = asking_context(world.identity(tmp_path))  # type: ignore[attr-defined]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(tls_server_factory(loop, Sink, lambda: context), "127.0.0.1", 0)
    async with server:
        sending = asyncio.create_task(asyncio.to_thread(send, server.sockets[0].getsockname()[1]))
        sink = await asyncio.wait_for(made, 5)
        await asyncio.sleep(0.2)
        assert received == b""
        assert not sink.is_reading()
        sink.resume_reading()
        await asyncio.wait_for(ended.wait(), 10)
        assert received == payload
        await sending


async def test_bytes_one_by_one(world: object, tmp_path: Path) -> None:
    """Partial records: a client whose every segment is one byte."""

    def drip(port: int) -> bytes:
        plain = socket.create_connection(("127.0.0.1", port), 5)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.recv(100)
        plain.sendall(b"STARTTLS\r\n")
        plain.recv(100)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context(world, tmp_path, world.good).wrap_bio(incoming, outgoing)  # type: ignore[attr-defined]

        def step(action: Callable[[], object]) -> object:
            while True:
                try:
                    return action()
                except ssl.SSLWantReadError:
                    pass
                finally:
                    for byte in outgoing.read():
                        plain.sendall(bytes([byte]))
                incoming.write(plain.recv(65536))

        step(tls.do_handshake)
        step(lambda: tls.write(b"NOOP\r\nMAIL FROM:<>\r\n"))
        reply = b""
        while reply.count(b"\n") < 2:
            reply += step(lambda: tls.read(1000))  # type: ignore[operator]
        plain.close()
        return reply

    async with serving(world, tmp_path) as server:
        reply = await asyncio.to_thread(drip, server.port)
        assert reply.startswith(b"250 ok\r\n250 CN=mx.un.example")
        await server.until(lambda: server.doors[0].lost != [])
        assert server.doors[0].ends == 1, "the end without close_notify is an end"


BAD_HELLOS = [
    (b"GET / HTTP/1.1\r\n\r\n", "http request"),
    (bytes(600), "wrong version number"),
    (b"\x16\x03\x01\x00\x05hello", "unexpected message"),
    (b"", "connection closed during handshake"),
]


@pytest.mark.parametrize(("hello", "reason"), BAD_HELLOS)
async def test_a_bad_handshake_closes_and_says_why(world: object, tmp_path: Path, hello: bytes, reason: str) -> None:
    def spoil(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            plain.recv(100)
            plain.sendall(b"STARTTLS\r\n")
            plain.recv(100)
            plain.sendall(hello)
            plain.shutdown(socket.SHUT_WR)
            while plain.recv(1000):
                pass

    async with serving(world, tmp_path) as server:
        await asyncio.to_thread(spoil, server.port)
        door = server.doors[0]
        await server.until(lambda: door.lost != [] and door.error is not None)
        assert len(door.lost) == 1
        assert str(door.error) == reason


async def test_a_silent_client_is_dropped_after_the_handshake_time(world: object, tmp_path: Path) -> None:
    def wait(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            plain.recv(100)
            plain.sendall(b"STARTTLS\r\n")
            plain.recv(100)
            return plain.recv(100)

    async with serving(world, tmp_path, seconds=0.2) as server:
        assert await asyncio.to_thread(wait, server.port) == b""
        await server.until(lambda: server.doors[0].error is not None)
        assert str(server.doors[0].error) == "handshake timeout"


async def test_old_protocol_versions_are_refused(world: object, tmp_path: Path) -> None:
    context = client_context(world, tmp_path)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(world, tmp_path) as server:
        with pytest.raises(ssl.SSLError):
            await asyncio.to_thread(mail, server.port, context)
        await server.until(lambda: server.doors[0].error is not None)


async def test_cancelling_the_switch_closes_the_connection(world: object, tmp_path: Path) -> None:
    def hang(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            plain.recv(100)
            plain.sendall(b"STARTTLS\r\n")
            plain.recv(100)
            try:
                return plain.recv(100)
            except ConnectionResetError:
                return b""

    async with serving(world, tmp_path) as server:
        client = asyncio.create_task(asyncio.to_thread(hang, server.port))
        await server.until(lambda: bool(server.doors and server.doors[0].tasks))
        await asyncio.sleep(0.05)
        for task in server.doors[0].tasks:
            task.cancel()
        assert await asyncio.wait_for(client, 5) == b""


async def test_key_updates_are_answered(world: object, tmp_path: Path) -> None:
    """`K` makes s_client ask for new keys both ways (RFC 8446 4.6.3)."""
    async with serving(world, tmp_path) as server:
        process = await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{server.port}", "-crlf", "-tls1_3",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        for line in (b"NOOP\n", b"K\n", b"NOOP\n", b"K\n", b"quit\n"):  # Q alone at the start would be for s_client
            await asyncio.sleep(0.15)
            process.stdin.write(line)
        out, err = await asyncio.wait_for(process.communicate(), 10)
    assert b"KEYUPDATE" in err
    assert out.count(b"250 ok") == 2
    assert b"221 bye" in out


async def test_a_flood_of_key_updates_is_cut(world: object, tmp_path: Path) -> None:
    """The peer reads nothing: answers must not fill our memory."""

    class Raw(asyncio.Transport):
        waiting, closed = 0, False

        def write(self, data: bytes | bytearray | memoryview) -> None:
            self.waiting += len(data)

        def get_write_buffer_size(self) -> int:
            return self.waiting

        def is_closing(self) -> bool:
            return self.closed

        def is_reading(self) -> bool:
            return True

        def close(self) -> None:
            self.closed = True

        def abort(self) -> None:
            self.closed = True

    class Updating(TlsSession):
        def __init__(self) -> None:
            """No TLS: all that is received is key updates to answer."""

        def receive(self, data: bytes) -> None: ...

        def read(self, limit: int = 0) -> None:
            return None

        def outgoing(self) -> bytes:
            return bytes(1000)

        def close(self) -> None: ...

    raw = Raw()
    context = asking_context(world.identity(tmp_path))  # type: ignore[attr-defined]
    factory = tls_server_factory(asyncio.get_running_loop(), asyncio.Protocol, lambda: context)
    wire = factory()
    wire.connection_made(raw)
    wire._shaken = wire._ready = True  # type: ignore[attr-defined]
    wire.session = Updating()  # type: ignore[attr-defined]
    for _ in range(2000):
        wire.data_received(b"key update")
    assert raw.closed
    assert raw.waiting < 1_100_000
    wire.connection_lost(None)


def test_corrupted_record_fails_the_session(world: object, tmp_path: Path) -> None:
    session = TlsSession(asking_context(world.identity(tmp_path)))  # type: ignore[attr-defined]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context(world, tmp_path).wrap_bio(incoming, outgoing)
    done = False
    while not done:
        try:
            client.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            pass
        session.receive(outgoing.read())
        shaken = session.handshake()
        incoming.write(session.outgoing())
    assert shaken
    client.write(b"good")
    good = outgoing.read()
    client.write(b"spoiled")
    spoiled = bytearray(outgoing.read())
    spoiled[-1] ^= 1
    session.receive(good + bytes(spoiled))
    assert session.read() == b"good", "what came before the bad record is not lost"
    with pytest.raises(TlsError):
        session.read()
    with pytest.raises(TlsError):
        session.read()

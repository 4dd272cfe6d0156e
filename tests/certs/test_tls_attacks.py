"""What the TLS adapter refuses and cuts: bad handshakes, silence, old versions, floods of key updates."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from certs.contexts import asking_context
from certs.tls_session import TlsError, TlsSession
from certs.tls_switch import tls_server_factory
from tests.certs.tls_server import client_context, mail, serving

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


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
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

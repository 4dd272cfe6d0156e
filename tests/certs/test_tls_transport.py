"""What goes through the TLS adapter: much data, slow readers, single octets. On uvloop and on asyncio."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from certs.contexts import asking_context
from certs.tls_switch import tls_server_factory
from certs.tls_transport import TlsTransport
from tests.certs.tls_server import client_context, serving


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

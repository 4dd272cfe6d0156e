"""The web door's limits, over real sockets: a head that never ends, one without end, too many connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from runtime import web_connection
from runtime.web_connection import HEAD_OCTETS, WebConnection

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def size(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(web_connection, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(web_connection, "BODY_SECONDS", 0.6)
    sock = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/", size, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, http=WebConnection, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:
        await asyncio.sleep(0.005)
    yield sock.getsockname()[1]
    server.should_exit = True
    await task


async def is_cut(reader: asyncio.StreamReader, within: float = 3.0) -> bool:
    try:
        async with asyncio.timeout(within):
            while await reader.read(65_536):
                pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    "said", [b"", b"\r\n", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n", GET + b"\r\n", GET + b"GET"]
)
async def test_half_a_request_does_not_hold_a_connection(port: int, said: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    assert await is_cut(reader, within=8.0)
    writer.close()


async def test_a_trickle_does_not_prolong_it(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    cut = asyncio.create_task(is_cut(reader))
    for octet in b"GET /" + b"a" * 100:
        if cut.done():
            break
        writer.write(bytes([octet]))
        await asyncio.sleep(0.05)
    assert cut.done()
    assert cut.result()
    writer.close()


async def test_a_header_without_end_is_cut(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nX: " + b"a" * (2 * HEAD_OCTETS))
    assert await is_cut(reader, within=0.25), "before its time is over"
    writer.close()


async def test_a_body_that_never_ends_is_cut(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
    assert await is_cut(reader)
    writer.close()


async def test_one_connection_too_many_is_cut(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_connection, "CONNECTIONS", 1)
    first, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(0.05)
    second, other = await asyncio.open_connection("127.0.0.1", port)
    assert await is_cut(second, within=0.2)
    writer.write(GET)
    assert (await first.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()
    other.close()


async def test_requests_of_one_connection_pass(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b"a" * 5_000_000
    for _ in range(3):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(7) == b"5000000"
        await asyncio.sleep(0.4)
    writer.close()

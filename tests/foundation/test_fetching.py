"""Fetching over real sockets: bounded in size and time, and every fault is a value."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.fetching import NotFetched, fetch
from tests.support.http_server import HttpServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpServer]:
    with HttpServer(tmp_path) as found:
        yield found


async def test_a_document_is_fetched_and_one_is_posted(server: HttpServer) -> None:
    server.give("/list", b"x" * 1000)
    assert await fetch(f"{server.url}/list", 1000) == b"x" * 1000
    server.answers["/ask"] = lambda body: (200, {}, body[::-1])
    assert await fetch(f"{server.url}/ask", 1000, post=("text/plain", b"abc")) == b"cba"


async def test_what_goes_wrong_is_a_value(server: HttpServer) -> None:
    server.give("/large", b"x" * 1001)
    server.give("/bomb", gzip.compress(b"x" * 10_000_000), Content_Encoding="gzip")
    server.give("/elsewhere", b"", 302, Location=f"{server.url}/large")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for url, reason in (
            (f"{server.url}/large", "more than 1000 octets"),
            (f"{server.url}/bomb", "more than 1000 octets"),
            (f"{server.url}/elsewhere", "status 302"),
            (f"{server.url}/nothing", "status 404"),
            ("http://127.0.0.1:1/", "connection"),
            (server.url.replace("http:", "https:"), "SSL"),
            ("ftp://127.0.0.1/", "protocol"),
            (f"http://127.0.0.1:{silent.getsockname()[1]}/", "no answer in time"),
        ):
            found = await fetch(url, 1000, seconds=1)
            assert isinstance(found, NotFetched), url
            assert reason in str(found), url

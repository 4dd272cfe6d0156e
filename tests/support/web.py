"""A real uvicorn on a free loopback port, and a small browser without JavaScript over http.client."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import uvicorn
from starlette.types import ASGIApp

from tests.support.html import Html, plain


class Prompt(uvicorn.Server):
    """Leaves as soon as it is told to: uvicorn's own takes two tenths of a second, at each of hundreds of tests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.leave = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.leave.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """`http://127.0.0.1:port` for as long as the block lasts; `port` 0: a free one."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off", ws="none")
    server = Prompt(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.leave.set()
        await task


@dataclass
class Answer(Html):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def location(self) -> str:
        return self.headers["location"] or ""

    def title(self) -> str:
        return plain(self.first("title").text())


class Visitor:
    """Keeps cookies, follows no redirect, runs no script; the blocking client runs in a thread."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.host = origin.removeprefix("http://")
        self.cookies: dict[str, str] = {}

    async def get(self, path: str, **headers: str) -> Answer:
        return await asyncio.to_thread(self._ask, "GET", path, None, headers)

    async def follow(self, answer: Answer) -> Answer:
        assert answer.status == 303, (answer.status, answer.text[:2000])
        return await self.get(answer.location)

    async def post(self, path: str, values: dict[str, str], token: str | None = None, **headers: str) -> Answer:
        """`token` None: taken from the page at `path`."""
        if token is None:
            token = await self.token(path)
        body = urlencode({"_csrf": token, **values}).encode()
        headers.setdefault("content_type", "application/x-www-form-urlencoded")
        return await asyncio.to_thread(self._ask, "POST", path, body, headers)

    async def upload(
        self, path: str, values: dict[str, str], files: list[tuple[str, str, str, bytes]], token: str | None = None
    ) -> Answer:
        """`files`: (field, file name, media type, content)."""
        if token is None:
            token = await self.token(path)
        boundary = secrets.token_hex(12)
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in {"_csrf": token, **values}.items()
        ]
        for field, name, kind, content in files:
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
            parts.append(f"{head}Content-Type: {kind}\r\n\r\n".encode() + content + b"\r\n")
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
        return await asyncio.to_thread(self._ask, "POST", path, body, headers)

    async def token(self, path: str) -> str:
        page = await self.get(path)
        node = page.tree.css_first("main input[name=_csrf]") or page.tree.css_first("input[name=_csrf]")
        assert node is not None, (page.status, page.location, page.words[:500])
        return node.attributes["value"] or ""

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if method == "POST":
            sent.setdefault("origin", self.origin)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        for cookie in answer.headers.get_all("set-cookie") or []:
            name, _, rest = cookie.partition("=")
            self.cookies[name] = rest.split(";")[0].strip('"')
        return answer

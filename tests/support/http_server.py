"""A real HTTP or HTTPS server on loopback that answers what a test tells it to."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from certs.authority import Issued

Answer = tuple[int, dict[str, str], bytes]


class HttpServer:
    """`answers`: path -> (status, headers, body), or a function of the request's body. `asked`: paths, in order."""

    def __init__(self, folder: Path, certificate: Issued | None = None) -> None:
        self.answers: dict[str, Answer | Callable[[bytes], Answer]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self, b"")

            def do_POST(self) -> None:
                outer._answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate is not None:
            scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate.write(folder, "web"))
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def give(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        self.answers[path] = (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self.asked.append(request.path)
        answer = self.answers.get(request.path, (404, {}, b""))
        status, headers, out = answer(body) if callable(answer) else answer
        request.send_response(status)
        for name, value in {"Content-Length": str(len(out)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(out)

    def __enter__(self) -> HttpServer:
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

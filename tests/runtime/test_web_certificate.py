"""The certificate of the pages is renewed without a restart, and a bad one is not taken up."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

from cryptography import x509
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from certs.authority import Authority, Issued
from certs.profiles import OPERATOR, operator_subject
from foundation.clock import MINUTE, system_clock
from runtime.doors import open_web


async def test_the_pages_follow_their_certificate(tmp_path: Path) -> None:
    now = system_clock()
    ca, subject = Authority.create(now), operator_subject("pages.example", "1", "X", "Y")

    def issue() -> Issued:
        issued = ca.issue(OPERATOR, subject, now)
        issued.write(tmp_path, "web")
        return issued

    first = issue()
    trust = ssl.create_default_context(cadata=ca.root.certificate_pem().decode())
    sock = socket.create_server(("127.0.0.1", 0))
    port, time = sock.getsockname()[1], [now]

    async def shown(name: str | None) -> tuple[int, bytes]:
        """(serial number of the certificate, last line of the answer)"""
        trust.check_hostname = name is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname=name or "")
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        der = writer.get_extra_info("ssl_object").getpeercert(True)
        answer = await reader.read()
        writer.close()
        return x509.load_der_x509_certificate(der).serial_number, answer.rpartition(b"\n")[2]

    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("bonjour"))])
    close = await open_web(app, sock, tmp_path / "web.pem", tmp_path / "web.key", lambda: time[0])
    try:
        assert await shown("pages.example") == (first.certificate.serial_number, b"bonjour")
        second = issue()
        time[0] += MINUTE
        for name in ("pages.example", None):
            assert await shown(name) == (second.certificate.serial_number, b"bonjour")
        (tmp_path / "web.pem").write_bytes(b"half")
        time[0] += MINUTE
        assert await shown("pages.example") == (second.certificate.serial_number, b"bonjour")
    finally:
        await close()

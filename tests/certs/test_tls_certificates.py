"""Whose certificate it is, over TLS: every client gets a reply. Clients nobody here wrote, on uvloop and on asyncio."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from certs.authority import Issued
from certs.chain import Fault
from certs.profiles import operator_subject
from certs.times import to_datetime
from foundation.clock import DAY, system_clock
from tests.certs.tls_server import client_context, mail, serving

NOW = system_clock()
SUBJECT = operator_subject("mx.un.example", "344368557300034", "OPÉRATEUR UN", "Bouches-du-Rhône (13)")


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

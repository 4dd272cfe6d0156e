"""TLS contexts of the doors and of the relay: versions and suites in one place, after the ANSSI guide on TLS (TLS 1.2
and 1.3, ECDHE, AEAD).

`asking_context` and `relay_context` accept every certificate on purpose: their judge speaks after the handshake, so that
a peer reads a reply and not a dropped connection, and we know why we send nothing. Every other context verifies, or asks for
nothing. Host names are never checked: peers are known by their DN.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

SUITES_12 = ":".join(
    f"ECDHE-{signature}-{cipher}"
    for cipher in ("AES256-GCM-SHA384", "AES128-GCM-SHA256", "CHACHA20-POLY1305")
    for signature in ("ECDSA", "RSA")
)
SUITES_13 = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"


@dataclass(frozen=True, slots=True)
class Identity:
    """Our own certificate: PEM files, the leaf followed by its chain, and the key."""

    certificate: Path
    key: Path

    @property
    def files(self) -> tuple[Path, Path]:
        return self.certificate, self.key


Staple = Callable[[int], bytes]
"""Serial number of our certificate -> the OCSP answer to show with it, b"" when there is none."""


def asking_context(identity: Identity, staple: Staple | None = None) -> SSL.Context:
    """For the MX, and for mail clients that may have a certificate: asks for it, and finishes the handshake whatever it is, or
    without one.

    No resumption: a resumed session does not carry the chain that the judge needs. Raises OSError, `OpenSSL.SSL.Error`.
    """
    context = server_context(identity, staple)
    context.set_verify(SSL.VERIFY_PEER, _accept)
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return context


def server_context(identity: Identity, staple: Staple | None = None) -> SSL.Context:
    """pyOpenSSL context for mail clients (IMAP, submission), no client certificate; `staple` is asked when a client wants to see
    that ours is not revoked (RFC 6066 8). Raises OSError, ValueError, `OpenSSL.SSL.Error`.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_cipher_list(SUITES_12.encode())
    context.set_tls13_ciphersuites(SUITES_13.encode())
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # 25 instead of 45 KiB for an idle connection (measured)
    _identify(context, identity)
    if staple is not None:
        serial = x509.load_pem_x509_certificates(identity.certificate.read_bytes())[0].serial_number
        context.set_ocsp_server_callback(lambda _connection, _data: staple(serial))
    return context


@implementer(IOpenSSLServerConnectionCreator)
class TwistedContextFactory:
    """For Twisted's `startTLS`, `listenSSL` and TLS endpoints; `current` (a `Rotating.get`) is asked for each connection."""

    def __init__(self, current: Callable[[], SSL.Context]) -> None:
        self._current = current

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        return SSL.Connection(self._current(), None)


def relay_context(identity: Identity) -> SSL.Context:
    """Client context towards other operators, with our certificate. Every server's is accepted, and the answer that it staples kept
    (`TlsSession.stapled`): after the handshake the caller must judge with `OcspClient.judge` (chain, dates, usage, revocation,
    DN) before it says anything. Raises OSError, `OpenSSL.SSL.Error`.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # a resumed session does not carry the chain
    context.set_cipher_list(SUITES_12.encode())
    context.set_tls13_ciphersuites(SUITES_13.encode())
    _identify(context, identity)
    context.set_verify(SSL.VERIFY_PEER, _accept)
    context.set_ocsp_client_callback(_keep_staple)
    return context


def _keep_staple(connection: SSL.Connection, answer: bytes, _data: object) -> bool:
    connection.set_app_data(answer)
    return True  # it is judged with the certificate


def _identify(context: SSL.Context, identity: Identity) -> None:
    for path in identity.files:
        path.open("rb").close()  # a missing file is an OSError, in words
    context.use_certificate_chain_file(str(identity.certificate))
    context.use_privatekey_file(str(identity.key))
    context.check_privatekey()


def web_context(identity: Identity) -> ssl.SSLContext:
    """For pages over HTTPS. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    context.load_cert_chain(identity.certificate, identity.key)
    return context


def fetch_context(authorities: Sequence[x509.Certificate]) -> ssl.SSLContext:
    """For what is fetched over HTTPS: only these authorities are believed, and the host must be named (RFC 9110 4.3.4)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=b"".join(one.public_bytes(Encoding.DER) for one in authorities))
    return context


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES_12)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


def _accept(connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, good: int) -> bool:
    return True

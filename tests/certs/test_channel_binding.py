"""Both ends of a TLS channel compute the same binding; another channel has another one."""

from __future__ import annotations

import datetime
from contextlib import suppress
from hashlib import sha384

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from certs.channel_binding import channel_binding

Hash = hashes.SHA256 | hashes.SHA384
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
NOW = datetime.datetime.now(datetime.UTC)


def channel(algorithm: Hash | None, version: int) -> tuple[SSL.Connection, SSL.Connection]:
    """Client and server, shaken hands in memory; Ed25519 when there is no hash."""
    key = ed25519.Ed25519PrivateKey.generate() if algorithm is None else ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateBuilder(
        NAME, NAME, key.public_key(), 1, NOW, NOW + datetime.timedelta(days=1)
    ).sign(key, algorithm)  # fmt: skip
    ours = SSL.Context(SSL.TLS_SERVER_METHOD)
    ours.use_certificate(made)
    ours.use_privatekey(key)
    theirs = SSL.Context(SSL.TLS_CLIENT_METHOD)
    theirs.set_max_proto_version(version)
    server, client = SSL.Connection(ours, None), SSL.Connection(theirs, None)
    server.set_accept_state()
    client.set_connect_state()
    for _ in range(3):
        for one, other in ((client, server), (server, client)):
            with suppress(SSL.WantReadError):
                one.do_handshake()
            with suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))
    return client, server


def test_tls_exporter_is_the_same_at_both_ends_and_in_no_other_channel() -> None:
    client, server = channel(hashes.SHA256(), SSL.TLS1_3_VERSION)
    bind = channel_binding(server)
    assert bind is not None
    assert bind("tls-exporter") == client.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
    _, another = channel(hashes.SHA256(), SSL.TLS1_3_VERSION)
    other = channel_binding(another)
    assert other is not None
    assert bind("tls-exporter") != other("tls-exporter")


def test_the_end_point_is_the_certificate_by_its_own_hash() -> None:
    client, server = channel(hashes.SHA384(), SSL.TLS1_3_VERSION)
    bind, seen = channel_binding(server), client.get_peer_certificate(as_cryptography=True)
    assert bind is not None
    assert seen is not None
    assert bind("tls-server-end-point") == sha384(seen.public_bytes(Encoding.DER)).digest()


def test_no_end_point_for_a_signature_without_hash() -> None:
    bind = channel_binding(channel(None, SSL.TLS1_3_VERSION)[1])
    assert bind is not None
    assert bind("tls-server-end-point") is None
    assert bind("tls-exporter") is not None


@pytest.mark.parametrize("kind", ["tls-unique", "tls-unique-for-telnet", "", "TLS-EXPORTER"])
def test_no_other_kind(kind: str) -> None:
    bind = channel_binding(channel(hashes.SHA256(), SSL.TLS1_3_VERSION)[1])
    assert bind is not None
    assert bind(kind) is None


def test_none_at_all_below_tls_1_3() -> None:
    assert channel_binding(channel(hashes.SHA256(), SSL.TLS1_2_VERSION)[1]) is None

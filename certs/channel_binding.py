"""TLS channel bindings of a server's connection: what only the two ends of this very channel can know.

Only on TLS 1.3. Below it a client takes `tls-unique`, which is not safe on a resumed session without extended master secret
(RFC 9266 4.2), and pyOpenSSL cannot tell whether there is one; on TLS 1.3 `tls-unique` does not exist (RFC 8446 C.5).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL

_TLS_1_3 = 0x0304


def channel_binding(connection: SSL.Connection) -> Callable[[str], bytes | None] | None:
    """Name of a kind -> its data, None for a kind that the connection has not; None instead of all when it can have none.

    After the handshake only.
    """
    return partial(_data, connection) if connection.get_protocol_version() == _TLS_1_3 else None


def _data(connection: SSL.Connection, kind: str) -> bytes | None:
    match kind:
        case "tls-exporter":
            return connection.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")  # RFC 9266 2
        case "tls-server-end-point":
            return _end_point(connection)
    return None


def _end_point(connection: SSL.Connection) -> bytes | None:
    """RFC 5929 4.1: hash of our certificate, by the hash of its signature, SHA-256 for a weak one; none for Ed25519."""
    certificate = connection.get_certificate(as_cryptography=True)
    if certificate is None or certificate.signature_hash_algorithm is None:
        return None
    weak = isinstance(certificate.signature_hash_algorithm, hashes.MD5 | hashes.SHA1)
    return certificate.fingerprint(hashes.SHA256() if weak else certificate.signature_hash_algorithm)

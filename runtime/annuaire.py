"""The FHIR server of the settings."""

from __future__ import annotations

import ssl

from cryptography import x509

from certs.contexts import fetch_context
from mssante.registers.annuaire import Server
from runtime.settings import Settings


def server_of(settings: Settings) -> Server:
    """Raises OSError or ValueError when the key or the anchors cannot be read."""
    own = settings.annuaire
    assert own.key is not None  # the settings saw to it
    if own.anchors is None:
        tls = ssl.create_default_context()
    else:
        tls = fetch_context(x509.load_pem_x509_certificates(own.anchors.read_bytes()))
    return Server(own.url.rstrip("/"), own.key.read_text(encoding="ascii").strip(), tls)

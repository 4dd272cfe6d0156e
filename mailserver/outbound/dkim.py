"""DKIM signatures (RFC 6376; Ed25519: RFC 8463) of what leaves, made by dkimpy in a thread of its own.

RSA is pure Python in dkimpy (11 ms for 2,048 bits): hence the threads; Ed25519 is preferred. The key is read once.
"""

from __future__ import annotations

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

THREADS = 2  # CPU work under the interpreter's lock: more threads only take turns

# What a reader sees or a program obeys; From twice, so that none can be added (RFC 6376 8.15).
SIGNED = (
    b"from from sender reply-to to cc subject date message-id in-reply-to references mime-version content-type"
    b" content-transfer-encoding auto-submitted x-mss-nil x-mss-mes x-mss-ins x-mss-codecda"
).split()


class Unsignable(Exception):
    """The message's header is too malformed for a signature."""


class BadKey(ValueError):
    """The private key is neither RSA nor Ed25519 in PEM."""


class Signer:
    """Signs for one domain under one selector; `pem` is an unencrypted private key."""

    def __init__(self, domain: str, selector: str, pem: bytes) -> None:
        self.domain = domain
        self._selector = selector.encode("ascii")
        self._algorithm, self._key, self.record = _material(pem)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="dkim")

    async def sign(self, content: bytes) -> bytes:
        """`content` (CRLF line ends) with a DKIM-Signature field in front."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.sign_now, content)

    def sign_now(self, content: bytes) -> bytes:
        try:
            signature: bytes = dkim.sign(
                content,
                self._selector,
                self.domain.encode("ascii"),
                self._key,
                canonicalize=(b"relaxed", b"relaxed"),
                signature_algorithm=self._algorithm,
                include_headers=SIGNED,
            )
        except dkim.DKIMException as cause:
            raise Unsignable(type(cause).__name__) from cause
        return signature + content

    def close(self) -> None:
        self._threads.shutdown(wait=False)


def _material(pem: bytes) -> tuple[bytes, bytes, str]:
    """(algorithm, key as dkimpy wants it, TXT record to publish at `<selector>._domainkey.<domain>`)."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as cause:
        raise BadKey("not an unencrypted PEM private key") from cause
    if isinstance(key, Ed25519PrivateKey):
        public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        return b"ed25519-sha256", base64.b64encode(key.private_bytes_raw()), f"v=DKIM1; k=ed25519; p={public}"
    if isinstance(key, RSAPrivateKey):
        encoding, plain = serialization.Encoding, serialization.NoEncryption()
        pkcs1 = key.private_bytes(encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
        der = key.public_key().public_bytes(encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return b"rsa-sha256", pkcs1, f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"
    raise BadKey("neither RSA nor Ed25519")

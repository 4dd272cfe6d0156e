"""Public keys as their owners publish them (RFC 6376 3.6.1, RFC 8463 4.2), and which of them are good enough (RFC 8301 3.2)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from mailserver.signatures.tags import read_tags
from mailserver.signatures.verdicts import Verdict

LEAST_BITS, MOST_BITS = 1024, 4096  # of RSA: what RFC 8301 3.2 forbids, and what it asks for
MOST_EXPONENT = 1 << 32  # nobody's is larger, and arithmetic grows with it


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`exact`: only for addresses of the very domain (t=s)."""

    public: RSAPublicKey | Ed25519PublicKey
    exact: bool

    @property
    def kind(self) -> str:
        return "rsa" if isinstance(self.public, RSAPublicKey) else "ed25519"

    def verify(self, digest: bytes, signature: bytes) -> bool:
        """Whether `signature` is that of a SHA-256; called by dkimpy, in the way of its Ed25519 keys, which raise instead."""
        if isinstance(self.public, RSAPublicKey):
            self.public.verify(signature, digest, PKCS1v15(), Prehashed(hashes.SHA256()))
        else:
            self.public.verify(signature, digest)
        return True


@lru_cache(maxsize=256)  # the keys of the operators who write to us; to read one of RSA takes 30 µs
def read_key(record: bytes) -> PublicKey | Verdict:
    tags = read_tags(record)
    if tags is None or tags.get(b"v", b"DKIM1") != b"DKIM1" or b"p" not in tags:
        return Verdict.KEY_UNUSABLE
    if not tags[b"p"]:
        return Verdict.KEY_REVOKED
    flags = _words(tags.get(b"t", b""))
    if b"y" in flags:
        return Verdict.IN_TEST
    if not _words(tags.get(b"s", b"*")) & {b"*", b"email"} or b"sha256" not in _words(tags.get(b"h", b"sha256")):
        return Verdict.KEY_MISMATCH
    public = _public(tags.get(b"k", b"rsa"), tags[b"p"])
    return public if isinstance(public, Verdict) else PublicKey(public, b"s" in flags)


def _public(kind: bytes, text: bytes) -> RSAPublicKey | Ed25519PublicKey | Verdict:
    try:
        octets = base64.b64decode(b"".join(text.split()), validate=True)
        if kind == b"ed25519":
            return Ed25519PublicKey.from_public_bytes(octets)
        public = serialization.load_der_public_key(octets)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return Verdict.KEY_UNUSABLE
    if kind != b"rsa" or not isinstance(public, RSAPublicKey):
        return Verdict.KEY_UNUSABLE
    if public.key_size < LEAST_BITS:
        return Verdict.TOO_WEAK
    if public.key_size > MOST_BITS or public.public_numbers().e > MOST_EXPONENT:
        return Verdict.KEY_UNUSABLE
    return public


def _words(value: bytes) -> set[bytes]:
    return {word.strip() for word in value.split(b":")}

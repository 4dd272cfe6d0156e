"""DKIM signatures (RFC 6376) of what leaves, one for each key: RSA, which every verifier knows (RFC 8301 3.1), and Ed25519
(RFC 8463).

dkimpy makes the field, `cryptography` the signature: dkimpy's RSA is pure Python and takes 30 times longer, under the interpreter's
lock (6 ms for 2,048 bits). Keys are read once.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import dkim
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from dkim.canonicalization import CanonicalizationPolicy

from foundation.clock import Clock, system_clock
from mailserver.mime.fields import MAX_HEADER
from mailserver.outbound.content import Content
from mailserver.signatures.body import PIECE, BodyHash, Canonical
from mailserver.signatures.header import Header

RELAXED = CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")

# What a reader sees or a program obeys; twice what a reader sees, so that none can be added (RFC 6376 8.15).
SIGNED = (
    "from from sender sender reply-to reply-to to to cc cc subject subject date date message-id in-reply-to references"
    " mime-version content-type content-type content-transfer-encoding auto-submitted x-mss-nil x-mss-mes x-mss-ins x-mss-codecda"
).split()


class BadKey(ValueError):
    """The private key is neither RSA nor Ed25519 in PEM."""


@dataclass(frozen=True, slots=True)
class _Signature:
    signature: bytes


@dataclass(frozen=True, slots=True)
class Key:
    """A private key and the selector under which its public half is published; `pem` is unencrypted."""

    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey

    @classmethod
    def read(cls, selector: str, pem: bytes) -> Key:
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as cause:
            raise BadKey("not an unencrypted PEM private key") from cause
        if not isinstance(private, RSAPrivateKey | Ed25519PrivateKey):
            raise BadKey("neither RSA nor Ed25519")
        return cls(selector, private)

    @property
    def kind(self) -> str:
        """As in k= of the record, and in a= of the signature before `-sha256`."""
        return "rsa" if isinstance(self.private, RSAPrivateKey) else "ed25519"

    @property
    def bits(self) -> int:
        return self.private.key_size if isinstance(self.private, RSAPrivateKey) else 256

    @property
    def record(self) -> str:
        """The TXT record to publish at `<selector>._domainkey.<domain>` (RFC 6376 3.6.1, RFC 8463 4.2)."""
        public = self.private.public_key()
        if self.kind == "rsa":
            der = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        else:
            der = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        return f"v=DKIM1; k={self.kind}; p={base64.b64encode(public.public_bytes(*der)).decode()}"

    def sign(self, digest: bytes) -> _Signature:
        """The octets of the signature of a SHA-256; called by dkimpy, in the way of its Ed25519 keys."""
        if isinstance(self.private, RSAPrivateKey):
            return _Signature(self.private.sign(digest, PKCS1v15(), Prehashed(hashes.SHA256())))
        return _Signature(self.private.sign(digest))


class Signer:
    """Signs for one domain by all of `keys`, whose selectors differ (RFC 8463 6)."""

    def __init__(self, domain: str, keys: Sequence[Key], clock: Clock = system_clock) -> None:
        self.domain = domain
        self._keys = keys
        self._clock = clock

    async def sign(self, content: Content) -> Content:
        """With a DKIM-Signature field for each key in front; read through once. As it is when its header never ends."""
        head, begun, digest = b"", False, BodyHash(Canonical.RELAXED)
        header = Header(b"")
        async for piece in content.pieces():
            if not begun:
                head += piece
                header = Header(head)
                begun = header.body < len(head) or len(head) == content.size
                piece = head[header.body :]
            if begun:
                await _hashed(digest, piece)
            elif len(head) > MAX_HEADER:
                return content
        front = await asyncio.to_thread(self._fields, header, digest)
        return replace(content, front=front + content.front, size=content.size + len(front))

    def _fields(self, header: Header, digest: BodyHash) -> bytes:
        body_hash = base64.b64encode(digest.digest()).decode()
        # Its branch for Ed25519 asks a key to sign a digest; what it writes is the same for all keys.
        maker = dkim.DKIM(signature_algorithm=b"ed25519-sha256")
        maker.hasher = hashlib.sha256
        maker.headers = header.fields
        return b"".join(self._field(maker, key, body_hash) for key in self._keys)

    def _field(self, maker: dkim.DKIM, key: Key, body_hash: str) -> bytes:
        tags = {
            "v": "1",
            "a": f"{key.kind}-sha256",
            "c": "relaxed/relaxed",
            "d": self.domain,
            "q": "dns/txt",
            "s": key.selector,
            "t": str(self._clock() // 1000),
            "h": " : ".join(SIGNED),
            "bh": body_hash,
            "b": "0" * 60,  # its place: the tags before it are folded alike with and without it
        }
        encoded = [(name.encode(), value.encode("ascii")) for name, value in tags.items()]
        names = [name.encode() for name in SIGNED]
        value: bytes = maker.gen_header(encoded, names, RELAXED, b"DKIM-Signature", key)
        return b"DKIM-Signature: " + value


async def _hashed(digest: BodyHash, octets: bytes) -> None:
    if len(octets) <= PIECE:
        digest.update(octets)
        return
    for at in range(0, len(octets), PIECE):
        await asyncio.to_thread(digest.update, octets[at : at + PIECE])

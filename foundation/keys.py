"""Keys and encryption at rest: one key-encryption key, and below it one data key per mailbox or dossier.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce in front of each sealed value; the *context* (additional authenticated
data) ties a value to its row, so that sealed values cannot be moved from one row to another unnoticed.
The key-encryption key lives in a file that only the server's user may read; destroying a wrapped data key is the final deletion
of all that it sealed. Look-ups by a personal value (address, login) go through a keyed hash, never the value.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import blake2s
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12
LOOKUP_BYTES = 16  # 128 bits: no collision among the 10^9 values of a whole country (birthday bound 2^64)


class Tampered(Exception):
    """A sealed value does not open: wrong key, wrong context, or altered bytes."""


_drawn: dict[int, list[bytes]] = {}
os.register_at_fork(after_in_child=_drawn.clear)


def random_octets(count: int) -> bytes:
    """From the system, drawn by the hundred: each call to it gives the interpreter lock away, and waits to have it back. For the
    few sizes of nonces, names and keys that every message needs.
    """
    ready = _drawn.get(count) or _drawn.setdefault(count, [])
    try:
        return ready.pop()
    except IndexError:
        drawn = os.urandom(256 * count)
        ready.extend(drawn[at : at + count] for at in range(count, len(drawn), count))
        return drawn[:count]


class Key:
    """One AES-256-GCM key."""

    __slots__ = ("_aead", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(raw)}")
        self.raw = raw
        self._aead = AESGCM(raw)

    def __repr__(self) -> str:
        return "Key(…)"

    def seal(self, data: bytes, context: bytes) -> bytes:
        """nonce || ciphertext || tag."""
        nonce = random_octets(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, data, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The data; raises `Tampered`."""
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
        except (InvalidTag, ValueError) as cause:
            raise Tampered("a sealed value does not open") from cause

    def open_many(self, sealed: Iterable[bytes], contexts: Iterable[bytes]) -> list[bytes]:
        """`open` of each with its context; in bulk, calls cost as much as the cipher."""
        decrypt = self._aead.decrypt
        try:
            return [
                decrypt(one[:NONCE_BYTES], one[NONCE_BYTES:], context)
                for one, context in zip(sealed, contexts, strict=True)
            ]
        except (InvalidTag, ValueError) as cause:
            raise Tampered("a sealed value does not open") from cause


class KeyRing:
    """The key-encryption key and what is derived from it (HKDF, RFC 5869).

    `registry` seals the operator's own records (addresses, logins, job payloads); `wrapping` seals data keys.
    """

    def __init__(self, master: bytes) -> None:
        self._wrapping = Key(_derive(master, b"wrapping"))
        self.registry = Key(_derive(master, b"registry"))
        self._lookup = _derive(master, b"lookup")

    @classmethod
    def create(cls, path: Path) -> KeyRing:
        """Makes a new key-encryption key at `path`, mode 0600; never overwrites one."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> KeyRing:
        return cls(path.read_bytes())

    def new_key(self, context: bytes) -> tuple[Key, bytes]:
        """A fresh data key, and the same wrapped for its row."""
        key = Key(os.urandom(KEY_BYTES))
        return key, self._wrapping.seal(key.raw, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> Key:
        return Key(self._wrapping.open(wrapped, context))

    def lookup(self, kind: str, value: str) -> bytes:
        """Keyed hash of a personal value, to find its row without storing it in the clear."""
        # Keyed BLAKE2 (RFC 7693 2.9): a MAC by itself, and unlike hmac it keeps the interpreter lock for such a short text.
        message = kind.encode() + b"\0" + value.encode()
        return blake2s(message, key=self._lookup, digest_size=LOOKUP_BYTES).digest()


def _derive(master: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=b"mssante/" + purpose).derive(master)

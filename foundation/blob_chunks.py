"""How a blob is cut and sealed: chunks of 64 KiB, each AES-256-GCM with its index as nonce (a key is used for one content only) and
a mark on the last one, so that a truncated or reordered file does not open and a slice reads only the chunks it needs.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from foundation.keys import Tampered

CHUNK = 64 * 1024
TAG = 16
RUN = 8  # chunks sealed and written at once, of a content that is there whole


def chunk_count(size: int) -> int:
    return max(1, -(-size // CHUNK))


def seal(aead: AESGCM, index: int, chunk: bytes, last: bool) -> bytes:
    return aead.encrypt(index.to_bytes(12, "big"), chunk, b"last" if last else b"more")


def seal_runs(aead: AESGCM, content: bytes) -> Iterator[bytearray]:
    """All chunks of a content, in runs of a few, nothing of it copied."""
    whole, last = memoryview(content), chunk_count(len(content)) - 1
    for start in range(0, len(content), RUN * CHUNK):
        run = whole[start : start + RUN * CHUNK]
        sealed = bytearray(len(run) + TAG * chunk_count(len(run)))
        out = memoryview(sealed)
        for at in range(0, len(run), CHUNK):
            chunk, index = run[at : at + CHUNK], (start + at) // CHUNK
            mark = b"last" if index == last else b"more"
            place = index % RUN * (CHUNK + TAG)
            aead.encrypt_into(index.to_bytes(12, "big"), chunk, mark, out[place : place + len(chunk) + TAG])
        yield sealed


def unseal(aead: AESGCM, index: int, sealed: bytes | memoryview, last: bool) -> bytes:
    try:
        return aead.decrypt(index.to_bytes(12, "big"), sealed, b"last" if last else b"more")
    except InvalidTag as cause:
        raise Tampered("a blob's chunk does not open") from cause

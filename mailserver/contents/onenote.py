"""OneNote sections (MS-ONESTORE): the files in them, which a click starts."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator

_FILE = bytes.fromhex(
    "e716e3bd65261145a4c48d4d0b7a9eac"
)  # 2.6.13: FileDataStoreObject, then its length, then 12 octets
_MOST = 1_000


class Broken(Exception):
    """More files than anybody puts in one."""


def files(data: bytes) -> Iterator[bytes]:
    at = 0
    for _ in range(_MOST):
        at = data.find(_FILE, at)
        if at < 0 or at + 36 > len(data):
            return
        (length,) = struct.unpack_from("<Q", data, at + 16)
        yield data[at + 36 : at + 36 + length]
        at += len(_FILE)
    raise Broken


def scripts(data: bytes, known: Collection[str]) -> list[str]:
    """Endings among the names that stand in it, in UTF-16: which file has which, only a reader of OneNote could tell."""
    lower = data.lower()
    return [ending for ending in sorted(known) if f".{ending}\0".encode("utf-16-le") in lower]

"""COMPRESS=DEFLATE (RFC 4978): raw deflate both ways, flushed with every reply, in little memory, safe from bombs.

What the client sent stays compressed until it is wanted, and then grows by INFLATED octets at a time: a bomb costs the same as
the commands it pretends to be, and back-pressure counts what is really held.
"""

from __future__ import annotations

import zlib

INFLATED = 65536
# 4 KB of window and small tables: 32 KB a connection instead of 256 (zlib's manual: 2^(window + 2) + 2^(level + 9)).
WINDOW, TABLES, LEVEL = 12, 5, 3


class NotDeflate(Exception):
    """The client's octets are not what was agreed: nothing after them can be read."""


class Deflate:
    """Sync flush on our side; on the client's any block may end anywhere."""

    def __init__(self) -> None:
        self._out = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW, TABLES)
        self._in = zlib.decompressobj(-zlib.MAX_WBITS)
        self._waiting = bytearray()
        self._full = False  # the last piece was cut: there is more behind it, perhaps with no octet waiting

    def deflated(self, data: bytes) -> bytes:
        """To be sent at once."""
        return self._out.compress(data) + self._out.flush(zlib.Z_SYNC_FLUSH)

    @property
    def backlog(self) -> int:
        """Octets received, not yet inflated."""
        return len(self._waiting)

    @property
    def has_more(self) -> bool:
        return self._full or bool(self._waiting)

    def receive(self, data: bytes) -> None:
        self._waiting += data

    def inflated(self) -> bytes:
        """The next octets of the client, at most INFLATED; raises `NotDeflate`."""
        waiting, self._waiting = bytes(self._waiting), bytearray()
        try:
            data = self._in.decompress(waiting, INFLATED)
        except zlib.error as error:
            raise NotDeflate from error
        if self._in.eof:
            raise NotDeflate  # the end of the stream: a client says LOGOUT
        self._waiting += self._in.unconsumed_tail
        self._full = len(data) == INFLATED
        return data

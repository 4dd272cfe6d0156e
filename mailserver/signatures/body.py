"""The hash of a canonical body (RFC 6376 3.4.3 and 3.4.4), fed in pieces of any size, in a time that grows with the size alone.

Only CRLF ends a line: the doors see to that.
"""

from __future__ import annotations

import hashlib
from enum import Enum

PIECE = 64 * 1024  # octets hashed in one go, while other threads wait


class Canonical(Enum):
    """How a body may change on its way: `SIMPLE`, only by empty lines at its end; `RELAXED`, by blanks at the ends of lines and
    their number elsewhere too.
    """

    SIMPLE = "simple"
    RELAXED = "relaxed"


class BodyHash:
    """SHA-256 of a body; `size` of its canonical form, once there is a `digest`."""

    def __init__(self, canonical: Canonical) -> None:
        self.size = 0
        self._relaxed = canonical is Canonical.RELAXED
        self._blank = b" \t\r\n" if self._relaxed else b"\r\n"
        self._hash = hashlib.sha256()
        # What came since the last octet that is not blank: it counts only if another follows.
        self._lines = 0
        self._space = False

    def update(self, piece: bytes) -> None:
        begun = piece.lstrip(self._blank)
        core = begun.rstrip(self._blank)
        self._wait(piece[: len(piece) - len(begun)])
        if core:
            self._take_what_waits()
            self._take(self._collapsed(core) if self._relaxed else core)
            self._wait(begun[len(core) :])

    def digest(self) -> bytes:
        """Ends the body: with one line end, except that a relaxed one of nothing but blanks is empty."""
        if self.size or not self._relaxed:
            self._take(b"\r\n")
        return self._hash.digest()

    def _collapsed(self, core: bytes) -> bytes:
        core = core.replace(b"\t", b" ")
        while b"  " in core:  # half as long each time: as much as two passes in all
            core = core.replace(b"  ", b" ")
        return core.replace(b" \r\n", b"\r\n")

    def _wait(self, blank: bytes) -> None:
        lines = blank.count(b"\n")
        self._lines += lines
        if lines:
            self._space = False
            blank = blank[blank.rindex(b"\n") :]
        self._space = self._space or b" " in blank or b"\t" in blank

    def _take_what_waits(self) -> None:
        while self._lines:
            some = min(self._lines, PIECE)
            self._take(b"\r\n" * some)
            self._lines -= some
        if self._space:
            self._take(b" ")
            self._space = False

    def _take(self, octets: bytes) -> None:
        self.size += len(octets)
        self._hash.update(octets)

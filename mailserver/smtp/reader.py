"""The bytes between the transport and the command loop: whole command lines out, blocks of DATA out, as they came where possible.

A line that does not end with CR LF, or holds a CR or LF elsewhere, is a fault and never a command (RFC 5321 2.3.8). The buffer
is bounded: above `HIGH` octets the transport is told to stop reading. Knows no command and writes nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum
from typing import Protocol

from mailserver.smtp.limits import AUTH_OCTETS

HIGH = 256 * 1024  # octets kept before the client must wait: one read of the transport (measured: more is no faster)

BLOCK = 4 * 1024  # octets from which a block is kept as it came: each costs memory of its own


class LineFault(Enum):
    BARE_LINE_END = "bare line end"
    TOO_LONG = "too long"


class Throttle(Protocol):
    """The part of a transport that the reader needs."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class ByteReader:
    """Fed by `data_received`; one task reads. `waiting` is the future of that task while it lacks bytes."""

    __slots__ = (
        "_blocks",
        "_buffer",
        "_kept",
        "_loop",
        "_paused",
        "_scanned",
        "_skipping",
        "_throttle",
        "ended",
        "waiting",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, throttle: Throttle) -> None:
        self._loop = loop
        self._throttle = throttle
        self._buffer = bytearray()  # where lines are looked for
        self._blocks: deque[bytes] = deque()  # behind it, as they came
        self._kept = 0  # octets of both
        self._scanned = 0  # no LF before this place: a line sent octet by octet costs no more than in one piece
        self._skipping = False  # inside a line that is too long
        self._paused = False
        self.ended = False
        self.waiting: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        if len(data) < BLOCK:
            if self._blocks:
                self._gather()
            self._buffer += data
        else:
            self._blocks.append(data)
        self._kept += len(data)
        if not self._paused and self._kept > HIGH:
            self._throttle.pause_reading()
            self._paused = True
        self.wake()

    def feed_end(self) -> None:
        self.ended = True
        self.wake()

    def wake(self) -> None:
        waiting, self.waiting = self.waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def more(self) -> asyncio.Future[None]:
        """Done when something was fed, or the end reached; at once when it is."""
        self.waiting = waiting = self._loop.create_future()
        if self.ended:
            self.wake()
        elif self._paused:
            self._resume()
        return waiting

    def take_line(self, longest: int = AUTH_OCTETS) -> bytes | LineFault | None:
        """The next line without its CR LF; None when it is not all there. A line over `longest` octets is thrown away whole."""
        if self._blocks:
            self._gather()
        if not self._buffer:
            return None
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            return self._no_line_yet(longest)
        line = bytes(self._buffer[: end + 1])
        self._drop(end + 1)
        if self._skipping or end >= longest:
            self._skipping = False
            return LineFault.TOO_LONG
        if not line.endswith(b"\r\n") or line.find(b"\r") != end - 1:
            return LineFault.BARE_LINE_END
        return line[:-2]

    def _no_line_yet(self, longest: int) -> LineFault | None:
        cr = self._buffer.find(b"\r", max(self._scanned - 1, 0))
        self._scanned = len(self._buffer)
        if 0 <= cr < len(self._buffer) - 1 and not self._skipping:
            return LineFault.BARE_LINE_END
        if len(self._buffer) > longest:
            self._skipping = True
        if self._skipping:
            self._drop(len(self._buffer))
        return None

    def take_block(self, most: int | None = None) -> bytes:
        """Some of what is there, `most` octets of it; nothing when nothing is there."""
        if not self._buffer and self._blocks and (most is None or len(self._blocks[0]) <= most):
            block = self._blocks.popleft()
            self._less(len(block))
            return block
        self._gather()
        block = bytes(self._buffer if most is None or most >= len(self._buffer) else self._buffer[:most])
        self._drop(len(block))
        return block

    def put_back(self, data: bytes) -> None:
        self._buffer[:0] = data
        self._kept += len(data)
        self._scanned = 0

    def discard(self) -> int:
        """Forgets what is there (after STARTTLS: RFC 3207 4.2) and says how much it was."""
        size = self._kept
        self._gather()
        self._drop(size)
        self._skipping = False
        return size

    def move_to(self, throttle: Throttle) -> None:
        """Goes on with another transport, after STARTTLS."""
        self._throttle = throttle
        self._paused = False

    def _gather(self) -> None:
        while self._blocks:
            self._buffer += self._blocks.popleft()

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._scanned = 0
        self._less(size)

    def _less(self, size: int) -> None:
        self._kept -= size
        if self._paused and self._kept <= HIGH // 2:
            self._resume()

    def _resume(self) -> None:
        self._paused = False
        self._throttle.resume_reading()

"""The readers of DATA and BDAT, pure: octets of the wire in, octets of the message out (RFC 5321 4.1.1.4, 4.5.2, 2.3.8).

Only CR LF "." CR LF ends a message, and a CR or an LF alone anywhere is a fault, which outdoes every other: the two halves of the
answer to SMTP smuggling. Lines are un-dotted once. Chunks (RFC 3030) have their length instead of an end mark, and obey the same
rules otherwise. Works on blocks of any size, each octet looked at a fixed number of times, no list of lines; never reads a socket,
never keeps the message.
"""

from __future__ import annotations

from enum import Enum
from io import IncrementalNewlineDecoder

from mailserver.smtp.limits import TEXT_LINE_OCTETS

_END = b"\r\n.\r\n"


class DataFault(Enum):
    BARE_LINE_END = "bare line end"
    LINE_TOO_LONG = "line too long"
    NUL = "NUL"  # RFC 2045 2.7, 2.8: never in text; others drop it, and then see another message than we
    TOO_LARGE = "too large"
    NOT_STORED = "not stored"  # ours: set by the reader's user, so that the end is looked for all the same


class _Content:
    """What both ways share: the size, the first fault, the lines."""

    __slots__ = ("_ends", "_limit", "_line", "fault", "size")

    def __init__(self, limit: int) -> None:
        self._ends = IncrementalNewlineDecoder(None, translate=False)
        self._limit = limit  # octets of the message, dots of transparency not counted (RFC 1870 5)
        self.size = 0  # octets so far; those thrown away after a fault too
        self.fault: DataFault | None = None
        self._line = 0  # octets so far in the unfinished line

    def _lawful(self, block: bytes) -> bool:
        """Every CR is before an LF, every LF behind a CR; a CR at the end of a block is judged with the next one.

        Told by what the standard library's reader of text files notes of the line ends it saw: one pass, in C, where counting
        them would take three.
        """
        self._ends.decode(block.decode("latin-1"))
        if self._ends.newlines in (None, "\r\n"):
            return True
        self.fault = DataFault.BARE_LINE_END
        return False

    def _counted(self, clean: bytes) -> bytes:
        self.size += len(clean)
        if self.size > self._limit:
            self.fault = DataFault.TOO_LARGE
        elif b"\0" in clean:
            self.fault = DataFault.NUL
        elif not self._lines_fit(clean):
            self.fault = DataFault.LINE_TOO_LONG
        return b"" if self.fault else clean

    def _lines_fit(self, clean: bytes) -> bool:
        """Jumps from line end to line end, as far as lawful lines may reach: about one jump per 1,000 octets."""
        at, room = 0, TEXT_LINE_OCTETS - self._line
        while len(clean) - at >= room:
            found = clean.rfind(b"\n", at, at + room)
            if found < 0:
                return False
            at, room = found + 1, TEXT_LINE_OCTETS
        last = clean.rfind(b"\n", at) + 1 or at
        self._line = len(clean) - last if last else self._line + len(clean)
        return True


class DataScanner(_Content):
    """`feed` until `finished`; then `rest` is what the client sent after the message.

    After a `fault` nothing more comes out and only the end is looked for, so that the session can go on (after
    `BARE_LINE_END` it must not: what follows may have been smuggled in).
    """

    __slots__ = ("_first", "_held", "finished", "rest")

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.finished = False
        self.rest = b""
        self._held = b"\r\n"  # line end of the DATA command: a first line "." ends an empty message
        self._first = True  # that line end is still to be taken off

    def feed(self, data: bytes) -> bytes:
        """The octets of the message that `data` completes; empty once there is a fault."""
        block = self._held + data
        end = block.find(_END) if b"." in block else -1  # base64 has no dots, and those of texts are found at once
        if end >= 0:
            self.finished, self.rest, self._held = True, block[end + len(_END) :], b""
            block = block[: end + 2]
        elif kept := _started_end(block):
            block, self._held = block[:-kept], block[-kept:]
        else:
            self._held = b""
        if self._lawful(block) and self.fault is None:
            return self._message(block)
        self.size += len(block)
        return b""

    def _message(self, block: bytes) -> bytes:
        clean = block.replace(b"\r\n.", b"\r\n") if b"." in block else block
        if self._first and clean:
            clean, self._first = clean[2:], False
        return self._counted(clean)


class ChunkScanner(_Content):
    """`announce` and `feed` each chunk of one message (RFC 3030 2), then `end`; a CR LF may lie across two of them.

    `binary`: any octets (RFC 3030 3), to be made text of by who takes them.
    """

    __slots__ = ("_binary", "_held")

    def __init__(self, limit: int, binary: bool = False) -> None:
        super().__init__(limit)
        self._held = b""
        self._binary = binary

    def announce(self, size: int) -> None:
        """A chunk of `size` octets comes: what is too large is known before it is read."""
        if self.fault is None and self.size + len(self._held) + size > self._limit:
            self.fault = DataFault.TOO_LARGE

    def feed(self, data: bytes) -> bytes:
        if self._binary:
            self.size += len(data)
            return data
        block, self._held = self._held + data, b""
        if block.endswith(b"\r"):
            block, self._held = block[:-1], b"\r"
        if self._lawful(block) and self.fault is None:
            return self._counted(block)
        self.size += len(block)
        return b""

    def end(self) -> None:
        if self._held:
            self.fault = DataFault.BARE_LINE_END


def _started_end(block: bytes) -> int:
    """Length of the longest end of `block` that may be the beginning of the end mark."""
    for length in (4, 3, 2, 1):
        if block.endswith(_END[:length]):
            return length
    return 0

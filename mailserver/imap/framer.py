"""Framing of the client's side (RFC 3501 2.2.1 and 4.3, RFC 7888 LITERAL+): from bytes to whole commands.

The framer collects a line with its literals and emits a `Frame`; before the octets of a literal arrive it emits a
`LiteralOffer`, so that sizes and states are judged first and nothing is parsed twice. It knows no command and no state.
In a frame's `line` a literal stands as `{n}` CRLF, its octets apart in `literals`: no other CRLF can be in a line, so the
grammar reads it without ambiguity.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailserver.store.api import Spool

# Thunderbird and Apple Mail write sets of thousands of UIDs; Dovecot's imap_max_line_length is 64 KB too.
MAX_LINE = 65536
HEAD = 256  # octets of a command that are enough to know its tag and its name

_LITERAL = re.compile(rb"\{(\d{1,18})(\+?)\}\Z")


@dataclass(frozen=True, slots=True)
class Frame:
    """One command as it came: its line, ended by no CRLF, and the octets of its literals in order, large ones spooled."""

    line: bytes
    literals: tuple[bytes | Spool, ...] = ()


@dataclass(frozen=True, slots=True)
class LiteralOffer:
    """The client announces `size` octets; answer with `Framer.accept` or `Framer.refuse`.

    `line` is the command's beginning; `total` counts the octets of the command's literals with these; `sync` says that the
    client waits for our `+`.
    """

    line: bytes
    size: int
    total: int
    sync: bool


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line over MAX_LINE; the rest of it is thrown away. `line` is its beginning."""

    line: bytes


Event = Frame | LiteralOffer | TooLong


class Framer:
    """Pull parser: `receive` bytes, then `next_event` until it says None (more bytes needed)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # no LF before this index: a line arriving byte by byte is not searched again
        self._skip = 0  # octets of a refused literal still to throw away
        self._discarding = False  # inside a refused command: until its last line ends
        self._offer: LiteralOffer | None = None
        self._wanted: int | None = None  # octets of the literal being collected
        self._spool: Spool | None = None  # where they go, when not into memory
        self._line = bytearray()  # the command so far, its literals as `{n}` CRLF
        self._literals: list[bytes | Spool] = []
        self._total = 0  # octets of its literals, the one on offer included
        self.gathered = 0  # of those in memory

    @property
    def backlog(self) -> int:
        """Octets received and not yet taken; what a literal gathers in memory is wanted there and not counted."""
        gathered = self._wanted if self._wanted is not None and self._spool is None else 0
        return max(0, len(self._buffer) - gathered)

    def receive(self, data: bytes) -> None:
        self._buffer += data

    def accept(self, spool: Spool | None = None) -> None:
        """The literal on offer is wanted; into `spool`, or into memory."""
        assert self._offer is not None
        self._wanted, self._offer, self._spool = self._offer.size, None, spool

    def refuse(self) -> None:
        """The command on offer was answered already: throw away what still comes of it."""
        assert self._offer is not None
        if not self._offer.sync:
            # A client that does not wait sends the octets and the rest of the command anyway (RFC 7888 4).
            self._skip, self._discarding = self._offer.size, True
        self._offer = None
        self._restart()

    def next_event(self) -> Event | None:
        if self._offer is not None:
            return None
        while True:
            if self._skip and not self._skipped():
                return None
            if self._wanted is not None and not self._collected():
                return None
            line = self._take_line()
            if line is None:
                return self._too_long()
            event = self._event(line)
            if event is not None:
                return event

    def _skipped(self) -> bool:
        gone = min(self._skip, len(self._buffer))
        del self._buffer[:gone]
        self._skip -= gone
        return self._skip == 0

    def _collected(self) -> bool:
        size = self._wanted
        assert size is not None
        if self._spool is not None:
            return self._spooled(self._spool, size)
        if len(self._buffer) < size:
            return False
        self._literals.append(bytes(memoryview(self._buffer)[:size]))
        self.gathered += size
        del self._buffer[:size]
        self._wanted, self._scanned = None, 0
        return True

    def _spooled(self, spool: Spool, size: int) -> bool:
        here = bytes(memoryview(self._buffer)[:size])
        spool.write(here)
        del self._buffer[: len(here)]
        self._scanned = 0
        if len(here) < size:
            self._wanted = size - len(here)
            return False
        spool.end()
        self._literals.append(spool)
        self._wanted, self._spool = None, None
        return True

    def _take_line(self) -> bytes | None:
        """The next line without its end; a bare LF ends one too, as it does on every other server."""
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        self._scanned = 0
        return line

    def _too_long(self) -> TooLong | None:
        if len(self._line) + len(self._buffer) <= MAX_LINE:
            return None
        head = bytes((self._line + self._buffer[:HEAD])[:HEAD])
        quiet = self._discarding
        self._buffer.clear()
        self._scanned, self._discarding = 0, True
        self._restart()
        return None if quiet else TooLong(head)

    def _event(self, line: bytes) -> Event | None:
        match = _LITERAL.search(line)
        if self._discarding:
            if match and match[2]:
                self._skip = int(match[1])
            else:
                self._discarding = False
            return None
        if len(self._line) + len(line) > MAX_LINE:
            return self._overlong(line, match)
        self._line += line
        if match is None:
            frame = Frame(bytes(self._line), tuple(self._literals))
            self._restart()
            return frame
        size = int(match[1])
        self._total += size
        self._offer = LiteralOffer(bytes(self._line[:HEAD]), size, self._total, sync=not match[2])
        self._line += b"\r\n"
        return self._offer

    def _overlong(self, line: bytes, match: re.Match[bytes] | None) -> TooLong:
        head = bytes((self._line + line)[:HEAD])
        self._restart()
        if match and match[2]:
            self._skip, self._discarding = int(match[1]), True
        return TooLong(head)

    def _restart(self) -> None:
        self._line, self._literals, self._total, self.gathered = bytearray(), [], 0, 0

"""The octets of a message on their way out: small ones in memory, large ones read from the store a piece at a time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

IN_MEMORY = 1 << 20  # octets: above, pieces
PIECE = 256 * 1024

_LINE_END = re.compile(rb"\r\n|\n|\r")

Read = Callable[[int, int], Awaitable[bytes]]  # (offset, length) of what is stored


@dataclass(frozen=True, slots=True)
class Content:
    """`front`, lines of ours, then what is `stored`, all line ends CRLF (RFC 5321 2.3.8); `size` counts both in octets."""

    read: Read
    stored: int
    size: int
    is_ascii: bool
    front: bytes = b""

    async def pieces(self) -> AsyncIterator[bytes]:
        if self.front:
            yield self.front
        async for piece in _lawful(self.read, self.stored):
            yield piece


def whole(octets: bytes) -> Content:
    """A message in memory."""
    lawful = with_line_ends(octets)

    async def read(offset: int, length: int) -> bytes:
        return lawful[offset : offset + length]

    return Content(read, len(lawful), len(lawful), lawful.isascii())


async def stored(read: Read, octets: int) -> Content:
    """Of that many octets where `read` finds them; read through once, for what must be known before the first is sent."""
    size, is_ascii = 0, True
    async for piece in _lawful(read, octets):
        size += len(piece)
        is_ascii = is_ascii and piece.isascii()
    return Content(read, octets, size, is_ascii)


async def _lawful(read: Read, octets: int) -> AsyncIterator[bytes]:
    held = b""
    for offset in range(0, octets, PIECE):
        piece = held + await read(offset, min(PIECE, octets - offset))
        held = b"\r" if piece.endswith(b"\r") else b""  # an LF may follow
        yield with_line_ends(piece.removesuffix(held) if held else piece)
    if held:
        yield b"\r\n"


def with_line_ends(octets: bytes) -> bytes:
    """All line ends CRLF."""
    lines = octets.count(b"\r\n")
    if octets.count(b"\n") != lines or octets.count(b"\r") != lines:
        return _LINE_END.sub(b"\r\n", octets)
    return octets


async def wire_form(content: Content) -> AsyncIterator[bytes]:
    """For DATA: dots doubled at line starts, the final dot (RFC 5321 4.5.2)."""
    begins = True  # a line
    async for piece in content.pieces():
        if not piece:
            continue
        yield (b"." if begins and piece.startswith(b".") else b"") + piece.replace(b"\n.", b"\n..")
        begins = piece.endswith(b"\n")
    yield b".\r\n" if begins else b"\r\n.\r\n"

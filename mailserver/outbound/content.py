"""The octets of a message on their way out: small ones in memory, large ones read from the store a piece at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from io import BytesIO

from mailserver.mime.sevenbit import Edit, seven_bit

IN_MEMORY = 1 << 20  # octets: above, pieces
PIECE = 256 * 1024
AT_ONCE = 16 * 1024  # octets encoded on the loop: above, it is held for milliseconds
CONVERTED = 32 * 1024 * 1024  # octets: above, a message is returned rather than put into seven bits

_LINE_END = re.compile(rb"\r\n|\n|\r")

Read = Callable[[int, int], Awaitable[bytes]]  # (offset, length) of what is stored


@dataclass(frozen=True, slots=True)
class Content:
    """`front`, lines of ours, then what is `stored` with its `edits`, all line ends CRLF (RFC 5321 2.3.8); `size` counts both in
    octets.
    """

    read: Read
    stored: int
    size: int
    is_ascii: bool
    front: bytes = b""
    edits: tuple[Edit, ...] = ()

    async def pieces(self) -> AsyncIterator[bytes]:
        if self.front:
            yield self.front
        at = 0
        for edit in self.edits:
            async for piece in _lawful(self.read, at, edit.start):
                yield piece
            yield edit.put
            async for piece in _encoded(self.read, edit):
                yield piece
            at = edit.end
        async for piece in _lawful(self.read, at, self.stored):
            yield piece


def whole(octets: bytes) -> Content:
    """A message in memory."""
    lawful = with_line_ends(octets)

    async def read(offset: int, length: int) -> bytes:
        return lawful[offset : offset + length]

    return Content(read, len(lawful), len(lawful), lawful.isascii())


async def stored(read: Read, octets: int) -> Content:
    """Of that many octets where `read` finds them; read through once, for what must be known before the first is sent."""
    return await _measured(Content(read, octets, 0, True))


async def in_seven_bits(content: Content) -> Content | None:
    """The same for a server without 8BITMIME (RFC 6152 3), before anything stands in front; None when that cannot be. Whole in
    memory until what changes is known.
    """
    if content.stored > CONVERTED:
        return None
    edits = await asyncio.to_thread(seven_bit, await _all(content.read, content.stored))
    changed = await _measured(replace(content, edits=edits)) if edits is not None else content
    return changed if changed.is_ascii else None


async def _measured(content: Content) -> Content:
    size, is_ascii = 0, True
    async for piece in content.pieces():
        size += len(piece)
        is_ascii = is_ascii and piece.isascii()
    return replace(content, size=size, is_ascii=is_ascii)


async def _all(read: Read, octets: int) -> bytes:
    """Once in memory, and no more: `BytesIO` gives what it holds without a copy."""
    held = BytesIO()
    for offset in range(0, octets, PIECE):
        held.write(await read(offset, min(PIECE, octets - offset)))
    return held.getvalue()


async def _lawful(read: Read, start: int, end: int) -> AsyncIterator[bytes]:
    held = b""
    for offset in range(start, end, PIECE):
        piece = held + await read(offset, min(PIECE, end - offset))
        held = b"\r" if piece.endswith(b"\r") else b""  # an LF may follow
        yield with_line_ends(piece.removesuffix(held) if held else piece)
    if held:
        yield b"\r\n"


async def _encoded(read: Read, edit: Edit) -> AsyncIterator[bytes]:
    if edit.encoding is None:
        return
    encoder = edit.encoding()
    async for piece in _lawful(read, edit.start, edit.end):
        yield await asyncio.to_thread(encoder.feed, piece) if len(piece) > AT_ONCE else encoder.feed(piece)
    yield encoder.end()


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

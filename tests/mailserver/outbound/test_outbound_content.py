"""A message on its way out is the same whether it stands in memory or is read in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from threading import current_thread, main_thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.sevenbit import QuotedPrintable
from mailserver.outbound import content as contents
from mailserver.outbound.content import AT_ONCE, IN_MEMORY, PIECE, Content, in_seven_bits, stored, whole, wire_form

PIECES = st.lists(st.sampled_from([b".", b"\r", b"\n", b"a", b"\r\n", "é".encode()]), max_size=30).map(b"".join)


def joined(pieces: AsyncIterator[bytes]) -> bytes:
    async def work() -> bytes:
        return b"".join([piece async for piece in pieces])

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"", b".\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b".\r\n..\r\n.a", b"..\r\n...\r\n..a\r\n.\r\n"),
        (b"a\n.\nb\rc\r.\r\n", b"a\r\n..\r\nb\r\nc\r\n..\r\n.\r\n"),
    ],
)
def test_wire_form(content: bytes, wire: bytes) -> None:
    assert joined(wire_form(whole(content))) == wire


@given(PIECES)
def test_nothing_in_a_message_can_end_it(content: bytes) -> None:
    wire = joined(wire_form(whole(content)))
    assert wire.endswith(b".\r\n")
    lines = wire.split(b"\r\n")
    assert lines.index(b".") == len(lines) - 2  # the only line that is a single dot is the last
    assert not any(b"\n" in line or b"\r" in line for line in lines)


@given(PIECES, st.integers(1, 7))
def test_pieces_are_the_whole(octets: bytes, piece: int) -> None:
    async def read(offset: int, length: int) -> bytes:
        return octets[offset : offset + length]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents, "PIECE", piece)
        there = asyncio.run(_stored(read, len(octets)))
        here = whole(octets)
        assert (there.size, there.is_ascii) == (here.size, here.is_ascii)
        assert joined(there.pieces()) == joined(here.pieces())
        assert joined(wire_form(there)) == joined(wire_form(here))


TEXT = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
LETTER = (
    b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n"
    + TEXT
    + b"%b\r\n--B\r\n"
    b"Content-Type: application/x-own\r\n\r\n\xff%b\r\n--B--\r\n"
)


@given(PIECES, PIECES, st.integers(1, 7))
def test_seven_bits_are_the_same_in_pieces(text: bytes, other: bytes, piece: int) -> None:
    octets = LETTER % (text, other)

    async def read(offset: int, length: int) -> bytes:
        return octets[offset : offset + length]

    async def seven(content: Content) -> tuple[int, bytes]:
        changed = await in_seven_bits(content)
        assert changed is not None
        assert changed.is_ascii
        return changed.size, b"".join([piece async for piece in changed.pieces()])

    here = asyncio.run(seven(whole(octets)))
    assert here[0] == len(here[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents, "PIECE", piece)
        there = asyncio.run(_stored(read, len(octets)))
        assert asyncio.run(seven(there)) == here


async def test_a_large_message_is_put_in_seven_bits_piece_by_piece() -> None:
    octets, longest = LETTER % ("ligne accentuée\r\n".encode() * 90_000, bytes(range(128, 255)) * 6_000), 0

    async def read(offset: int, length: int) -> bytes:
        nonlocal longest
        longest = max(longest, length)
        return octets[offset : offset + length]

    changed = await in_seven_bits(await stored(read, len(octets)))
    assert changed is not None
    sizes = [len(piece) async for piece in changed.pieces()]
    assert (sum(sizes), longest) == (changed.size, PIECE)
    assert max(sizes) < 3 * PIECE
    assert changed.edits[-1].end - changed.edits[-1].start > IN_MEMORY // 2


async def _stored(read: Any, octets: int) -> Content:
    return await stored(read, octets)


def test_large_pieces_are_encoded_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte in quoted-printable takes 30 ms, and is made three times: to be measured, signed, sent."""
    threads, feed = list[tuple[int, bool]](), QuotedPrintable.feed

    def watched(encoder: QuotedPrintable, octets: bytes) -> bytes:
        threads.append((len(octets), current_thread() is main_thread()))
        return feed(encoder, octets)

    changed = asyncio.run(in_seven_bits(whole(TEXT + b"\xc3\xa9t\xc3\xa9\r\n" * 50_000)))
    assert changed is not None
    monkeypatch.setattr(QuotedPrintable, "feed", watched)
    assert joined(changed.pieces()).endswith(b"=C3=A9t=C3=A9\r\n")
    assert any(size > AT_ONCE for size, _ in threads)
    assert all(size <= AT_ONCE for size, on_loop in threads if on_loop)

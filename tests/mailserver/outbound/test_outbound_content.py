"""A message on its way out is the same whether it stands in memory or is read in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.outbound import content as contents
from mailserver.outbound.content import Content, stored, whole, wire_form

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


async def _stored(read: Any, octets: int) -> Content:
    return await stored(read, octets)

"""COMPRESS=DEFLATE (RFC 4978): every reply can be read when it comes, whatever way the client cuts its blocks."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest

from mailserver.imap.deflate import INFLATED, Deflate, NotDeflate
from tests.mailserver.imap.player import Connection, connect, new_store


class Squeezed:
    """A client behind `a1 COMPRESS DEFLATE`."""

    def __init__(self, connection: Connection, flush: int = zlib.Z_SYNC_FLUSH) -> None:
        self.connection = connection
        self.out = zlib.compressobj(9, zlib.DEFLATED, -15)
        self.into = zlib.decompressobj(-15)
        self.flush = flush

    async def ask(self, line: bytes, at_once: int = 1 << 20) -> bytes:
        data = self.out.compress(line + b"\r\n") + self.out.flush(self.flush)
        for start in range(0, len(data), at_once):
            self.connection.session.receive(data[start : start + at_once])
            await self.connection.settle()
        said, self.connection.output = self.connection.output, b""
        return self.into.decompress(said)


async def squeezed(flush: int = zlib.Z_SYNC_FLUSH) -> Squeezed:
    connection = await connect(await new_store("three messages"), "selected")
    assert await connection.ask(b"a1 COMPRESS DEFLATE") == b"a1 OK DEFLATE active\r\n"
    return Squeezed(connection, flush)


@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_FULL_FLUSH])
@pytest.mark.parametrize("at_once", [1, 1000])
async def test_each_reply_is_flushed_and_any_block_is_taken(flush: int, at_once: int) -> None:
    client = await squeezed(flush)
    assert await client.ask(b"a2 NOOP", at_once) == b"a2 OK NOOP completed\r\n"
    answer = await client.ask(b"a3 FETCH 1:3 (UID BODY.PEEK[])", at_once)
    assert answer.endswith(b"a3 OK FETCH completed\r\n")
    assert answer.count(b"ville.example") == 6
    assert await client.ask(b"a4 COMPRESS DEFLATE") == b"a4 NO [COMPRESSIONACTIVE] compression is on already\r\n"
    assert await client.ask(b"a5 IDLE") == b"+ idling\r\n"
    assert await client.ask(b"DONE") == b"a5 OK IDLE completed\r\n"


async def test_no_other_algorithm_and_not_before_sign_in() -> None:
    store = await new_store()
    connection = await connect(store, "signed in")
    assert await connection.ask(b"a1 COMPRESS LZMA") == b"a1 BAD no such compression\r\n"
    stranger = await connect(store)
    assert b"a1 BAD" in await stranger.ask(b"a1 COMPRESS DEFLATE")


@pytest.mark.parametrize("noise", [b"a2 NOOP\r\n" * 9, zlib.compressobj(9, zlib.DEFLATED, -15).flush()])
async def test_what_is_not_deflate_ends_the_connection(noise: bytes) -> None:
    client = await squeezed()
    client.connection.session.receive(noise)
    await client.connection.settle()
    assert client.connection.closed
    assert client.into.decompress(client.connection.output) == b"* BYE deflated data expected\r\n"


async def test_a_bomb_fills_no_memory() -> None:
    client = await squeezed()
    assert b"a2 BAD" in await client.ask(b"a2 " + b"x" * 50_000_000)
    assert client.connection.session.backlog == 0
    assert await client.ask(b"a3 NOOP") == b"a3 OK NOOP completed\r\n"


def pieces(deflate: Deflate) -> Iterator[bytes]:
    while deflate.has_more:
        yield deflate.inflated()


def test_a_piece_is_bounded_and_nothing_is_lost() -> None:
    client, deflate = zlib.compressobj(9, zlib.DEFLATED, -15), Deflate()
    for size in (1, INFLATED - 1, INFLATED, INFLATED + 1, 3 * INFLATED):
        text = bytes(range(256)) * (size // 256) + bytes(size % 256)
        deflate.receive(client.compress(text) + client.flush(zlib.Z_SYNC_FLUSH))
        found = list(pieces(deflate))
        assert max(map(len, found)) <= INFLATED
        assert b"".join(found) == text
    deflate.receive(client.flush(zlib.Z_FINISH))
    with pytest.raises(NotDeflate):
        deflate.inflated()

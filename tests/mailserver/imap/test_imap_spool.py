"""Large messages on their way in: on disk as they come, gone again when nothing comes of them; parts of them on the way out."""

from __future__ import annotations

import asyncio
import base64
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailserver.imap.commands.fetch import Section
from mailserver.imap.context import Settings
from mailserver.imap.fetch import PIECE
from mailserver.imap.literals import GATHERED, SPOOLED
from mailserver.imap.urls import MessageUrl, parse_url
from mailserver.store.api import NewMessage
from mailserver.store.spool import Room
from tests.mailserver.imap.player import BOX, Connection, inbox_of
from tests.mailserver.store.conftest import SqlParts, sql_parts

LIMIT = 50 * 1024 * 1024


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[SqlParts]:
    found = await sql_parts(f"sqlite:///{tmp_path}/mail.db", tmp_path)
    found.boxes.limit = 2 * LIMIT
    await found.store.open_box(BOX)
    yield found
    await found.db.close()


async def signed_in(parts: SqlParts) -> Connection:
    connection = Connection(parts.store, settings=Settings(append_limit=LIMIT))
    await connection.settle()
    assert b"x1 OK" in await connection.ask(b"x1 LOGIN bob {7+}\r\n" + "sésame".encode())
    assert b"x2 OK" in await connection.ask(b"x2 SELECT INBOX")
    return connection


def files(parts: SqlParts) -> list[Path]:
    return [path for path in parts.folder.rglob("*") if path.is_file() and "mail.db" not in path.name]


def large(octets: int) -> bytes:
    head = b"Subject: large\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    body = base64.encodebytes(bytes(range(256)) * (octets // 345)).replace(b"\n", b"\r\n")
    return head + body


async def test_a_large_literal_never_stands_in_memory(parts: SqlParts) -> None:
    connection = await signed_in(parts)
    size, piece = 20 * 1024 * 1024, b"x" * 16384
    await connection.say(b"a1 APPEND INBOX {%d}\r\n" % size)
    await connection.settle()
    tracemalloc.start()
    for _ in range(size // len(piece) - 1):
        await connection.say(piece)
        await connection.settle()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 1024 * 1024
    [file] = files(parts)
    assert file.stat().st_size > size - 2 * 65536 - len(piece)
    assert piece not in file.read_bytes()
    await connection.close()
    assert files(parts) == []


async def test_it_is_stored_as_it_came(parts: SqlParts) -> None:
    connection, content = await signed_in(parts), large(1_000_000)
    said = await connection.ask(
        b"a1 APPEND INBOX {%d+}\r\n%b {%d+}\r\n%b" % (len(content), content, len(content), content)
    )
    assert b"1:2] APPEND completed" in said
    assert len(files(parts)) == 2
    inbox = await inbox_of(parts.store)
    assert await parts.store.content(inbox, 1) == content == await parts.store.content(inbox, 2)
    await connection.close()
    assert len(files(parts)) == 2


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"a1 APPEND Nowhere {%d+}\r\n%b", b"NO [TRYCREATE]"),
        (b"a1 APPEND INBOX (\\Frob) {%d+}\r\n%b", b"BAD unknown system flag"),
        (b"a1 APPEND {%d+}\r\n%b", b"BAD literal too large"),
        (b"a1 APPEND INBOX {%d+}\r\n%b x", b"BAD"),
        (b"a1 REPLACE 1 INBOX {%d+}\r\n%b", b"BAD no such message number"),
        (b"a1 UID REPLACE 1 INBOX {%d+}\r\n%b", b"NO [EXPUNGEISSUED]"),
        (b"a1 APPEND INBOX CATENATE (TEXT {%d+}\r\n%b URL /INBOX/;UID=1)", b"NO [BADURL /INBOX/;UID=1]"),
    ],
)
async def test_nothing_stays_of_what_is_refused(parts: SqlParts, command: bytes, answer: bytes) -> None:
    connection, content = await signed_in(parts), large(SPOOLED + 1000)
    assert answer in await connection.ask(command % (len(content), content))
    assert files(parts) == []
    assert b"a2 OK" in await connection.ask(b"a2 NOOP")
    await connection.close()


async def test_a_large_message_is_put_together_from_pieces(parts: SqlParts) -> None:
    connection, content = await signed_in(parts), large(700_000)
    await connection.ask(b"a1 APPEND INBOX {%d+}\r\n%b" % (len(content), content))
    text = b"Subject: digest\r\n\r\n" + b"y" * 100_000
    said = await connection.ask(b"a2 REPLACE 1 INBOX CATENATE (TEXT {%d+}\r\n%b URL /INBOX/;UID=1)" % (len(text), text))
    assert b"a2 OK" in said
    assert await parts.store.content(await inbox_of(parts.store), 2) == text + content
    await connection.close()


async def test_what_grows_too_large_in_pieces_is_refused(parts: SqlParts) -> None:
    await parts.store.append(await inbox_of(parts.store), [NewMessage(large(1_000_000))])
    connection = Connection(parts.store, settings=Settings(append_limit=1_500_000))
    await connection.settle()
    await connection.ask(b"x1 LOGIN bob {7+}\r\n" + "sésame".encode())
    said = await connection.ask(b"a1 APPEND INBOX CATENATE (URL /INBOX/;UID=1 URL /INBOX/;UID=1)")
    assert said == b"a1 NO [TOOBIG] a message has at most 1500000 octets\r\n"
    assert len(files(parts)) == 1
    await connection.close()


async def test_a_full_disk_is_said_and_the_session_goes_on(parts: SqlParts, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, content = await signed_in(parts), large(300_000)

    def full() -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(parts.blobs.files, "create", full)
        said = await connection.ask(b"a1 APPEND INBOX {%d+}\r\n%b" % (len(content), content))
    assert said == b"a1 NO [UNAVAILABLE] the message cannot be written now\r\n"
    assert b"a2 OK" in await connection.ask(b"a2 APPEND INBOX {%d+}\r\n%b" % (len(content), content))
    await connection.close()


async def test_the_quota_of_a_replacement_is_the_difference(parts: SqlParts) -> None:
    connection, content = await signed_in(parts), large(300_000)
    parts.boxes.limit = len(content) + 1000
    assert b"a1 OK" in await connection.ask(b"a1 APPEND INBOX {%d+}\r\n%b" % (len(content), content))
    assert b"a2 NO [OVERQUOTA]" in await connection.ask(b"a2 APPEND INBOX {%d+}\r\n%b" % (len(content), content))
    small = content[:200_000]
    assert b"a3 OK" in await connection.ask(b"a3 REPLACE 1 INBOX {%d+}\r\n%b" % (len(small), small))
    await connection.close()


async def test_a_large_part_is_decoded_piece_by_piece(parts: SqlParts) -> None:
    content = large(3 * PIECE)
    await parts.store.append(await inbox_of(parts.store), [NewMessage(content)])
    connection = await signed_in(parts)
    plain = base64.b64decode(content.partition(b"\r\n\r\n")[2])
    said = await connection.ask(b"a1 FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1] BINARY.PEEK[1]<%d.100>)" % (2 * PIECE))
    slice_ = plain[2 * PIECE : 2 * PIECE + 100]
    assert said == (
        b"* 1 FETCH (BINARY.SIZE[1] %d BINARY[1] ~{%d}\r\n%b BINARY[1]<%d> ~{%d}\r\n%b)\r\na1 OK FETCH completed\r\n"
        % (len(plain), len(plain), plain, 2 * PIECE, len(slice_), slice_)
    )
    assert max(map(len, connection.pieces)) <= 2 * PIECE
    await connection.close()


async def test_what_is_on_its_way_has_a_bound_for_each_mailbox(parts: SqlParts) -> None:
    parts.store._arrivals._room = Room(2 * 100_000)
    first, second = await signed_in(parts), await signed_in(parts)
    assert await first.ask(b"a1 APPEND INBOX {100000}") == b"+ OK\r\n"
    assert await second.ask(b"a1 APPEND INBOX {100000}") == b"+ OK\r\n"
    third = await signed_in(parts)
    full = b"a1 NO [LIMIT] too many large messages are on their way into this mailbox\r\n"
    assert await third.ask(b"a1 APPEND INBOX {100000}") == full
    await first.close()
    assert await third.ask(b"a1 APPEND INBOX {100000}") == b"+ OK\r\n"
    await second.close()
    await third.close()
    parts.store._arrivals._room.check(BOX, 2 * 100_000)


async def test_literals_that_wait_hold_no_descriptors(parts: SqlParts) -> None:
    connection = await signed_in(parts)
    before = len(list(Path("/proc/self/fd").iterdir()))
    await connection.say(b"a1 APPEND INBOX")
    for _ in range(100):
        await connection.say(b" {70000+}\r\n" + b"x" * 70_000)
        await connection.settle()
    assert len(files(parts)) == 100
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 10  # the database opens some meanwhile
    assert b"a1 OK" in await connection.ask(b"")
    assert await parts.store.content(await inbox_of(parts.store), 100) == b"x" * 70_000
    await connection.close()


async def test_small_literals_fill_no_memory(parts: SqlParts) -> None:
    connection = await signed_in(parts)
    await connection.say(b"a1 APPEND INBOX" + b"".join(b" {%d+}\r\n%b" % (SPOOLED, b"x" * SPOOLED) for _ in range(256)))
    said = await connection.ask(b" {1+}\r\nx")
    assert said == b"a1 NO [LIMIT] small messages of one command have at most %d octets\r\n" % GATHERED
    await connection.close()


async def test_messages_of_urls_have_a_bound_together(parts: SqlParts) -> None:
    await parts.store.append(await inbox_of(parts.store), [NewMessage(large(1_000_000))])
    connection = Connection(parts.store, settings=Settings(append_limit=1_500_000))
    await connection.settle()
    await connection.ask(b"x1 LOGIN bob {7+}\r\n" + "sésame".encode())
    said = await connection.ask(b"a1 APPEND INBOX" + b" CATENATE (URL /INBOX/;UID=1)" * 100)
    assert said == b"a1 NO [TOOBIG] the messages of one command have at most 6000000 octets\r\n"
    assert len(files(parts)) == 1
    await connection.close()


@pytest.mark.parametrize("turns", [1, 2, 3, 10])
async def test_a_client_lost_on_the_way_leaves_no_file_that_nobody_names(parts: SqlParts, turns: int) -> None:
    inbox = await inbox_of(parts.store)
    task = asyncio.create_task(parts.store.append(inbox, [NewMessage(large(1_000_000))] * 2))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(20):
        while not files(parts) or len(files(parts)) != (await parts.store.status(inbox)).messages:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("/INBOX/;UID=7", MessageUrl("INBOX", None, 7, Section(), None)),
        ("/INBOX;UIDVALIDITY=9/;UID=7", MessageUrl("INBOX", 9, 7, Section(), None)),
        ("/a/b%20c/;uid=7/;section=1.2.MIME", MessageUrl("a/b c", None, 7, Section("1.2", "MIME"), None)),
        ("/Envoy%C3%A9s/;UID=7/;SECTION=HEADER", MessageUrl("Envoyés", None, 7, Section("", "HEADER"), None)),
        (";UID=7/;PARTIAL=5.10", MessageUrl(None, None, 7, Section(), (5, 10))),
        (";UID=7/;SECTION=1/;PARTIAL=5", MessageUrl(None, None, 7, Section("1"), (5, None))),
        ("/;UID=7", MessageUrl(None, None, 7, Section(), None)),
        ("imap://user@host/INBOX/;UID=7", None),
        ("//host/INBOX/;UID=7", None),
        ("/INBOX", None),
        ("/INBOX/;UID=0", None),
        ("/INBOX/;UID=7/;SECTION=FROG", None),
        ("/INBOX/;UID=7/;SECTION=1]x", None),
        ("/INBOX/;UID=7/;SECTION=HEADER.FIELDS%20({1}%0D%0A)", None),
        ("/INBOX/;UID=7;URLAUTH=anonymous:internal:00", None),
        ("/%FF/;UID=7", None),
        ("", None),
    ],
)
def test_urls(text: str, url: MessageUrl | None) -> None:
    assert parse_url(text) == url

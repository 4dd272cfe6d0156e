"""BDAT (RFC 3030): the scanner against a reference on random chunks; sizes, line ends, time and loss in a session."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.blob_files import FolderFiles
from foundation.blob_receiver import Receiver
from foundation.blobs import WAITING, Blobs
from mailserver.smtp import ports
from mailserver.smtp.data import ChunkScanner, DataFault
from mailserver.smtp.limits import Limits
from tests.mailserver.smtp.smtp_house import Memory, Wire, house, wire
from tests.support.properties import examples

BEGIN = b"EHLO c\r\nMAIL FROM:<a@beta.example>\r\nRCPT TO:<b@alpha.example>\r\n"
LIMIT = 3_000
PIECES = st.sampled_from([b"\r\n", b"\r\n", b"\r\n.\r\n", b".", b"a", b"d" * 997, b"e" * 400])
HOSTILE = st.sampled_from([b"\r", b"\n", b"\n.\n", b"\r\r\n", b"\0"])


@settings(max_examples=examples(500), deadline=None)
@given(st.lists(PIECES, max_size=14), st.lists(PIECES | HOSTILE, max_size=4), st.lists(st.integers(0, 900), min_size=1))
def test_the_scanner_agrees_with_the_reference(first: list[bytes], second: list[bytes], cuts: list[int]) -> None:
    message = b"".join(first + second)
    faults = set[DataFault]()
    if b"\r" in message.replace(b"\r\n", b"") or b"\n" in message.replace(b"\r\n", b""):
        faults.add(DataFault.BARE_LINE_END)
    if b"\0" in message:
        faults.add(DataFault.NUL)
    *lines, last = message.split(b"\r\n")
    if any(len(line) > 998 for line in lines) or len(last) > 999:
        faults.add(DataFault.LINE_TOO_LONG)
    if len(message) > LIMIT:
        faults.add(DataFault.TOO_LARGE)
    scanner, out, left = ChunkScanner(LIMIT), b"", message
    for cut in cuts:
        scanner.announce(len(left[:cut]))
        out += scanner.feed(left[:cut])
        left = left[cut:]
    scanner.announce(len(left))
    out += scanner.feed(left)
    scanner.end()
    if DataFault.BARE_LINE_END in faults:
        assert scanner.fault is DataFault.BARE_LINE_END
    elif faults:
        assert scanner.fault in faults
    else:
        assert (scanner.fault, out, scanner.size) == (None, message, len(message))


async def begun(folder: Path, acceptor: Memory, limits: Limits | None = None, **changes: Any) -> Wire:
    connection = wire(ports.BENCH, house(folder, acceptor, limits=limits or Limits(linger_s=0.02), **changes))
    assert (await connection.send(BEGIN)).splitlines()[-1].startswith(b"250 2.1.5")
    return connection


def codes(said: bytes) -> list[bytes]:
    return [line[:9] for line in said.splitlines()]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("step", [0, 1, 7, 5_000])
async def test_any_cut_gives_the_same_message(step: int, tmp_path: Path) -> None:
    acceptor = Memory()
    connection = await begun(tmp_path, acceptor)
    body = b"Subject: x\r\n\r\n.\r\n..a\r\n" + b"y" * 300 + b"\r\n.\r\nQUIT\r\nno line end"
    stream = (
        b"BDAT 12\r\n" + body[:12] + b"BDAT 10\r\n" + body[12:22] + b"BDAT %d LAST\r\n" % (len(body) - 22) + body[22:]
    )
    said = await connection.send(stream + b"NOOP\r\n", step)
    assert codes(said) == [b"250 2.0.0"] * 4
    assert acceptor.bodies == [body]


@pytest.mark.parametrize("size", [10_001, 20_000])
async def test_too_large_is_told_at_each_chunk_and_read_to_its_end(size: int, tmp_path: Path) -> None:
    acceptor = Memory()
    connection = await begun(tmp_path, acceptor, Limits(message_octets=10_000))
    chunk = b"BDAT %d\r\n" % size + b"QUIT\r\n" * (size // 6) + b"." * (size % 6)
    said = await connection.send(chunk + b"BDAT 2\r\nxxBDAT 0 LAST\r\nBDAT 0 LAST\r\nNOOP\r\n", 4_000)
    assert codes(said) == [b"552-5.3.4", b"552 5.3.4"] * 3 + [b"503 5.5.1", b"250 2.0.0"]
    assert acceptor.accepted == []


async def test_chunks_that_are_too_large_together(tmp_path: Path) -> None:
    connection = await begun(tmp_path, acceptor := Memory(), Limits(message_octets=10_000))
    line = b"y" * 98 + b"\r\n"
    said = await connection.send(b"BDAT 6000\r\n" + line * 60 + b"BDAT 6000\r\n" + line * 60 + b"RSET\r\n")
    assert codes(said) == [b"250 2.0.0", b"552-5.3.4", b"552 5.3.4", b"250 2.0.0"]
    assert acceptor.accepted == []


@pytest.mark.parametrize("refused", [True, False], ids=["without a transaction", "inside one"])
async def test_what_is_far_too_large_is_not_read(refused: bool, tmp_path: Path) -> None:
    connection = await begun(tmp_path, Memory(), Limits(message_octets=10_000, linger_s=0.02))
    said = await connection.send(b"RSET\r\n" * refused + b"BDAT 99999999999\r\n")
    await asyncio.sleep(0.05)
    assert codes(said) == [b"250 2.0.0"] * refused + [b"552 5.3.4"]
    assert connection.closed


@pytest.mark.parametrize("line", [b"BDAT", b"BDAT -1", b"BDAT x LAST", b"BDAT 3 FIRST", b"BDAT 0x3", b"BDAT 3LAST"])
async def test_after_a_size_that_cannot_be_read_nothing_is_obeyed(line: bytes, tmp_path: Path) -> None:
    connection = await begun(tmp_path, Memory())
    said = await connection.send(line + b"\r\nNOOP\r\n")
    await asyncio.sleep(0.05)
    assert codes(said) == [b"501 5.5.4"]
    assert connection.closed


@pytest.mark.parametrize(
    "chunks",
    [
        [b"a\nb"],
        [b"a\rb"],
        [b"a\r", b"b"],
        [b"a\r", b"\r\n"],
        [b"a\r"],
        [b"\n"],
        [b"a\r\n", b"\n.\n"],
    ],
    ids=repr,
)
async def test_bare_line_ends_are_refused_as_in_data(chunks: list[bytes], tmp_path: Path) -> None:
    acceptor = Memory()
    connection = await begun(tmp_path, acceptor)
    stream = b"".join(b"BDAT %d\r\n" % len(chunk) + chunk for chunk in chunks)
    said = await connection.send(stream + b"BDAT 0 LAST\r\nNOOP\r\n")
    await asyncio.sleep(0.05)
    assert codes(connection.said or said)[-1] == b"554 5.5.2"
    assert connection.closed
    assert acceptor.accepted == []


async def test_a_chunk_before_tls_is_read_and_refused(tmp_path: Path) -> None:
    connection = wire(ports.SUBMISSION, house(tmp_path, Memory()))
    said = await connection.send(b"EHLO c\r\nBDAT 6\r\nQUIT\r\nNOOP\r\n")
    assert codes(said)[-3:] == [b"530-5.7.0", b"530 5.7.0", b"250 2.0.0"]
    assert not connection.closed


@pytest.mark.parametrize("lines", [200, 2200])
@pytest.mark.parametrize("end", [b"RSET\r\n", b"EHLO c\r\n", b"QUIT\r\n", b"STARTTLS\r\n", None, b"BDAT 1\r\n\n"])
async def test_chunks_that_are_given_up_leave_nothing_on_disk_nor_in_memory(
    end: bytes | None, lines: int, tmp_path: Path
) -> None:
    acceptor = Memory()
    blobs = Blobs(FolderFiles(tmp_path))
    connection = await begun(tmp_path, acceptor, new_writer=partial(Receiver, blobs))
    line = b"y" * 998 + b"\r\n"
    await connection.send(b"BDAT %d\r\n\r\n" % (2 + 1000 * lines) + line * lines)
    assert len(files(tmp_path)) == (lines > 2000)
    if end is None:
        connection.close()
    else:
        await connection.send(end)
    await asyncio.sleep(0.05)
    assert files(tmp_path) == []
    assert acceptor.accepted == []
    assert all(blobs.places.acquire(blocking=False) for _ in range(WAITING))


async def test_a_message_in_chunks_has_one_time_for_all(tmp_path: Path) -> None:
    limits = replace(Limits(linger_s=0.02), data_total_s=-1.0)
    connection = await begun(tmp_path, Memory(), limits)
    await connection.send(b"BDAT 2\r\nab")
    await asyncio.sleep(0.05)
    assert b"421 4.4.2" in connection.said
    assert connection.closed


@pytest.mark.parametrize(("lines", "first"), [(200, b"250 2.0.0"), (2400, b"452 4.3.1")])
async def test_a_full_disk_is_told_and_the_chunks_are_not_taken_for_commands(
    lines: int, first: bytes, tmp_path: Path
) -> None:
    """At the end, when the message could wait in memory."""
    acceptor = Memory()
    connection = await begun(tmp_path, acceptor)
    (tmp_path / "incoming").rmdir()
    said = await connection.send(
        b"BDAT %d\r\n\r\n" % (2 + 902 * lines) + (b"z" * 900 + b"\r\n") * lines + b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
        10_000,
    )
    assert codes(said) == [first, b"452 4.3.1", b"250 2.0.0"]
    assert acceptor.accepted == []


async def test_a_fault_of_ours_in_the_last_chunk_is_451(tmp_path: Path) -> None:
    connection = await begun(tmp_path, Memory(fault=RuntimeError("x")))
    said = await connection.send(b"BDAT 3 LAST\r\nabc")
    await asyncio.sleep(0.05)
    assert codes(said) == [b"451 4.3.0"]
    assert connection.closed

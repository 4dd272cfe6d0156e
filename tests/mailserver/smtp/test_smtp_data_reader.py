"""The DATA scanner and the line reader against slow, obvious references, on random octets in random pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.smtp.data import DataFault, DataScanner
from mailserver.smtp.reader import HIGH, ByteReader, LineFault
from tests.support.properties import examples

LIMIT = 3_000

PIECES = st.sampled_from(
    [b"\r\n", b"\r\n", b"\r\n.\r\n", b"\r\n.", b"\r\n..", b".", b"..", b"a", b"bc", b"d" * 997, b"e" * 400]
)
HOSTILE = st.sampled_from([b"\r", b"\n", b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\0"])
CUTS = st.lists(st.integers(1, 40), max_size=60)


def in_pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """`data` cut at the given lengths, the last of which repeats until the end."""
    at, lengths = 0, iter(cuts)
    length = 1
    while at < len(data):
        length = next(lengths, length * 2)
        yield data[at : at + length]
        at += length


def reference(stream: bytes) -> tuple[set[DataFault], bytes, bytes] | None:
    """Faults, message and rest; None when the message does not end. Line by line, as RFC 5321 4.5.2 tells it."""
    end = (b"\r\n" + stream).find(b"\r\n.\r\n")
    if end < 0:
        return None
    body, rest = stream[:end], stream[end + 3 :]
    faults = set()
    if b"\r" in body.replace(b"\r\n", b"") or b"\n" in body.replace(b"\r\n", b""):
        faults.add(DataFault.BARE_LINE_END)
    if b"\0" in body:
        faults.add(DataFault.NUL)
    lines = body.split(b"\r\n")[:-1]
    lines = [line[1:] if line.startswith(b".") else line for line in lines]
    if any(len(line) > 998 for line in lines):
        faults.add(DataFault.LINE_TOO_LONG)
    message = b"".join(line + b"\r\n" for line in lines)
    if len(message) > LIMIT:
        faults.add(DataFault.TOO_LARGE)
    return faults, message, rest


@settings(max_examples=examples(600), deadline=None)
@given(st.lists(PIECES, max_size=14), st.lists(PIECES | HOSTILE, max_size=4), CUTS)
def test_scanner_agrees_with_the_reference(first: list[bytes], second: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(first + second) + b"\r\n.\r\nQUIT\r\n"
    expected = reference(stream)
    assert expected is not None
    faults, message, rest = expected
    scanner, out, left = DataScanner(LIMIT), b"", b""
    for piece in in_pieces(stream, cuts):
        if scanner.finished:
            left += piece
        else:
            out += scanner.feed(piece)
    assert scanner.finished
    assert scanner.rest + left == rest
    if DataFault.BARE_LINE_END in faults:
        assert scanner.fault is DataFault.BARE_LINE_END
    elif faults:
        assert scanner.fault in faults
    else:
        assert (scanner.fault, out, scanner.size) == (None, message, len(message))


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(PIECES | HOSTILE, max_size=12), CUTS)
def test_scanner_never_ends_before_the_reference(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)
    scanner = DataScanner(LIMIT)
    for piece in in_pieces(stream, cuts):
        if scanner.finished:
            break
        scanner.feed(piece)
    assert scanner.finished == (reference(stream) is not None)


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        (b"x" * 998, True),
        (b"x" * 999, False),
        (b"." + b"x" * 998, True),  # the transparent dot is not counted
        (b".." + b"x" * 998, False),
        (b"x" * 5_000, False),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 999, 1_000, 100_000])
@pytest.mark.parametrize("before", [b"", b"y\r\n" * 400])
def test_lines_have_a_thousand_octets_at_most(line: bytes, fits: bool, step: int, before: bytes) -> None:
    scanner = DataScanner(10_000)
    stream = before + line + b"\r\n.\r\n"
    for at in range(0, len(stream), step):
        scanner.feed(stream[at : at + step])
    assert scanner.finished
    assert scanner.fault is (None if fits else DataFault.LINE_TOO_LONG)


def test_size_counts_the_message_without_dots() -> None:
    scanner = DataScanner(5)
    assert scanner.feed(b"..ab\r\n.\r\n") == b".ab\r\n"
    assert (scanner.size, scanner.fault) == (5, None)
    scanner = DataScanner(4)
    assert scanner.feed(b"..ab\r\n.\r\n") == b""
    assert (scanner.finished, scanner.fault) == (True, DataFault.TOO_LARGE)


class Throttle:
    paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def lines_of(stream: bytes, cuts: list[int], longest: int) -> list[bytes | LineFault]:
    reader, found = ByteReader(asyncio.new_event_loop(), Throttle()), list[bytes | LineFault]()
    reader._loop.close()
    for piece in in_pieces(stream, cuts):
        reader.feed(piece)
        while (line := reader.take_line(longest)) is not None:
            found.append(line)
            if line is LineFault.BARE_LINE_END:
                return found
    return found


def reference_lines(stream: bytes, longest: int) -> list[bytes | LineFault]:
    """Up to the first line that is not well formed, where a session ends."""
    found: list[bytes | LineFault] = []
    for line in stream.split(b"\n")[:-1]:
        if len(line) + 1 > longest:
            found.append(LineFault.TOO_LONG)
        elif not line.endswith(b"\r") or b"\r" in line[:-1]:
            found.append(LineFault.BARE_LINE_END)
            break
        else:
            found.append(line[:-1])
    return found


@settings(max_examples=examples(400), deadline=None)
@given(
    st.lists(
        st.sampled_from([b"NOOP", b"\r\n", b"\r\n", b"\r\n", b" ", b"x" * 30, b"y" * 60, b"\n", b"\r"]), max_size=16
    ),
    CUTS,
)
def test_lines_agree_with_the_reference(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)
    found, expected = lines_of(stream, cuts, 50), reference_lines(stream, 50)
    if b"\r" in stream.replace(b"\r\n", b""):
        # A bare CR may be told before its line ends, inside a line too long or not: whole lines before it are the same.
        common = next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), len(expected))
        assert all(line in (LineFault.BARE_LINE_END, LineFault.TOO_LONG) for line in found[common : common + 1])
    else:
        assert found == expected


def test_the_buffer_is_bounded() -> None:
    loop, throttle = asyncio.new_event_loop(), Throttle()
    loop.close()
    reader = ByteReader(loop, throttle)
    reader.feed(b"x" * (HIGH + 1))
    assert throttle.paused
    assert len(reader.take_block()) == HIGH + 1
    assert not throttle.paused


def test_an_endless_line_is_not_kept() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    reader = ByteReader(loop, Throttle())
    for _ in range(100):
        reader.feed(b"x" * 10_000)
        assert reader.take_line() is None
        assert len(reader._buffer) <= 20_000
    reader.feed(b"\r\nNOOP\r\n")
    assert reader.take_line() is LineFault.TOO_LONG
    assert reader.take_line() == b"NOOP"

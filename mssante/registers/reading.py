"""From the lines of a register's file to rows: of a large file by processes of their own, only of lines that were not there yet.

A line is known by a digest kept beside what was made of it, so that the next file costs what changed in it, and an import that was
interrupted goes on by beginning again. The digests of a million lines take 8 MB, and nothing else grows with the file.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from itertools import islice
from multiprocessing import get_context
from typing import IO, Any

from mssante.directory_words import vocabulary

PIECE = 5_000  # lines of one transaction
WORTH_A_PROCESS = 8 << 20  # octets
LONGEST_LINE = 16_384  # octets; real ones have some 400
READERS = max(1, min(3, (os.cpu_count() or 1) - 1))  # processes: one writes
AHEAD = 2  # pieces read before they are asked for, by each

Row = tuple[Any, ...]


class Fault(Enum):
    """Why a line is passed over."""

    SHORT = "short"  # fewer fields than the first line names
    ADDRESS = "address"
    KIND = "kind"
    IDENTIFIER = "identifier"
    LONG = "long"
    CODING = "coding"  # not UTF-8


class Known:
    """Lines of earlier files, by digest: `ids` of the rows made of them, and whether this file holds them still."""

    def __init__(self, digests_and_ids: Iterable[tuple[int, int]] = ()) -> None:
        """In the order of the digests."""
        self.digests, self.ids = array("q"), array("q")
        for digest, row_id in digests_and_ids:
            self.digests.append(digest)
            self.ids.append(row_id)
        self._held = bytearray(len(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    def hold(self, places: Iterable[int]) -> None:
        for place in places:
            self._held[place] = 1

    def holds(self, digest: int) -> bool:
        """Whether this file has had the line of this digest."""
        place = place_of(self.digests, digest)
        return place is not None and self._held[place] == 1

    def lost(self) -> Iterator[int]:
        """Ids of the rows whose lines this file does not hold: those that changed, and those that went."""
        return (row_id for row_id, held in zip(self.ids, self._held, strict=True) if not held)


def place_of(digests: array[int], digest: int) -> int | None:
    place = bisect_left(digests, digest)
    return place if place < len(digests) and digests[place] == digest else None


@dataclass(frozen=True, slots=True)
class Block:
    """Lines as they are in the file. `first`: number of the first one; `position`: octets of the file up to their end."""

    lines: list[bytes]
    first: int
    position: int


@dataclass(frozen=True, slots=True)
class Piece:
    """What is to be written of a block. `lines`: of the file so far, without the first one; `held`: places of known lines."""

    rows: list[Row]
    words: set[str]
    faults: list[tuple[int, Fault]]
    held: array[int]
    lines: int
    position: int


@dataclass(frozen=True, slots=True)
class Reader:
    """`read(line, digest)`: its row. `salt`: what the same line means another thing with. `words_at`: place of the words that are
    searched in a row."""

    read: Callable[[str, int], Row | Fault]
    salt: bytes
    known: array[int] = field(default_factory=lambda: array("q"))
    words_at: int | None = None

    def piece(self, block: Block) -> Piece:
        rows, faults, held = [], [], array("q")
        for at, line in enumerate(block.lines, block.first):
            if not line.strip():
                continue
            digest = int.from_bytes(blake2b(line.rstrip(b"\r\n"), digest_size=8, key=self.salt).digest(), signed=True)
            place = place_of(self.known, digest)
            if place is not None:
                held.append(place)
                continue
            row = self._row(line, digest)
            if isinstance(row, Fault):
                faults.append((at, row))
            else:
                rows.append(row)
        words = set[str]() if self.words_at is None else vocabulary(row[self.words_at] for row in rows)
        return Piece(rows, words, faults, held, block.first + len(block.lines) - 2, block.position)

    def _row(self, line: bytes, digest: int) -> Row | Fault:
        if len(line) >= LONGEST_LINE:
            return Fault.LONG
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return Fault.CODING
        return Fault.CODING if "\0" in text else self.read(text, digest)


def blocks(file: IO[bytes]) -> Iterator[Block]:
    """`file` stands behind its first line."""
    source, done = lines(file), 0
    while taken := list(islice(source, PIECE)):
        yield Block(taken, done + 2, file.tell())
        done += len(taken)


def pieces(source: Iterator[Block], reader: Reader, size: int) -> Iterator[Piece]:
    """In the order of the file; `size`: its octets. Processes of their own: SQLite's writing and the reading of lines would wait
    for each other's lock on the interpreter at every row."""
    if size < WORTH_A_PROCESS:
        yield from map(reader.piece, source)
        return
    with ProcessPoolExecutor(READERS, get_context("spawn"), _begin, (reader,)) as pool:
        ahead = deque(pool.submit(_piece, block) for block in islice(source, READERS * AHEAD))
        while ahead:
            piece = ahead.popleft().result()
            ahead += [pool.submit(_piece, block) for block in islice(source, 1)]
            yield piece


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines with their ends; of one longer than `LONGEST_LINE` the beginning, without an end."""
    while line := file.readline(LONGEST_LINE):
        yield line
        while line and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)


# -------------------------------------------------------------------- in the other process
_here: list[Reader] = []


def _begin(reader: Reader) -> None:
    _here.append(reader)


def _piece(block: Block) -> Piece:
    return _here[0].piece(block)

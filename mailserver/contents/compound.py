"""Compound files (MS-CFB): a small file system of 512 or 4,096 octet sectors, of Office before 2007 and Outlook's messages.

Of our own: olefile follows a chain for as long as its stream is said to be, in rings too. Here no chain is longer than the file,
and all that is read of one file is a few times its length. What is not as the specification has it is `Broken`.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADER = struct.Struct("<24xHHHHH6x4xIIIIIIII")  # 2.2, from the minor version on
_ENTRY = struct.Struct("<64sHBxIII36xIQ")  # 2.6.1
_LAST_REGULAR, _END, _NONE = 0xFFFFFFFA, 0xFFFFFFFE, 0xFFFFFFFF  # 2.1
_LISTED = 109  # places in the header for sectors of the FAT
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_CUTOFF = 4096  # octets: shorter streams stand in the mini stream
_TIMES = 8  # its length, that may be read
_DEEP = 64  # storages within storages: Outlook's go three for each message in a message


class Broken(Exception):
    """Nobody knows what else it holds."""


Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stream:
    start: int
    size: int


@dataclass(slots=True)
class Compound:
    """`streams`: all that the tree leads to, by path, names in lower case. `read` gives the octets of one."""

    data: bytes
    streams: dict[Path, Stream] = field(default_factory=dict, init=False)
    _sector: int = field(default=0, init=False)
    _mini_sector: int = field(default=0, init=False)
    _fat: array[int] = field(init=False)
    _mini_fat: array[int] = field(init=False)
    _mini: bytes = field(default=b"", init=False)
    _left: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._left = _TIMES * len(self.data)
        try:
            self._open()
        except struct.error as fault:
            raise Broken from fault

    def read(self, stream: Stream) -> bytes:
        if stream.size < _CUTOFF:
            return self._join(self._mini, 0, self._mini_fat, self._mini_sector, stream.start, stream.size)
        return self._in_file(stream.start, stream.size)

    def _open(self) -> None:
        _, version, order, shift, mini_shift, fats, first, _, cutoff, mini_fat, mini_fats, difat, difats = (
            _HEADER.unpack_from(self.data)
        )
        if order != 0xFFFE or (version, shift) not in ((3, 9), (4, 12)) or (mini_shift, cutoff) != (6, _CUTOFF):
            raise Broken
        self._sector, self._mini_sector = 1 << shift, 1 << mini_shift
        self._fat = array("I")
        for sector in self._fat_sectors(fats, difat, difats):
            self._fat.frombytes(self._at(sector))
        directory = self._in_file(first)
        entries = [_ENTRY.unpack_from(directory, at) for at in range(0, len(directory) - 127, 128)]
        if not entries or entries[0][2] != _ROOT:
            raise Broken
        self._mini_fat = array("I", self._in_file(mini_fat, mini_fats * self._sector))
        root = entries[0]
        self._mini = self._in_file(root[6], self._size(root[7]))
        for path, entry in _tree(entries):
            if path in self.streams:
                raise Broken
            self.streams[path] = Stream(entry[6], self._size(entry[7]))

    def _size(self, said: int) -> int:
        return said & 0xFFFFFFFF if self._sector == 512 else said  # 2.6.3: the rest may be anything

    def _fat_sectors(self, fats: int, difat: int, difats: int) -> list[int]:
        """2.5: in the header, then in a chain of sectors of which the last place leads to the next."""
        places = list(struct.unpack_from(f"<{_LISTED}I", self.data, 76))
        for _ in range(difats):
            if difat >= _LAST_REGULAR:
                break
            *more, difat = array("I", self._at(difat))
            places += more
        found = [sector for sector in places if sector < _LAST_REGULAR][:fats]
        if len(set(found)) < len(found):
            raise Broken
        return found

    def _at(self, sector: int) -> bytes:
        """The last one of a file may be shorter."""
        self._spend(self._sector)
        start = (sector + 1) * self._sector
        if start >= len(self.data):
            raise Broken
        return self.data[start : start + self._sector].ljust(self._sector, b"\0")

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Broken

    def _in_file(self, start: int, size: int | None = None) -> bytes:
        """None: to the end of its chain."""
        return self._join(self.data, self._sector, self._fat, self._sector, start, size)

    def _join(self, source: bytes, offset: int, table: array[int], length: int, start: int, size: int | None) -> bytes:
        wanted = len(source) if size is None else size
        if wanted > len(source):
            raise Broken
        pieces, sector, got = [], start, 0
        while got < wanted and sector < len(table):
            at = offset + sector * length
            pieces.append(source[at : at + length])
            got, sector = got + length, table[sector]
        self._spend(got)
        joined = b"".join(pieces)[:wanted]
        if sector != _END if size is None else len(joined) < size:
            raise Broken
        return joined


_Entry = tuple[bytes, int, int, int, int, int, int, int]  # name, its length, kind, left, right, child, start, size


def _tree(entries: list[_Entry]) -> Iterator[tuple[Path, _Entry]]:
    """The streams: each storage has a tree of its own, of which the order says nothing to us."""
    seen: set[int] = set()
    waiting: list[tuple[Path, int]] = [((), entries[0][5])]
    while waiting:
        path, number = waiting.pop()
        if number == _NONE:
            continue
        if number >= len(entries) or number in seen or len(path) > _DEEP:
            raise Broken
        seen.add(number)
        name, length, kind, left, right, child, _, _ = entry = entries[number]
        here = (*path, name[: max(0, length - 2)].decode("utf-16-le", "replace").lower())
        waiting += [(path, left), (path, right)]
        if kind == _STREAM:
            yield here, entry
        elif kind == _STORAGE:
            waiting.append((here, child))
        else:
            raise Broken

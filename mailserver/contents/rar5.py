"""RAR 5 archives with a password (RAR 5.0 archive format, rarlab.com/technote.htm): what can be read beside locked files.

libarchive stops at the first of them, and would not say what comes after. Here the list is read, so that it can be given the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SIGNATURE = b"Rar!\x1a\x07\x01\x00"
_FILE, _ENCRYPTION = 2, 4  # types of headers
_HAS_EXTRA, _HAS_DATA = 1, 2  # their flags
_HAS_TIME, _HAS_CRC = 2, 4  # a file's
_LOCKED = 1  # type of the record in a file's extra area
_VINT = 10  # octets of a number at most


@dataclass(frozen=True, slots=True)
class _Block:
    start: int
    end: int  # behind its data
    kind: int
    name: str = ""
    locked: bool = False


def split(data: bytes) -> tuple[list[str], bytes | None]:
    """(names of locked files, the archive without them; None: nothing of it can be read). A list of which every name is hidden
    is one locked file without a name. What is broken stays in the archive."""
    names: list[str] = []
    kept, at, files = [SIGNATURE], len(SIGNATURE), False
    for block in _blocks(data):
        if block.kind == _ENCRYPTION:
            return [*names, ""], None
        at = block.end
        if block.locked:
            names.append(block.name)
        else:
            kept.append(data[block.start : block.end])
            files |= block.kind == _FILE
    rest = data[at:]
    return names, b"".join((*kept, rest)) if files or rest or not names else None


def _blocks(data: bytes) -> Iterator[_Block]:
    """As far as they can be read."""
    at = len(SIGNATURE)
    try:
        while at < len(data):
            block = _block(data, at)
            if block.end > len(data):
                return
            yield block
            at = block.end
    except (IndexError, ValueError):
        return


def _block(data: bytes, start: int) -> _Block:
    size, at = _number(data, start + 4)  # behind the checksum
    header = at + size
    kind, at = _number(data, at)
    flags, at = _number(data, at)
    extra, at = _number(data, at) if flags & _HAS_EXTRA else (0, at)
    follows, at = _number(data, at) if flags & _HAS_DATA else (0, at)
    if extra > size or header > len(data):
        raise ValueError(extra)
    if kind != _FILE:
        return _Block(start, header + follows, kind)
    locked = any(record == _LOCKED for record in _records(data[header - extra : header]))
    return _Block(start, header + follows, kind, _name(data, at), locked)


def _name(data: bytes, at: int) -> str:
    """Of a file; `at`: its own flags."""
    flags, at = _number(data, at)
    for _ in ("unpacked size", "attributes"):
        _, at = _number(data, at)
    at += 4 * bool(flags & _HAS_TIME) + 4 * bool(flags & _HAS_CRC)
    for _ in ("compression", "system"):
        _, at = _number(data, at)
    length, at = _number(data, at)
    return data[at : at + length].decode("utf-8", "replace")


def _records(extra: bytes) -> Iterator[int]:
    """The types of those in an extra area."""
    at = 0
    while at < len(extra):
        size, at = _number(extra, at)
        yield _number(extra, at)[0]
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends): seven bits an octet, the lowest first."""
    value = 0
    for place in range(_VINT):
        octet = data[at + place]
        value |= (octet & 0x7F) << 7 * place
        if octet < 0x80:
            return value, at + place + 1
    raise ValueError(at)

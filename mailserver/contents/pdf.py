"""What a PDF does and holds beside its pages (ISO 32000-2): programs that it starts, files that it carries.

Not a reader of PDF: a search for names wherever they may stand, in the file and in its streams of objects (7.5.7). Bounded.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from mailserver.contents.kinds import WHOLE
from mailserver.contents.tnef import File

_LAUNCH = re.compile(rb"/Launch(?![A-Za-z0-9])")  # 12.6.4.6
_FILES = re.compile(rb"/EF\s*(?:<<|\d{1,9}\s+\d{1,5}\s+R)")  # 7.11.3, table 43: files within
_PLACES = re.compile(rb"/(?:F|UF|Unix|DOS|Mac)\s*(\d{1,9})\s+\d{1,5}\s+R")
_NAMES = re.compile(rb"/(?:F|UF|Unix|DOS|Mac)\s*(?:\(((?:\\.|[^\\)]){0,500})\)|<([0-9A-Fa-f\s]{0,2000})>)", re.DOTALL)
_SPELLED = re.compile(rb"/[^\s/<>()\[\]{}%\x80-\xff]{0,40}#[0-9A-Fa-f]{2}[^\s/<>()\[\]{}%]{0,40}")  # 7.3.5: in numbers
_NUMBER = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb"(.{0,2000}?)stream\r?\n", re.DOTALL)
_BEGINS = re.compile(rb"stream\r?\n")
_OBJECT = re.compile(rb"(?<!\d)(\d{1,9})\s+\d{1,5}\s+obj")  # 7.3.10; of one that was changed, each
_OCTAL = re.compile(rb"\\([0-7]{1,3})")
_OBJECTS, _NEAR = b"/ObjStm", 500  # their streams begin within so many octets
_STREAMS, _PIECE, _ALL = 500, 1 << 20, 1 << 24  # how many are read, octets of each, of all
_HELD = 1_000  # files


class Broken(Exception):
    """It carries what nobody here can read."""


class Locked(Exception):
    """What it carries is under its password."""


def marks(data: bytes) -> tuple[bool, bool]:
    """(starts a program, carries files)."""
    texts = _texts(data)
    return any(map(_LAUNCH.search, texts)), any(map(_FILES.search, texts))


def files(data: bytes) -> Iterator[File]:
    """First all names, for which belongs to which others may see otherwise; then contents. Raises `Broken` and `Locked`."""
    if b"/Encrypt" in data:
        raise Locked
    texts = _texts(data)
    yield File([name for text in texts for found in _NAMES.finditer(text) for name in _text(*found.groups())])
    places = {int(found[1]) for text in texts for found in _PLACES.finditer(text)}
    held = [found.end() for found in _OBJECT.finditer(data) if int(found[1]) in places]
    if not 0 < len(held) <= _HELD:
        raise Broken
    yield from (File([], [_content(data, at)]) for at in held)


def _texts(data: bytes) -> list[bytes]:
    """Where names may stand; those that are spelled in numbers, read."""
    texts = [data, *_of_objects(data)]
    spelled = b" ".join(found[0] for text in texts for found in _SPELLED.finditer(text))
    return [*texts, _NUMBER.sub(lambda found: bytes.fromhex(found[1].decode()), spelled)]


def _of_objects(data: bytes) -> Iterator[bytes]:
    left, at = _ALL, 0
    for _ in range(_STREAMS):
        at = data.find(_OBJECTS, at) + 1
        begins = _BEGINS.search(data, at, at + _NEAR) if at else None
        if begins is None or left <= 0:
            return
        text = _inflated(data, begins.end(), min(_PIECE, left)) or b""
        left -= len(text)
        yield text


def _content(data: bytes, at: int) -> bytes:
    head = _STREAM.match(data, at)
    if head is None or b"endobj" in head[1]:
        return b""  # something else
    if b"/Filter" not in head[1]:
        end = data.find(b"endstream", head.end())
        return data[head.end() : end if end >= 0 else None]
    content = _inflated(data, head.end(), WHOLE + 1) if b"/FlateDecode" in head[1] or b"/Fl" in head[1] else None
    if content is None:
        raise Broken
    return content


def _inflated(data: bytes, at: int, most: int) -> bytes | None:
    try:
        return zlib.decompressobj().decompress(memoryview(data)[at:], most)
    except zlib.error:
        return None


def _text(plain: bytes | None, numbers: bytes | None) -> list[str]:
    """7.9.2.2: UTF-16 behind its mark, or octets."""
    if numbers is not None:
        digits = b"".join(numbers.split())
        plain = bytes.fromhex(digits[: len(digits) & ~1].decode())
    octets = _OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), plain or b"").replace(b"\\", b"")
    return [octets.decode("utf-16-be" if octets.startswith(b"\xfe\xff") else "latin-1", "replace").lstrip("\ufeff")]

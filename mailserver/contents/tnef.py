"""winmail.dat: what Outlook sends in place of attachments (MS-OXTNEF). Read as far as the names and octets of its files.

Of our own: the library that reads it has had no release since 2021, and this is two walks over a flat list.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailserver.contents.kinds import TNEF

# MS-OXTNEF 2.1.3.4: identifiers of attributes
_RENDER_DATA, _TITLE, _DATA, _PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
_OF_FILES = (_RENDER_DATA, _TITLE, _DATA, _PROPERTIES)
# MS-OXPROPS: PidTagAttachDataObject or -Binary, -Filename, -LongFilename, -DisplayName, -LongPathname
_OBJECT, _NAMES = 0x3701, (0x3704, 0x3707, 0x3001, 0x370D)
_WIDTHS = {
    0x2: 4,
    0x3: 4,
    0x4: 4,
    0x5: 8,
    0x6: 8,
    0x7: 8,
    0xA: 4,
    0xB: 4,
    0x14: 8,
    0x40: 8,
    0x48: 16,
}  # MS-OXCDATA 2.11.1
_STRING, _UNICODE, _BLOB, _EMBEDDED = 0x1E, 0x1F, 0x102, 0xD
_MULTIPLE, _NAMED = 0x1000, 0x8000
_INTERFACE = 16  # octets of the class before an embedded object
_ATTACHMENTS = 1_000


class Broken(Exception):
    """Not written as the specification has it: nobody knows what else it holds."""


@dataclass(slots=True)
class File:
    """One attachment. Several names: which of them a program takes is its own affair. `letters`: messages in it, of which a name is
    the subject."""

    names: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    letters: list[bytes] = field(default_factory=list)

    @property
    def is_letter(self) -> bool:
        return bool(self.letters) and not any(self.contents)


def files(data: bytes) -> list[File]:
    """Raises `Broken`."""
    found: list[File] = []
    try:
        for identifier, value in _attributes(data):
            if identifier not in _OF_FILES:
                continue
            if identifier == _RENDER_DATA or not found:
                if len(found) == _ATTACHMENTS:
                    raise Broken
                found.append(File())
            if identifier == _TITLE:
                found[-1].names += texts(value)
            elif identifier == _DATA:
                found[-1].contents.append(value)
            elif identifier == _PROPERTIES:
                _take(found[-1], value)
    except (struct.error, IndexError) as fault:
        raise Broken from fault
    return found


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(identifier, value) of each; 2.1.3.3. Its level says less than its identifier, and programs do not ask for it."""
    if not data.startswith(TNEF):
        raise Broken
    at = 6  # signature, key
    while at + 9 <= len(data):
        level, identifier, length = struct.unpack_from("<BII", data, at)
        at += 9
        if level not in (1, 2) or at + length + 2 > len(data):
            raise Broken
        yield identifier, data[at : at + length]
        at += length + 2  # checksum


def _take(file: File, properties: bytes) -> None:
    for identifier, value in _properties(properties):
        kind, ident = identifier & 0xFFF, identifier >> 16
        if ident in _NAMES and kind in (_STRING, _UNICODE):
            file.names += texts(value, wide=kind == _UNICODE)
        elif ident == _OBJECT and kind == _EMBEDDED and value.startswith(TNEF, _INTERFACE):
            file.letters.append(value[_INTERFACE:])
        elif ident == _OBJECT:
            file.contents.append(value[_INTERFACE:] if kind == _EMBEDDED else value)


def _properties(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(identifier with its type, value) of each; 2.1.3.2."""
    (count,), at = struct.unpack_from("<I", data), 4
    for _ in range(count):
        (identifier,) = struct.unpack_from("<I", data, at)
        kind, at = identifier & 0xFFFF, at + 4
        if identifier >> 16 >= _NAMED:
            at = _after_name(data, at)
        multiple, kind = kind & _MULTIPLE, kind & ~_MULTIPLE
        variable = kind in (_STRING, _UNICODE, _BLOB, _EMBEDDED)
        values = 1
        if multiple or variable:
            (values,), at = struct.unpack_from("<I", data, at), at + 4
        for _ in range(values):
            if variable:
                (size,), at = struct.unpack_from("<I", data, at), at + 4
            else:
                size = _WIDTHS.get(kind, -1)
            if size < 0 or at + size > len(data):
                raise Broken
            yield identifier, data[at : at + size]
            at += -(-size // 4) * 4


def _after_name(data: bytes, at: int) -> int:
    """Behind a property's set, and its number or name."""
    (by_name,) = struct.unpack_from("<I", data, at + 16)
    (value,) = struct.unpack_from("<I", data, at + 20)
    return at + 24 + (-(-value // 4) * 4 if by_name else 0)


def texts(value: bytes, wide: bool = False) -> list[str]:
    """A name ends at its first zero, as most programs read it; or goes on."""
    text = value.decode("utf-16-le" if wide else "cp1252", "replace").rstrip("\0")
    return list(dict.fromkeys((text.partition("\0")[0], text)))

"""What compound files hold: the attachments of Outlook's messages (MS-OXMSG); of Office documents before 2007 the files behind an
icon, the documents within, a password, macros of before VBA."""

from __future__ import annotations

import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator

from mailserver.contents.compound import Broken, Compound, Path
from mailserver.contents.kinds import OLE, WHOLE
from mailserver.contents.tnef import File, texts

# MS-OXMSG 2.2.1: `__substg1.0_`, number of the property, its type; the properties are those of MS-OXTNEF
_PROPERTY = re.compile(r"__substg1\.0_([0-9a-f]{4})([0-9a-f]{4})")
_DATA, _NAMES, _UNICODE = "3701", ("3704", "3707", "3001", "370d"), "001f"
_LETTER, _ADDRESSEE = "__substg1.0_3701000d", "__recip_version1.0_"  # 2.2.2.1, 2.2.1
_ICON = "\x01ole10native"  # MS-OLEDS 2.3.6
_OBJECTS = ("package", "contents")  # MS-OLEDS: a document of 2007 or later; a PDF
_LOCKED = "encryptedpackage"  # MS-OFFCRYPTO 1.3: a document of 2007 or later
_WORKBOOKS, _WORD, _SLIDES, _READER = ("workbook", "book"), "worddocument", "powerpoint document", "current user"
_FILEPASS, _SHEET, _MACRO_SHEET = 0x2F, 0x85, 1  # MS-XLS 2.4.117, 2.4.28
_END = 0x0A  # of the list of sheets: MS-XLS 2.1.7.20.3
_WORD_LOCKED = 0x100  # MS-DOC 2.5.2: fEncrypted
_SLIDES_LOCKED = 0xF3D1C4DF  # MS-PPT 2.3.2: headerToken
_OBJECT = re.compile(rb"[\x00\x10]\x00\x11\x10(....)", re.DOTALL)  # MS-PPT 2.10.34: plain or deflated, its length
_OBJECTS_MOST = 1_000


def is_outlooks(opened: Compound) -> bool:
    return any(_PROPERTY.fullmatch(path[-1]) for path in opened.streams)


def marks(opened: Compound) -> tuple[bool, bool]:
    """(has a password, has macros in a sheet). Behind a password nobody can tell of macros."""
    locked = macros = False
    for path in opened.streams:
        match path[-1]:
            case name if name in _WORKBOOKS:
                for kind, body in _records(_read(opened, path)):
                    locked |= kind == _FILEPASS
                    macros |= kind == _SHEET and body[5:6] == bytes([_MACRO_SHEET])
            case name if name == _WORD:
                locked |= bool(_number(_read(opened, path)[10:12]) & _WORD_LOCKED)
            case name if name == _READER:
                locked |= _number(_read(opened, path)[12:16]) == _SLIDES_LOCKED
            case name if name == _LOCKED:
                locked = True
    return locked, macros


def files(opened: Compound) -> Iterator[File]:
    """Attachments of a message and of those in it; what stands behind icons; documents in documents. Raises `compound.Broken`."""
    names: dict[Path, list[str]] = defaultdict(list)
    contents: dict[Path, list[bytes]] = defaultdict(list)
    for path in opened.streams:
        if found := _PROPERTY.fullmatch(path[-1]):
            if found[1] == _DATA:
                contents[path[:-1]].append(_read(opened, path))
            elif found[1] in _NAMES and path[:-1] and not path[-2].startswith(_ADDRESSEE):
                names[path[:-1]] += texts(_read(opened, path), wide=found[2] == _UNICODE)
        elif path[-1] == _ICON:
            yield _behind_icon(_read(opened, path))
        elif path[-1] == _SLIDES:
            yield from (File([], [octets]) for octets in _in_slides(_read(opened, path)))
        elif path[-1] in _OBJECTS:
            yield File([], [_read(opened, path)])
    letters = {path[:place] for path in opened.streams for place, name in enumerate(path) if name == _LETTER}
    for storage in {**names, **contents}:
        if storage not in letters or storage in contents:  # of a message in it, a name is the subject
            yield File(names[storage], contents[storage])


def _read(opened: Compound, path: Path) -> bytes:
    return opened.read(opened.streams[path])


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "little")


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Of a workbook, as far as its list of sheets goes; MS-XLS 2.1.4."""
    at = 0
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("<HH", data, at)
        if kind == _END:
            return
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def _in_slides(data: bytes) -> Iterator[bytes]:
    """Compound files of a presentation: objects, and its macros. PowerPoint is led to them by a list of places; here, wherever one
    may begin."""
    for count, found in enumerate(_OBJECT.finditer(data)):
        if count == _OBJECTS_MOST:
            raise Broken
        octets = data[found.end() : found.end() + _number(found[1])]
        if not octets.startswith(OLE):
            octets = _inflated(octets[4:])
        if octets.startswith(OLE):
            yield octets


def _inflated(data: bytes) -> bytes:
    """What can be, as far as is looked at in any container."""
    try:
        return zlib.decompressobj().decompress(data, WHOLE + 1)
    except zlib.error:
        return b""


def _behind_icon(data: bytes) -> File:
    """The label, where the file was, the command that opens it, its octets: so Windows' Packager writes it. Of other programs'
    objects, octets alone."""
    try:
        label, at = _to_zero(data, 6)
        place, at = _to_zero(data, at)
        length = _number(data[at + 4 : at + 8])
        command, at = data[at + 8 : at + 8 + length], at + 8 + length
        size = _number(data[at : at + 4])
    except ValueError:
        return File([], [data[4:]])
    names = [name for value in (label, place, command) for name in texts(value)]
    return File(names, [data[at + 4 : at + 4 + size], data[4:]])


def _to_zero(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.index(b"\0", at)
    return data[at:end], end + 1

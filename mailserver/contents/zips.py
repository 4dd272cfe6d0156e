"""What a ZIP file holds, as far as its list and the first octets of each entry show: Office documents, XDM, Java archives too."""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator

from mailserver.contents import documents, names
from mailserver.contents.kinds import HEAD, WHOLE, Found, Kind, is_container, locked, named, signs, unreadable
from mailserver.contents.purse import Purse

ENTRIES = 1_000  # of an archive: more is no exchange of documents
_ENTRY_HEAD = 4 * 1024
_DOCUMENT = 1024 * 1024  # octets of a document: longer ones are opened elsewhere
_LISTING = 256 * 1024  # octets of an archive's list
_END, _64 = b"PK\x05\x06", b"PK\x06\x07"
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    UnicodeError,
    IndexError,
    OverflowError,
    MemoryError,
)


_UNREADABLE = unreadable("ZIP")
_VBA, _XLM = (Found(Kind.MACROS, f"Microsoft Office + macros {one}") for one in ("VBA", "XLM"))
_TEMPLATE = Found(Kind.MACROS, "Microsoft Office + template from elsewhere")
_BASIC = Found(Kind.MACROS, "OpenDocument + macros")
_TYPES, _RELATIONS = "[content_types].xml", ".rels"  # ECMA-376 part 2, 7.2.3, 7.3
_FETCHED = re.compile(rb"Target\s*=\s*[\"']\s*(?:https?|ftp|mhtml):", re.IGNORECASE)
_UNICODE_NAME = 0x7075  # APPNOTE 4.6.9: of an extra field with another name


def inside(data: bytes, scripts: Collection[str], purse: Purse) -> list[Found]:
    """All that is worth a word in it."""
    if not _bounded(data):
        return [_UNREADABLE]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return list(dict.fromkeys(_entries(archive, scripts, purse)))
    except BROKEN:
        return [_UNREADABLE]


def end_of(data: bytes) -> int:
    """Where the end record begins; -1: there is none."""
    return data.rfind(_END, max(0, len(data) - 22 - 65_535))


def _entries(archive: zipfile.ZipFile, scripts: Collection[str], purse: Purse) -> Iterator[Found]:
    """Each on its own: one that is broken hides no other."""
    yield from _by_list({info.filename.lower() for info in archive.infolist()})
    for number, info in enumerate(archive.infolist()):
        if number == ENTRIES or purse.entries == 0:
            yield _UNREADABLE
            return
        purse.entries -= 1
        for name in _names(info):
            yield from (found.inside("ZIP") for found in named(name, scripts))
        try:
            yield from _entry(archive, info, purse)
        except BROKEN:
            yield _UNREADABLE


def _by_list(found: Collection[str]) -> Iterator[Found]:
    if any(name.endswith(".class") for name in found) and "meta-inf/manifest.mf" in found:
        yield Found(Kind.EXECUTABLE, "Java JAR")
    if "androidmanifest.xml" in found:
        yield Found(Kind.EXECUTABLE, "Android APK")
    if "appxmanifest.xml" in found or any(name.startswith("appxmetadata/") for name in found):
        yield Found(Kind.EXECUTABLE, "Windows MSIX")
    if any(name.endswith("vbaproject.bin") for name in found):
        yield _VBA
    if any("/macrosheets/" in name for name in found):
        yield _XLM
    if "mimetype" in found and any(name.startswith(("basic/", "scripts/")) for name in found):  # ODF 1.3 part 2, 3.16
        yield _BASIC


def _names(info: zipfile.ZipInfo) -> set[str]:
    """Which of them a program takes is its own affair."""
    found, at, extra = {info.filename}, 0, info.extra
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == _UNICODE_NAME:
            found.add(extra[at + 9 : at + 4 + length].decode("utf-8", "replace"))
        at += 4 + length
    return found


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, purse: Purse) -> Iterator[Found]:
    if info.flag_bits & 1:
        yield locked("ZIP")
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        yield _UNREADABLE  # others may ask for any memory
    elif not info.is_dir():
        length = HEAD if info.filename.lower() == _TYPES else _ENTRY_HEAD
        if names.ending(info.filename) in names.IMAGES:
            if purse.images == 0:
                yield _UNREADABLE
                return
            purse.images, length = purse.images - 1, HEAD
        with archive.open(info) as file:
            head = file.read(length)
            yield from _by_part(info.filename.lower(), head)
            yield from (found.inside("ZIP") for found in content(info.filename, head, file.read, purse))


def _by_part(name: str, head: bytes) -> Iterator[Found]:
    """What an Office document says of its parts, whatever they are called."""
    if name == _TYPES:
        if b"vbaproject" in head.lower():
            yield _VBA
        if b"macrosheet" in head.lower():
            yield _XLM
    elif name.endswith(_RELATIONS) and b"/attachedTemplate" in head and _FETCHED.search(head):
        yield _TEMPLATE


def content(name: str, head: bytes, read: Callable[[int], bytes], purse: Purse) -> Iterable[Found]:
    """All that is worth a word in a file of an archive, but its name; `read`: what follows the head."""
    found = [*documents.sealed(head, name), *signs(head)]
    if not is_container(head, name):
        return [*found, *_document(name, head, read, purse)] if documents.is_document(head, name) else found
    if purse.within is None:
        purse.shut = True
        return found
    return purse.within(name, head + read(WHOLE))


def _document(name: str, head: bytes, read: Callable[[int], bytes], purse: Purse) -> Iterable[Found]:
    most = _DOCUMENT if purse.within is None else WHOLE
    data = head + read(most)
    if len(data) > most and purse.within is not None:
        return [unreadable("document")]
    shut, purse.shut = purse.shut, len(data) > most
    found = list(documents.look(data, name, purse))
    if purse.shut and purse.within is not None:
        found += purse.within(name, data)
    purse.shut |= shut
    return found


def _bounded(data: bytes) -> bool:
    """Its list is as short as it must be, before anybody reads it: the end record says how many octets it has. One of ZIP64 says
    more, and is for archives larger than any message. Where another end stands in the comment of the first, each program has its
    own.
    """
    at = end_of(data)
    if at < 0 or at + 22 > len(data) or data[max(0, at - 20) :].startswith(_64) or len(_ends(data)) > 1:
        return False
    return int.from_bytes(data[at + 12 : at + 16], "little") <= _LISTING


def _ends(data: bytes) -> list[int]:
    """The records whose comment ends with the file (APPNOTE 4.3.16)."""
    tail = data[max(0, len(data) - 22 - 65_535) :]
    places = (found.start() for found in re.finditer(re.escape(_END), tail))
    return [at for at in places if at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail)]

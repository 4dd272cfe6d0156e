"""What an attachment is, by its octets and never by its declared type: what would run, what nobody can look into.

Pure and bounded: the first octets of a file; of a ZIP its list and the first octets of each entry, one level deep. Scripts have no
signature: they are text, and it is the name that makes a system run them; so there, and only there, the name counts.
"""

from __future__ import annotations

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum

START = 4 * 1024  # octets, in base64, that show what most files are
HEAD = 46 * 1024  # of the others: the signature of a disc image lies behind 32 KiB
ENTRIES = 1_000  # of an archive: more is no exchange of documents
_ENTRY_HEAD = 4 * 1024
_LISTING = 256 * 1024  # octets of an archive's list


class Kind(Enum):
    EXECUTABLE = "executable"
    SCRIPT = "script"
    DISK_IMAGE = "disk_image"
    MACROS = "macros"
    ENCRYPTED = "encrypted"
    UNREADABLE = "unreadable"
    OTHER_ARCHIVE = "other_archive"


@dataclass(frozen=True, slots=True)
class Found:
    """`label`: technical, the same in both languages; nothing of the file's name but the ending of a script's."""

    kind: Kind
    label: str

    def inside(self) -> Found:
        return Found(self.kind, f"ZIP > {self.label}")


_SIGNATURES: tuple[tuple[bytes, Kind, str], ...] = (
    (b"MZ", Kind.EXECUTABLE, "Windows EXE"),
    (b"\x7fELF", Kind.EXECUTABLE, "Linux ELF"),
    (b"\xfe\xed\xfa\xce", Kind.EXECUTABLE, "macOS Mach-O"),
    (b"\xfe\xed\xfa\xcf", Kind.EXECUTABLE, "macOS Mach-O"),
    (b"\xce\xfa\xed\xfe", Kind.EXECUTABLE, "macOS Mach-O"),
    (b"\xcf\xfa\xed\xfe", Kind.EXECUTABLE, "macOS Mach-O"),
    (b"\xca\xfe\xba\xbe", Kind.EXECUTABLE, "Java CLASS"),
    (b"dex\n", Kind.EXECUTABLE, "Android DEX"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", Kind.EXECUTABLE, "Windows LNK"),
    (b"ITSF", Kind.EXECUTABLE, "Windows CHM"),
    (b"#!", Kind.SCRIPT, "script #!"),
    (b"vhdxfile", Kind.DISK_IMAGE, "VHDX"),
    (b"conectix", Kind.DISK_IMAGE, "VHD"),
    (b"Rar!\x1a\x07", Kind.OTHER_ARCHIVE, "RAR"),
    (b"7z\xbc\xaf\x27\x1c", Kind.OTHER_ARCHIVE, "7z"),
    (b"MSCF", Kind.OTHER_ARCHIVE, "CAB"),
    (b"\x1f\x8b", Kind.OTHER_ARCHIVE, "GZIP"),
    (b"BZh", Kind.OTHER_ARCHIVE, "BZIP2"),
    (b"\xfd7zXZ\x00", Kind.OTHER_ARCHIVE, "XZ"),
)
_DOCUMENTS = (b"%PDF-", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\x00", b"MM\x00*", b"{\\rtf")
_IMAGES = ("iso", "img")
_ISO = b"CD001"  # at 32 769 (ECMA-119 8.1.2)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # Office before 2007, installers
_MSI = bytes.fromhex("84100c0000000000c000000000000046")  # class of an installer's root
_VBA = "_VBA_PROJECT".encode("utf-16-le")
_ZIP, _ZIP_END = (b"PK\x03\x04", b"PK\x05\x06"), b"PK\x05\x06"
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BROKEN = (
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


def is_plain(start: bytes, name: str, scripts: Collection[str]) -> bool:
    """Its first octets are a document's or a picture's, and its name makes nothing else of it: nothing more to look at."""
    return start.startswith(_DOCUMENTS) and _ending(name) not in (*_IMAGES, *scripts)


def is_container(head: bytes) -> bool:
    """Whether `look` wants all of it."""
    return head.startswith((*_ZIP, _OLE))


def look(data: bytes, name: str, scripts: Collection[str]) -> list[Found]:
    """All that is worth a word about this file; `scripts`: endings of names, in lower case, that make a system run a text."""
    if data.startswith(_ZIP):
        return _zip(data, scripts)
    if data.startswith(_OLE):
        return _ole(data)
    found = _plain(data[:HEAD], name, scripts)
    return [found] if found else []


def _plain(head: bytes, name: str, scripts: Collection[str]) -> Found | None:
    for signature, kind, label in _SIGNATURES:
        if head.startswith(signature):
            return Found(kind, label)
    if head[32_769:32_774] == _ISO:
        return Found(Kind.DISK_IMAGE, "ISO")
    ending = _ending(name)
    if ending in scripts and not _CONTROL.search(head[:_ENTRY_HEAD].replace(b"\x00", b"")):  # UTF-16 too
        return Found(Kind.SCRIPT, f"script .{ending}")
    return None


def _ole(data: bytes) -> list[Found]:
    if _MSI in data:
        return [Found(Kind.EXECUTABLE, "Windows MSI")]
    return [Found(Kind.MACROS, "Microsoft Office + macros VBA")] if _VBA in data else []


# ---------------------------------------------------------------- archives
def _zip(data: bytes, scripts: Collection[str]) -> list[Found]:
    if not _bounded(data):
        return [_UNREADABLE]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return list(dict.fromkeys(_entries(archive, scripts)))
    except _BROKEN:
        return [_UNREADABLE]


_UNREADABLE = Found(Kind.UNREADABLE, "ZIP illisible / unreadable ZIP")


def _entries(archive: zipfile.ZipFile, scripts: Collection[str]) -> Iterator[Found]:
    names = {info.filename.lower() for info in archive.infolist()}
    if "meta-inf/manifest.mf" in names and any(name.endswith((".class", ".dex")) for name in names):
        yield Found(Kind.EXECUTABLE, "Java JAR")
    if any(name.endswith("vbaproject.bin") for name in names):
        yield Found(Kind.MACROS, "Microsoft Office + macros VBA")
    for number, info in enumerate(archive.infolist()):
        if number == ENTRIES:
            yield _UNREADABLE
            return
        if info.flag_bits & 1:
            yield Found(Kind.ENCRYPTED, "ZIP chiffré / encrypted ZIP")
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield _UNREADABLE  # others may ask for any memory
        elif not info.is_dir():
            length = HEAD if _ending(info.filename) in _IMAGES else _ENTRY_HEAD
            with archive.open(info) as file:
                found = _plain(file.read(length), info.filename, scripts)
            if found is not None and found.kind is not Kind.OTHER_ARCHIVE:
                yield found.inside()


def _bounded(data: bytes) -> bool:
    """Its list is as short as it must be, before anybody reads it: the end record says how many octets it has."""
    at = data.rfind(_ZIP_END, max(0, len(data) - 22 - 65_535))
    return at >= 0 and at + 22 <= len(data) and int.from_bytes(data[at + 12 : at + 16], "little") <= _LISTING


def _ending(name: str) -> str:
    """What Windows sees: without the dots and spaces that it drops at the end."""
    return name.rstrip(". ").rpartition(".")[2].lower()

"""What an attachment is, by its octets and never by its declared type: what would run, what nobody can look into.

Pure and bounded: the first octets of a file; of a ZIP its list and the first octets of each entry. What only opening shows (an
archive in another or of another format, Outlook's winmail.dat) is left shut here, and opened by `descent` in a process of its own.
Scripts have no signature: it is the name that makes a system run them, whatever else stands in them, for browsers and shells skip
what they do not understand. And a name makes a system open a file as an archive, whatever stands in front of it. There, and only
there, names count.
"""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

START = 4 * 1024  # octets, in base64, that show what most files are
HEAD = 46 * 1024  # of the others: the signature of a disc image lies behind 32 KiB
ENTRIES = 1_000  # of an archive: more is no exchange of documents
OF_MESSAGE, IMAGES = 4_000, 20  # entries of all archives of one message; disc images among them
SEEN = 32_774  # decoded octets that must have been looked at: as far as the signature of a disc image
WHOLE = 32 * 1024 * 1024  # octets of a container in an archive: beyond them it is unreadable
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

    def inside(self, archive: str) -> Found:
        return Found(self.kind, f"{archive} > {self.label}")


def unreadable(what: str) -> Found:
    return Found(Kind.UNREADABLE, f"{what} illisible / unreadable {what}")


def locked(what: str) -> Found:
    return Found(Kind.ENCRYPTED, f"{what} chiffré / encrypted {what}")


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
    (b"\x28\xb5\x2f\xfd", Kind.OTHER_ARCHIVE, "ZSTD"),
    (b"\x1f\x9d", Kind.OTHER_ARCHIVE, "COMPRESS"),
)
_FURTHER: tuple[tuple[int, bytes, str], ...] = (  # archives whose signature stands further in
    (257, b"ustar", "TAR"),
    (2, b"-lh", "LHA"),
    (7, b"**ACE**", "ACE"),
)
TNEF = b"\x78\x9f\x3e\x22"  # MS-OXTNEF 2.1.3.1: Outlook's winmail.dat
_DOCUMENTS = (b"%PDF-", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\x00", b"MM\x00*", b"{\\rtf")
_IMAGES = ("iso", "img")
_VOLUMES = (b"CD001", b"BEA01", b"NSR02", b"NSR03")  # at 32 769: ISO (ECMA-119 8.1.2), UDF without it (ECMA-167 2/9.1)
_MOUNTED = ("vhd", "vhdx")  # a VHD of fixed size is recognised by its last sector, and mounted by its name
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # MS-CFB: Office before 2007, Outlook, installers
_INSTALLERS = tuple(  # class of the root: MSI, its patches, its transforms
    bytes.fromhex(f"{one}100c0000000000c000000000000046") for one in ("84", "86", "82")
)
_VBA = "_VBA_PROJECT".encode("utf-16-le")
_ZIP, _ZIP_END, _ZIP_64 = (b"PK\x03\x04", b"PK\x05\x06"), b"PK\x05\x06", b"PK\x06\x07"
_ZIP_NAMES = frozenset(
    "zip zipx jar apk xpi docx docm dotm xlsx xlsm xlsb xltm xlam pptx pptm potm ppsm odt ods odp".split()
)
_ARCHIVE_NAMES = frozenset("7z rar cab ace lzh lha gz tgz bz2 tbz tbz2 xz txz zst tar tnef".split())
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


def is_plain(start: bytes, name: str, scripts: Collection[str]) -> bool:
    """Its first octets are a document's or a picture's, and its name makes nothing else of it: nothing more to look at."""
    return start.startswith(_DOCUMENTS) and _ending(name) not in (
        *_IMAGES,
        *_MOUNTED,
        *_ZIP_NAMES,
        *_ARCHIVE_NAMES,
        *scripts,
    )


@dataclass(slots=True)
class Purse:
    """What may still be looked at in the archives of one message. `within(name, whole)` looks into a container in an archive; where
    there is none, `shut` tells that something was met which only opening shows."""

    entries: int = OF_MESSAGE
    images: int = IMAGES
    within: Callable[[str, bytes], Iterable[Found]] | None = None
    shut: bool = False


def is_container(head: bytes, name: str) -> bool:
    """Whether `look` wants all of it."""
    return (
        head.startswith(_ZIP)
        or _ending(name) in _ZIP_NAMES
        or is_letter(name)
        or is_shut(head)
        or _is_hidden(head, name)
    )


def is_letter(name: str) -> bool:
    """A message as a file: mail clients open it, and its attachments, by its name."""
    return _ending(name) == "eml"


def is_shut(head: bytes) -> bool:
    """Only opening shows what it holds."""
    return bool(archive_of(head)) or head.startswith((TNEF, OLE))


def _is_hidden(head: bytes, name: str) -> bool:
    """An archive by its name only: programs look for one behind whatever stands in front, we do not."""
    return _ending(name) in _ARCHIVE_NAMES and not (head.startswith(_ZIP) or is_shut(head))


def archive_of(head: bytes) -> str:
    """The label of an archive that is not a ZIP; empty: none."""
    for signature, kind, label in _SIGNATURES:
        if kind is Kind.OTHER_ARCHIVE and head.startswith(signature):
            return label
    return next((label for at, signature, label in _FURTHER if head.startswith(signature, at)), "")


def look(data: bytes, name: str, scripts: Collection[str], purse: Purse | None = None) -> list[Found]:
    """All that is worth a word about this file; `scripts`: endings of names, in lower case, that make a system run it."""
    purse = purse or Purse()
    purse.shut |= is_shut(data[:HEAD])
    found = [*named(name, scripts)]
    if _is_hidden(data[:HEAD], name):
        found.append(unreadable("archive"))
    if data.startswith(_ZIP) or (_ending(name) in _ZIP_NAMES and _end_of(data) >= 0):
        found += _zip(data, scripts, purse)
    elif data.startswith(OLE):
        found += _ole(data)
    return [*found, *signs(data[:HEAD])]


def named(name: str, scripts: Collection[str]) -> Iterator[Found]:
    ending = _ending(name)
    if ending in scripts:
        yield Found(Kind.SCRIPT, f"script .{ending}")
    if ending in _MOUNTED:
        yield Found(Kind.DISK_IMAGE, ending.upper())


def signs(head: bytes) -> Iterator[Found]:
    for signature, kind, label in _SIGNATURES:
        if kind is not Kind.OTHER_ARCHIVE and head.startswith(signature):
            yield Found(kind, label)
    if archive := archive_of(head):
        yield Found(Kind.OTHER_ARCHIVE, archive)
    if head[32_769:SEEN] in _VOLUMES:
        yield Found(Kind.DISK_IMAGE, "ISO")


def _ole(data: bytes) -> list[Found]:
    if any(one in data for one in _INSTALLERS):
        return [Found(Kind.EXECUTABLE, "Windows MSI")]
    return [Found(Kind.MACROS, "Microsoft Office + macros VBA")] if _VBA in data else []


# ---------------------------------------------------------------- archives
def _zip(data: bytes, scripts: Collection[str], purse: Purse) -> list[Found]:
    if not _bounded(data):
        return [_UNREADABLE]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return list(dict.fromkeys(_entries(archive, scripts, purse)))
    except BROKEN:
        return [_UNREADABLE]


_UNREADABLE = unreadable("ZIP")


def _entries(archive: zipfile.ZipFile, scripts: Collection[str], purse: Purse) -> Iterator[Found]:
    names = {info.filename.lower() for info in archive.infolist()}
    if "meta-inf/manifest.mf" in names and any(name.endswith((".class", ".dex")) for name in names):
        yield Found(Kind.EXECUTABLE, "Java JAR")
    if any(name.endswith("vbaproject.bin") for name in names):
        yield Found(Kind.MACROS, "Microsoft Office + macros VBA")
    for number, info in enumerate(archive.infolist()):
        if number == ENTRIES or purse.entries == 0:
            yield _UNREADABLE
            return
        purse.entries -= 1
        yield from (found.inside("ZIP") for found in named(info.filename, scripts))
        yield from _entry(archive, info, purse)


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, purse: Purse) -> Iterator[Found]:
    if info.flag_bits & 1:
        yield locked("ZIP")
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        yield _UNREADABLE  # others may ask for any memory
    elif not info.is_dir():
        length = _ENTRY_HEAD
        if _ending(info.filename) in _IMAGES:
            if purse.images == 0:
                yield _UNREADABLE
                return
            purse.images, length = purse.images - 1, HEAD
        with archive.open(info) as file:
            yield from (found.inside("ZIP") for found in _content(info.filename, file.read(length), file.read, purse))


def _content(name: str, head: bytes, read: Callable[[int], bytes], purse: Purse) -> Iterable[Found]:
    """`read`: what follows the head."""
    if not is_container(head, name):
        return signs(head)
    if purse.within is None:
        purse.shut = True
        return signs(head)
    return purse.within(name, head + read(WHOLE))


def _bounded(data: bytes) -> bool:
    """Its list is as short as it must be, before anybody reads it: the end record says how many octets it has. One of ZIP64 says
    more, and is for archives larger than any message.
    """
    at = _end_of(data)
    if at < 0 or at + 22 > len(data) or data[max(0, at - 20) :].startswith(_ZIP_64):
        return False
    return int.from_bytes(data[at + 12 : at + 16], "little") <= _LISTING


def _end_of(data: bytes) -> int:
    """Where the end record begins; -1: there is none."""
    return data.rfind(_ZIP_END, max(0, len(data) - 22 - 65_535))


def _ending(name: str) -> str:
    """What Windows sees: without the dots and spaces that it drops at the end."""
    return name.rstrip(". ").rpartition(".")[2].lower()

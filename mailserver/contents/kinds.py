"""What an attachment is, by its octets and never by its declared type: what would run, what nobody can look into.

Pure and bounded: the first octets of a file, and its name. Scripts have no signature: it is the name that makes a system run them,
whatever else stands in them, for browsers and shells skip what they do not understand. And a name makes a system open a file as an
archive, whatever stands in front of it. There, and only there, names count.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum

from mailserver.contents import names

START = 4 * 1024  # octets, in base64, that show what most files are
HEAD = 46 * 1024  # of the others: the signature of a disc image lies behind 32 KiB
SEEN = 32_774  # decoded octets that must have been looked at: as far as the signature of a disc image
WHOLE = 32 * 1024 * 1024  # octets of a container in an archive: beyond them it is unreadable


class Kind(Enum):
    EXECUTABLE = "executable"
    SCRIPT = "script"
    DISK_IMAGE = "disk_image"
    MACROS = "macros"
    ACTIVE_PAGE = "active_page"
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
    (b"xar!", Kind.EXECUTABLE, "macOS PKG"),
    (b"dex\n", Kind.EXECUTABLE, "Android DEX"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", Kind.EXECUTABLE, "Windows LNK"),
    (b"ITSF", Kind.EXECUTABLE, "Windows CHM"),
    (b"!<arch>\ndebian-binary", Kind.EXECUTABLE, "Linux DEB"),
    (b"\xed\xab\xee\xdb", Kind.EXECUTABLE, "Linux RPM"),
    (b"#!", Kind.SCRIPT, "script #!"),
    (b"ActiveMime", Kind.MACROS, "Microsoft Office + macros VBA"),  # of a document that is a message: editdata.mso
    (b"-----BEGIN PGP MESSAGE-----", Kind.ENCRYPTED, "PGP chiffré / encrypted PGP"),
    (b"Salted__", Kind.ENCRYPTED, "OpenSSL chiffré / encrypted OpenSSL"),
    (b"vhdxfile", Kind.DISK_IMAGE, "VHDX"),
    (b"conectix", Kind.DISK_IMAGE, "VHD"),
    (b"KDMV", Kind.DISK_IMAGE, "VMDK"),
    (b"QFI\xfb", Kind.DISK_IMAGE, "QCOW"),
    (b"encrcdsa", Kind.DISK_IMAGE, "DMG"),
    (b"Rar!\x1a\x07", Kind.OTHER_ARCHIVE, "RAR"),
    (b"7z\xbc\xaf\x27\x1c", Kind.OTHER_ARCHIVE, "7z"),
    (b"MSCF", Kind.OTHER_ARCHIVE, "CAB"),
    (b"\x1f\x8b", Kind.OTHER_ARCHIVE, "GZIP"),
    (b"BZh", Kind.OTHER_ARCHIVE, "BZIP2"),
    (b"\xfd7zXZ\x00", Kind.OTHER_ARCHIVE, "XZ"),
    (b"\x28\xb5\x2f\xfd", Kind.OTHER_ARCHIVE, "ZSTD"),
    (b"\x1f\x9d", Kind.OTHER_ARCHIVE, "COMPRESS"),
    # From here on nothing opens them here, though programs do: `archives.FORMATS`
    (b"\x60\xea", Kind.OTHER_ARCHIVE, "ARJ"),
    (b"RE~^", Kind.OTHER_ARCHIVE, "RAR 1"),
    (b"MSWIM\x00", Kind.OTHER_ARCHIVE, "WIM"),
    (b"LZIP\x01", Kind.OTHER_ARCHIVE, "LZIP"),
    (b"\x04\x22\x4d\x18", Kind.OTHER_ARCHIVE, "LZ4"),
    (b"\x5d\x00\x00", Kind.OTHER_ARCHIVE, "LZMA"),
    (b"\x1f\xa0", Kind.OTHER_ARCHIVE, "COMPRESS"),
    (b"\x1f\x1e", Kind.OTHER_ARCHIVE, "PACK"),
    (b"SZDD\x88\xf0\x27\x33", Kind.OTHER_ARCHIVE, "SZDD"),
    (b"KWAJ\x88\xf0\x27\xd1", Kind.OTHER_ARCHIVE, "KWAJ"),
    (b"ISc(", Kind.OTHER_ARCHIVE, "InstallShield CAB"),
    (b"!<arch>\n", Kind.OTHER_ARCHIVE, "AR"),
    (b"StuffIt ", Kind.OTHER_ARCHIVE, "StuffIt"),
    (b"(This file must be converted with BinHex", Kind.OTHER_ARCHIVE, "BinHex"),
    (b"ALZ\x01", Kind.OTHER_ARCHIVE, "ALZ"),
    (b"EGGA\x00", Kind.OTHER_ARCHIVE, "EGG"),
    (b"ArC\x01", Kind.OTHER_ARCHIVE, "FreeArc"),
    (b"hsqs", Kind.OTHER_ARCHIVE, "SquashFS"),
)
_FURTHER: tuple[tuple[int, bytes, Kind, str], ...] = (  # whose signature stands further in
    (257, b"ustar", Kind.OTHER_ARCHIVE, "TAR"),
    (2, b"-lh", Kind.OTHER_ARCHIVE, "LHA"),
    (2, b"-lz", Kind.OTHER_ARCHIVE, "LHA"),
    (7, b"**ACE**", Kind.OTHER_ARCHIVE, "ACE"),
    (10, b"rLau", Kind.OTHER_ARCHIVE, "StuffIt"),
    (20, b"\xdc\xa7\xc4\xfd", Kind.OTHER_ARCHIVE, "ZOO"),
    (3, b"NTFS    ", Kind.DISK_IMAGE, "NTFS"),
    (3, b"EXFAT   ", Kind.DISK_IMAGE, "FAT"),
    (54, b"FAT1", Kind.DISK_IMAGE, "FAT"),
    (82, b"FAT32", Kind.DISK_IMAGE, "FAT"),
    (64, b"\x7f\x10\xda\xbe", Kind.DISK_IMAGE, "VDI"),
    *(
        (32_769, volume, Kind.DISK_IMAGE, "ISO")
        for volume in (b"CD001", b"BEA01", b"NSR02", b"NSR03", b"CDW02", b"BOOT2")
    ),
)  # ISO (ECMA-119 8.1.2), UDF without it (ECMA-167 2/9.1, 2/8.3.1)
_CPIO = re.compile(rb"07070[12][0-9A-Fa-f]{104}|070707[0-7]{70}|\xc7\x71.{24}", re.DOTALL)
TNEF = b"\x78\x9f\x3e\x22"  # MS-OXTNEF 2.1.3.1: Outlook's winmail.dat
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # MS-CFB: Office before 2007, Outlook, installers
ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK00PK", b"PK\x07\x08PK")
ONENOTE = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")  # MS-ONESTORE 2.3.1
PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\x00", b"MM\x00*")


def is_letter(name: str) -> bool:
    """Mail clients and browsers open it, and its attachments, by its name."""
    return names.ending(name) in names.LETTERS


def is_shut(head: bytes) -> bool:
    """Only opening shows what it holds."""
    return bool(archive_of(head)) or head.startswith((TNEF, OLE, ONENOTE))


def is_hidden(head: bytes, name: str) -> bool:
    """An archive by its name only: programs look for one behind whatever stands in front, we do not."""
    return names.ending(name) in names.ARCHIVES and not (head.startswith(ZIP) or is_shut(head))


def is_container(head: bytes, name: str) -> bool:
    """Whether `looking.look` wants all of it."""
    return (
        head.startswith(ZIP)
        or names.ending(name) in names.ZIPS
        or is_letter(name)
        or is_shut(head)
        or is_hidden(head, name)
    )


def archive_of(head: bytes) -> str:
    """The label of an archive that is not a ZIP; empty: none."""
    return next((found.label for found in signs(head) if found.kind is Kind.OTHER_ARCHIVE), "")


def named(name: str, scripts: Collection[str]) -> Iterator[Found]:
    """`scripts`: endings of names, in lower case, that make a system run a file."""
    for ending in sorted(names.endings(name)):
        if ending in scripts:
            yield Found(Kind.SCRIPT, f"script .{ending}")
        if ending in names.MOUNTED:
            yield Found(Kind.DISK_IMAGE, ending.upper())


def signs(head: bytes) -> Iterator[Found]:
    """One of those at the beginning: the first that fits. Of the others each."""
    for signature, kind, label in _SIGNATURES:
        if head.startswith(signature):
            yield Found(kind, label)
            break
    for at, signature, kind, label in _FURTHER:
        if head.startswith(signature, at):
            yield Found(kind, label)
    if _CPIO.match(head):
        yield Found(Kind.OTHER_ARCHIVE, "CPIO")

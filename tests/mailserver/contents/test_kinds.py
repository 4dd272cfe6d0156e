"""What an attachment is: a table of contents and names, and what must never be believed."""

from __future__ import annotations

import io
import struct
import tarfile
import tracemalloc
import zipfile
from binascii import crc32
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.contents.kinds import TNEF, Found, Kind, unreadable
from mailserver.contents.looking import look
from mailserver.contents.purse import OF_MESSAGE, Purse
from mailserver.contents.zips import ENTRIES

SCRIPTS = frozenset({"js", "vbs", "bat", "ps1", "hta"})
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
EXE = b"MZ\x90\x00" + bytes(200)


def archive(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", method) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return into.getvalue()


def tape(files: dict[str, bytes], mode: Literal["w:", "w:gz", "w:bz2", "w:xz"] = "w:") -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode=mode) as made:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return into.getvalue()


def encrypted(files: dict[str, bytes]) -> bytes:
    """The bit that says so, in both headers of each entry (APPNOTE 4.4.4)."""
    made = bytearray(archive(files))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = made.find(signature)
        while start >= 0:
            made[start + at] |= 1
            start = made.find(signature, start + 4)
    return bytes(made)


def second_name(name: str, other: str) -> bytes:
    """In a field that some programs heed (APPNOTE 4.6.9)."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as made:
        info = zipfile.ZipInfo(name)
        field = b"\x01" + struct.pack("<I", crc32(name.encode())) + other.encode()
        info.extra = struct.pack("<HH", 0x7075, len(field)) + field
        made.writestr(info, b"x()")
    return into.getvalue()


def broken_first(files: dict[str, bytes], at: int = 0) -> bytes:
    """The header before one file's octets names another file than the list."""
    made = archive(files)
    name = list(files)[at].encode()
    return made.replace(name, b"?" * len(name), 1)


def two_ends() -> bytes:
    """Another list in the comment: which one a program takes is its own affair."""
    honest, other = archive({"a.txt": b""}), archive({"b.exe": EXE})
    return honest[:-2] + struct.pack("<H", len(other)) + other


# what it is, its name, what is found
TABLE: list[tuple[str, bytes, str, list[str]]] = [
    ("a letter", b"%PDF-1.7 ...", "cr.pdf", []),
    ("a photo", b"\xff\xd8\xff\xe0JFIF", "photo.jpg", []),
    ("a text", "Compte rendu, été".encode(), "cr.txt", []),
    ("a text that calls itself a program", b"Bonjour", "cr.exe", []),
    ("a program", EXE, "setup.exe", ["executable: Windows EXE"]),
    ("a program that calls itself a letter", EXE, "cr.pdf", ["executable: Windows EXE"]),
    ("of Linux", b"\x7fELF\x02", "a", ["executable: Linux ELF"]),
    ("of macOS", b"\xcf\xfa\xed\xfe", "a", ["executable: macOS Mach-O"]),
    ("a class", b"\xca\xfe\xba\xbe", "a", ["executable: Java CLASS"]),
    ("a shortcut", b"L\x00\x00\x00\x01\x14\x02\x00", "cr.pdf.lnk", ["executable: Windows LNK"]),
    ("an installer", OLE + bytes(400) + bytes.fromhex("84100c0000000000c000000000000046"), "a", ["executable: Windows MSI"]),
    ("a script", b"#!/bin/sh\nrm -rf /", "notes.txt", ["script: script #!"]),
    ("a script by its name", b"WScript.Echo(1)", "cr.pdf.JS", ["script: script .js"]),
    ("with what Windows drops", b"WScript.Echo(1)", "cr.js. .", ["script: script .js"]),
    ("in UTF-16", "MsgBox 1".encode("utf-16"), "a.vbs", ["script: script .vbs"]),
    ("a picture with a script's name", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x01", "a.js", ["script: script .js"]),
    ("a script behind an octet of no text", b"//\x01\nWScript.Echo(1)", "a.js", ["script: script .js"]),
    ("behind what browsers skip", OLE + b"<script>x()</script>", "a.hta", ["script: script .hta"]),
    ("that begins like an archive", b"BZh\r\nstart x", "a.bat", ["script: script .bat", "other_archive: BZIP2"]),
    ("that is an archive too", archive({"cr.pdf": b"%PDF"}) + b"<script>x()</script>", "a.hta", ["script: script .hta"]),
    ("an archive behind something else", b"%PDF-1.7\n" + archive({"b.exe": EXE}), "a.zip", ["executable: ZIP > Windows EXE"]),
    ("behind the mark of old tools", b"PK00" + archive({"b.exe": EXE}), "a.ZIP", ["executable: ZIP > Windows EXE"]),
    ("no archive, by its name only", b"Bonjour", "a.zip", []),
    ("another archive behind something else", b"%PDF-1.7\n7z\xbc\xaf\x27\x1c", "a.7z",
     ["unreadable: archive illisible / unreadable archive"]),
    ("an archive with another's name", archive({"b.exe": EXE}), "a.rar", ["executable: ZIP > Windows EXE"]),
    ("a script's name under a password", encrypted({"cr.js": b"x()"}), "cr.zip",
     ["script: ZIP > script .js", "encrypted: ZIP chiffré / encrypted ZIP"]),
    ("a disc image", bytes(32_769) + b"CD001" + bytes(100), "cr.pdf", ["disk_image: ISO"]),
    ("another", b"vhdxfile" + bytes(100), "a", ["disk_image: VHDX"]),
    ("of UDF alone", bytes(32_769) + b"BEA01" + bytes(100), "cr.pdf", ["disk_image: ISO"]),
    ("of fixed size", bytes(600) + b"conectix" + bytes(504), "a.vhd", ["disk_image: VHD"]),
    ("of fixed size in an archive", archive({"a.vhd": bytes(600)}), "a.zip", ["disk_image: ZIP > VHD"]),
    ("an old document", OLE + bytes(400), "cr.doc", []),
    ("with macros", OLE + "_VBA_PROJECT".encode("utf-16-le"), "cr.doc", ["macros: Microsoft Office + macros VBA"]),
    ("a document", archive({"[Content_Types].xml": b"<x/>", "word/document.xml": b"<w/>"}), "cr.docx", []),
    ("with macros, now", archive({"word/vbaProject.bin": OLE}), "cr.docx", ["macros: Microsoft Office + macros VBA"]),
    ("an XDM", archive({"INDEX.HTM": b"<html>", "IHE_XDM/SUBSET01/DOC0001.XML": b"<?xml"}), "IHE_XDM.ZIP", []),
    ("a program in an archive", archive({"cr.pdf": b"%PDF", "b.exe": EXE}), "a.zip", ["executable: ZIP > Windows EXE"]),
    ("stored", archive({"cr.pdf": EXE}, zipfile.ZIP_STORED), "a.zip", ["executable: ZIP > Windows EXE"]),
    ("a script in an archive", archive({"d/a.JS": b"x()"}), "a.zip", ["script: ZIP > script .js"]),
    ("a disc image in an archive", archive({"a.iso": bytes(32_769) + b"CD001"}), "a.zip", ["disk_image: ZIP > ISO"]),
    ("another archive in an archive", archive({"a.7z": b"7z\xbc\xaf\x27\x1c"}), "a.zip", ["other_archive: ZIP > 7z"]),
    ("a Java archive", archive({"META-INF/MANIFEST.MF": b"", "A.class": b"\xca\xfe\xba\xbe"}), "a",
     ["executable: Java JAR", "executable: ZIP > Java CLASS"]),
    ("with a password", encrypted({"cr.pdf": b"%PDF"}), "cr.zip", ["encrypted: ZIP chiffré / encrypted ZIP"]),
    ("cut", archive({"cr.pdf": b"%PDF"})[:-10], "cr.zip", ["unreadable: ZIP illisible / unreadable ZIP"]),
    ("another compression", archive({"a": b"x" * 99}, zipfile.ZIP_LZMA), "a", ["unreadable: ZIP illisible / unreadable ZIP"]),
    ("of too many", archive({f"{n}.txt": b"" for n in range(ENTRIES + 1)}), "a",
     ["unreadable: ZIP illisible / unreadable ZIP"]),
    ("RAR", b"Rar!\x1a\x07\x01\x00", "a.pdf", ["other_archive: RAR"]),
    ("7z", b"7z\xbc\xaf\x27\x1c", "a", ["other_archive: 7z"]),
    ("a tape", tape({"a": b"x"}), "a.tar", ["other_archive: TAR"]),
    ("of another age", b"x\x00-lh5-" + bytes(40), "a.lzh", ["other_archive: LHA"]),
    ("that nothing here opens", b"\x00\x00\x31\x00\x00\x00\x90**ACE**", "a", ["other_archive: ACE"]),
    ("nothing", b"", "", []),
    # names
    ("behind a stream's colon", b"x()", "cr.js:cr.pdf", ["script: script .js"]),
    ("before a zero", b"x()", "cr.js\0.pdf", ["script: script .js"]),
    ("written from right to left", b"x()", "cr\u202efdp.js", ["script: script .js"]),
    ("an hour in a name", b"%PDF-1.7", "CR du 12.js.2026 à 12:30.pdf", []),
    ("a disc image by its name", b"%PDF-1.7", "a.iso", ["disk_image: ISO"]),
    ("in an archive, by its second name", second_name("cr.txt", "cr.js"), "a.zip", ["script: ZIP > script .js"]),
    # archives
    ("a broken file before a program", broken_first({"a.txt": b"x" * 99, "b.exe": EXE}), "a.zip",
     ["unreadable: ZIP illisible / unreadable ZIP", "executable: ZIP > Windows EXE"]),
    ("a program before a broken file", broken_first({"a.exe": EXE, "b.txt": b"x" * 99}, at=1), "a.zip",
     ["executable: ZIP > Windows EXE", "unreadable: ZIP illisible / unreadable ZIP"]),
    ("two ends", two_ends(), "a.zip", ["unreadable: ZIP illisible / unreadable ZIP"]),
    ("an archive stored in one", archive({"a.bin": archive({"b.txt": b""})}, zipfile.ZIP_STORED), "a.zip", []),
    # Office
    ("macros in a part of another name", archive({"[Content_Types].xml": b"<x ContentType='application/vnd.ms-office.vbaProject'"}),
     "cr.docx", ["macros: Microsoft Office + macros VBA"]),
    ("macros in sheets", archive({"xl/macrosheets/sheet1.xml": b"<x/>"}), "a.xlsx", ["macros: Microsoft Office + macros XLM"]),
    ("in one of another name", archive({"[Content_Types].xml": b" " * 9_000 + b"vnd.ms-excel.macrosheet+xml"}), "a.xlsx",
     ["macros: Microsoft Office + macros XLM"]),
    ("of OpenDocument", archive({"mimetype": b"application/vnd.oasis", "Basic/Standard/Module1.xml": b""}), "a.odt",
     ["macros: OpenDocument + macros"]),
    ("a template of ours", archive({"word/_rels/settings.xml.rels": b'<R Type="http://x/attachedTemplate" Target="file:///C:\\a.dotm"/>'}),
     "a.docx", []),
    ("one from the web", archive({"word/_rels/settings.xml.rels": b'<R Type="http://x/attachedTemplate" Target="https://x.example/a"/>'}),
     "a.docx", ["macros: Microsoft Office + template from elsewhere"]),
    ("a database", b"\x00\x01\x00\x00Standard Jet DB\x00", "a.mdb", ["macros: Microsoft Access"]),
    # what would install itself
    ("a package of Linux", b"!<arch>\ndebian-binary   1", "a", ["executable: Linux DEB"]),
    ("another", b"\xed\xab\xee\xdb\x03", "a", ["executable: Linux RPM"]),
    ("of macOS", b"xar!\x00\x1c", "a", ["executable: macOS PKG"]),
    ("of Android", archive({"AndroidManifest.xml": b"\x03"}), "a", ["executable: Android APK"]),
    ("of Windows", archive({"AppxManifest.xml": b"<x/>"}), "a", ["executable: Windows MSIX"]),
    ("a patch", OLE + bytes(400) + bytes.fromhex("86100c0000000000c000000000000046"), "a", ["executable: Windows MSI"]),
    # discs
    ("a partition", b"\xeb\x52\x90NTFS    " + bytes(500), "a.img", ["disk_image: NTFS"]),
    ("an old one", b"\xeb\x3c\x90MSDOS5.0" + bytes(43) + b"FAT16   ", "a.img", ["disk_image: FAT"]),
    ("a machine's disc", b"KDMV\x01", "a", ["disk_image: VMDK"]),
    ("another machine's", bytes(64) + b"\x7f\x10\xda\xbe", "a", ["disk_image: VDI"]),
]  # fmt: skip

OTHERS = [  # that nothing here opens
    (b"\x60\xea\x2a\x00", "ARJ"),
    (b"RE~^\x07", "RAR 1"),
    (b"MSWIM\x00\x00\x00", "WIM"),
    (b"ZOO 2.10 Archive.\x1a\x00\x00\xdc\xa7\xc4\xfd", "ZOO"),
    (b"LZIP\x01\x0c", "LZIP"),
    (b"\x04\x22\x4d\x18\x64", "LZ4"),
    (b"\x5d\x00\x00\x80\x00", "LZMA"),
    (b"\x1f\xa0", "COMPRESS"),
    (b"\x1f\x1e", "PACK"),
    (b"SZDD\x88\xf0\x27\x33A", "SZDD"),
    (b"KWAJ\x88\xf0\x27\xd1", "KWAJ"),
    (b"ISc(\x00", "InstallShield CAB"),
    (b"!<arch>\na.txt/", "AR"),
    (b"070701" + b"0" * 104, "CPIO"),
    (b"SIT!\x00\x01\x00\x00\x00\x00rLau", "StuffIt"),
    (b"StuffIt (c)1997", "StuffIt"),
    (b"(This file must be converted with BinHex 4.0)", "BinHex"),
    (b"ALZ\x01", "ALZ"),
    (b"EGGA\x00\x01", "EGG"),
    (b"ArC\x01", "FreeArc"),
    (b"hsqs", "SquashFS"),
    (b"a\x00-lzs-", "LHA"),
]


@pytest.mark.parametrize(("data", "label"), OTHERS, ids=[label for _, label in OTHERS])
def test_an_archive_that_nothing_here_opens_is_told(data: bytes, label: str) -> None:
    """By its octets, whatever its name; and never as a document."""
    for name in ("a.pdf", "a"):
        assert Found(Kind.OTHER_ARCHIVE, label) in look(data, name, SCRIPTS)
    purse = Purse()
    look(data, "a", SCRIPTS, purse)
    assert purse.shut


@pytest.mark.parametrize("ending", "arj arc zoo lzh lz lzma lz4 cpio wim sit hqx z uue xxe ace alz egg".split())
def test_an_archive_by_its_name_is_unreadable(ending: str) -> None:
    assert look(b"whatever", f"a.{ending}", SCRIPTS) == [unreadable("archive")]


@pytest.mark.parametrize("text", [b"070701;Martin;Jean", b"ZOO de Lyon", b"SITE", b"SIT! dit-il", b"EGGAR", b"LZIPPER"])
def test_a_text_is_no_archive(text: bytes) -> None:
    assert look(text, "a.txt", SCRIPTS) == []


@pytest.mark.parametrize(("what", "data", "name", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_what_it_is(what: str, data: bytes, name: str, expected: list[str]) -> None:
    assert [f"{found.kind.value}: {found.label}" for found in look(data, name, SCRIPTS)] == expected


SHUT: list[tuple[bytes, bool]] = [
    (b"%PDF-1.7", False),
    (archive({"cr.pdf": b"%PDF", "photo.jpg": b"\xff\xd8\xff"}), False),
    (encrypted({"a.zip": archive({"a": b""})}), False),
    (archive({"a.zip": archive({"b.exe": EXE})}), True),
    (archive({"a.doc": OLE}), True),
    (archive({"winmail.dat": TNEF}), True),
    (b"7z\xbc\xaf\x27\x1c", True),
    (TNEF + b"\x01\x00", True),
]


@pytest.mark.parametrize(("data", "shut"), SHUT, ids=range(len(SHUT)))
def test_what_only_opening_shows_is_told(data: bytes, shut: bool) -> None:
    purse = Purse()
    look(data, "a", SCRIPTS, purse)
    assert purse.shut is shut


def test_nothing_of_a_name_but_its_ending() -> None:
    [found] = look(b"x()", "Compte rendu de Jacqueline MOREL.js", SCRIPTS)
    assert found == Found(Kind.SCRIPT, "script .js")


def test_a_bomb_costs_little() -> None:
    data = archive({f"{number}.txt": bytes(50_000_000) for number in range(3)})
    tracemalloc.start()
    assert look(data, "a.zip", SCRIPTS) == []
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()


def test_an_endless_list_is_not_read() -> None:
    data = bytearray(archive({"a": b""}))
    data[-10:-6] = (300_000).to_bytes(4, "little")
    assert [found.kind for found in look(bytes(data), "a.zip", SCRIPTS)] == [Kind.UNREADABLE]


def zip64(entries: int) -> bytes:
    """Its end record speaks of one entry, the one of ZIP64 of all (APPNOTE 4.3.14); readers believe that one."""
    stored = struct.pack("<HHHHH", 20, 0, 0, 0, 0x21)
    local = b"PK\x03\x04" + stored + struct.pack("<IIIHH", 0, 0, 0, 1, 0) + b"a"
    listing = (
        b"PK\x01\x02\x14\x00" + stored + struct.pack("<IIIHHHHHII", 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    ) * entries
    end = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, entries, entries, len(listing), len(local))
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, len(local) + len(listing), 1)
    return local + listing + end + locator + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 47, len(local), 0)


def test_an_endless_list_that_hides_behind_a_second_record_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zip64(9)
    with zipfile.ZipFile(io.BytesIO(data)) as believed:
        assert len(believed.infolist()) == 9
    opened: list[object] = []
    monkeypatch.setattr(zipfile, "ZipFile", opened.append)
    assert [found.kind for found in look(data, "a.zip", SCRIPTS)] == [Kind.UNREADABLE]
    assert opened == []


def test_the_archives_of_one_message_share_what_may_be_looked_at() -> None:
    images, files = (archive({f"{n}.{end}": b"" for n in range(500)}) for end in ("img", "txt"))
    purse = Purse()
    assert look(files, "a.zip", SCRIPTS, purse) == []
    assert [found.kind for found in look(images, "a.zip", SCRIPTS, purse)] == [Kind.UNREADABLE], "as many disc images"
    for _ in range(OF_MESSAGE // 500 - 2):
        assert look(files, "a.zip", SCRIPTS, purse) == []
    assert [found.kind for found in look(files, "a.zip", SCRIPTS, purse)] == [Kind.UNREADABLE]
    assert look(files, "a.zip", SCRIPTS) == [], "of another message"


@given(st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", OLE, b"MZ"]), st.text(max_size=20))
def test_any_octets_have_an_answer(octets: bytes, first: bytes, name: str) -> None:
    look(first + octets, name, SCRIPTS)


@given(st.data())
def test_a_broken_archive_has_an_answer(data: st.DataObject) -> None:
    made = bytearray(archive({"a.js": b"x()", "cr.pdf": b"%PDF" * 50}))
    for _ in range(3):
        made[data.draw(st.integers(0, len(made) - 1))] = data.draw(st.integers(0, 255))
    look(bytes(made), "a.zip", SCRIPTS)


@pytest.mark.parametrize(
    ("inside", "shut"),
    [
        ({"cr.pdf": b"%PDF-"}, False),
        ({"lettre.EML": b"Subject: x"}, True),
        ({"a.zip": archive({"b.pdf": b"%PDF-"})}, True),
    ],
)
def test_a_message_or_an_archive_in_an_archive_is_to_be_opened(inside: dict[str, bytes], shut: bool) -> None:
    purse = Purse()
    assert look(archive(inside), "a.zip", SCRIPTS, purse) == []
    assert purse.shut is shut

"""What Outlook makes of attachments: winmail.dat, .msg; Office documents before 2007, which are files of the same format."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from contextlib import suppress
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.contents import compound as compound_file
from mailserver.contents import office, tnef
from mailserver.contents.descent import Descent
from mailserver.contents.kinds import Kind
from mailserver.contents.opening import Opener
from tests.mailserver.contents.compound_writer import attached, behind_icon, compound, letter, made, message_in_it
from tests.mailserver.contents.conftest import LETTER, SCRIPT, found
from tests.mailserver.contents.test_kinds import EXE, OLE, archive
from tests.mailserver.contents.tnef_writer import (
    BINARY,
    CREATED,
    DATA,
    DATA_OBJECT,
    DISPLAY_NAME,
    FILENAME,
    LONG_FILENAME,
    MESSAGE_INTERFACE,
    METHOD,
    OBJECT,
    OF_MESSAGE,
    PICTURE,
    PROPERTIES,
    TITLE,
    Property,
    attachment,
    integer,
    outlook,
    properties,
    text,
    wide,
    winmail,
)


def embedded(content: bytes, name: str) -> bytes:
    """As Outlook attaches another message: the title alone says its subject, the octets stand behind the class of the object."""
    held = properties(
        text(DISPLAY_NAME, name),
        integer(METHOD, 5),
        Property(DATA_OBJECT, OBJECT, (MESSAGE_INTERFACE + content,)),
    )
    return attachment((TITLE, name.encode() + b"\0"), (PROPERTIES, held))


# What old Outlooks and Exchange were seen to write
OUTLOOK = [
    ("a name in three places", winmail(attachment(
        (CREATED, bytes(14)), (TITLE, b"AUTHORS\0"), (DATA, LETTER),
        (PROPERTIES, properties(integer(METHOD, 1), text(LONG_FILENAME, "AUTHORS"), text(DISPLAY_NAME, "the authors.js")))
    )), ["script: winmail.dat > script .js"]),
    ("data before the name", winmail(
        attachment((DATA, b""), (TITLE, b"AUTOEXEC.TXT\0"), (PICTURE, bytes(3_512))),
        attachment((DATA, b""), (TITLE, b"CONFIG.SYS\0"), (PROPERTIES, properties(text(LONG_FILENAME, "CONFIG.SYS")))),
        attachment((DATA, SCRIPT), (TITLE, b"boot.bat\0")),
    ), ["script: winmail.dat > script .bat"]),
    ("a long name", winmail(attachment(
        (TITLE, b"ALLPRO~1.TXT\0"), (DATA, SCRIPT),
        (PROPERTIES, properties(integer(METHOD, 1), text(LONG_FILENAME, "allproducts.txt.js")))
    )), ["script: winmail.dat > script .js"]),
    ("a wide name", winmail(attachment(
        (TITLE, b"example.txt\0"), (DATA, SCRIPT), (PROPERTIES, properties(wide(FILENAME, "élan.js")))
    )), ["script: winmail.dat > script .js"]),
    ("a name behind named properties", winmail(attachment(
        (DATA, SCRIPT), (PROPERTIES, properties(*OF_MESSAGE, wide(LONG_FILENAME, "a.js")))
    )), ["script: winmail.dat > script .js"]),
    ("octets among the properties", winmail(attachment(
        (TITLE, b"cr.pdf\0"), (PROPERTIES, properties(Property(DATA_OBJECT, BINARY, (EXE,))))
    )), ["executable: winmail.dat > Windows EXE"]),
    ("a message in it", winmail(embedded(outlook(b"cr.pdf", EXE), "CR")),
     ["executable: winmail.dat > winmail.dat > Windows EXE"]),
    ("letters", winmail(attachment(
        (TITLE, b"cr.pdf\0"), (DATA, LETTER), (PROPERTIES, properties(*OF_MESSAGE, wide(LONG_FILENAME, "cr.pdf")))
    ), embedded(outlook(b"cr.pdf", LETTER), "CR")), []),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data", "expected"), OUTLOOK, ids=[row[0] for row in OUTLOOK])
async def test_what_outlook_makes(opener: Opener, what: str, data: bytes, expected: list[str]) -> None:
    assert await found(opener, data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (outlook(b"cr.pdf", LETTER), []),
        (outlook(b"cr.pdf", EXE), ["executable: winmail.dat > Windows EXE"]),
        (outlook(b"cr.js", SCRIPT), ["script: winmail.dat > script .js"]),
        (outlook(b"cr.js\0.pdf", SCRIPT), ["script: winmail.dat > script .js"]),
        (outlook(b"cr.pdf", EXE, level=1), ["executable: winmail.dat > Windows EXE"]),
        (outlook(b"a.zip", archive({"b.exe": EXE})), ["executable: winmail.dat > ZIP > Windows EXE"]),
        (outlook(b"a", outlook(b"b", EXE)), ["executable: winmail.dat > winmail.dat > Windows EXE"]),
        (outlook(b"cr.pdf", LETTER)[:-4], ["unreadable: winmail.dat illisible / unreadable winmail.dat"]),
    ],
    ids=range(8),
)
async def test_winmail(opener: Opener, data: bytes, expected: list[str]) -> None:
    assert await found(opener, data, "winmail.dat") == expected


@given(st.binary(max_size=300))
def test_any_octets_are_outlooks_or_broken(octets: bytes) -> None:
    whole = outlook(b"cr.pdf", LETTER)
    for data in (
        whole[:6] + octets,
        whole[: len(octets)] + octets,
        whole[:-20] + octets,
        winmail(embedded(octets, "a")),
    ):
        try:
            tnef.files(data)
        except tnef.Broken:
            continue


# ---------------------------------------------------------------- .msg and Office documents
MSG_BROKEN = "unreadable: Microsoft Office illisible / unreadable Microsoft Office"
LOCKED_DOCUMENT = "encrypted: Microsoft Office chiffré / encrypted Microsoft Office"
INSIDE = letter(attached(EXE, "b.pdf"))


def slides(held: bytes, deflated: bool) -> bytes:
    """MS-PPT 2.10.34: an object, behind a record of another kind."""
    content = struct.pack("<I", len(held)) + zlib.compress(held) if deflated else held
    record = struct.pack("<HHI", deflated << 4, 0x1011, len(content)) + content
    return struct.pack("<HHI", 0x0F, 0x03E8, 4) + b"abcd" + record


def workbook(*records: tuple[int, bytes]) -> bytes:
    """MS-XLS 2.1.4, its list of sheets ended."""
    return b"".join(
        struct.pack("<HH", kind, len(body)) + body for kind, body in ((0x809, bytes(16)), *records, (0x0A, b""))
    )


def sheet(kind: int) -> tuple[int, bytes]:
    return 0x85, struct.pack("<IBB", 0, 0, kind) + b"\x02\x00S1"


COMPOUND: list[tuple[str, dict[str, bytes], list[str]]] = [
    ("a message", letter(attached(LETTER, "cr.pdf"), attached(LETTER * 50, "b.pdf")), []),
    ("a program in it", letter(attached(LETTER, "cr.pdf"), attached(EXE, "b.pdf")), ["executable: Outlook > Windows EXE"]),
    ("a long one", letter(attached(EXE + bytes(99_999), "b.pdf")), ["executable: Outlook > Windows EXE"]),
    ("a script in it", letter(attached(SCRIPT, "cr.pdf.js")), ["script: Outlook > script .js"]),
    ("a program by a path", letter({"__substg1.0_370D001E": b"\\\\x\\b.js\0"}), ["script: Outlook > script .js"]),
    ("in other letters", {path.upper(): content for path, content in INSIDE.items()}, ["executable: Outlook > Windows EXE"]),
    ("an archive in it", letter(attached(archive({"b.exe": EXE}), "a.zip")), ["executable: Outlook > ZIP > Windows EXE"]),
    ("a message in it", letter(message_in_it(INSIDE, "RE: voir cabinet.js")), ["executable: Outlook > Windows EXE"]),
    ("a letter in it", letter(message_in_it(letter(attached(LETTER, "a")), "RE: voir cabinet.js")), []),
    ("a message as a file", letter(attached(compound(INSIDE), "a.msg")), ["executable: Outlook > Outlook > Windows EXE"]),
    ("winmail.dat in it", letter(attached(outlook(b"b", EXE), "a")), ["executable: Outlook > winmail.dat > Windows EXE"]),
    ("an object in it", letter({f"__substg1.0_3701000D/{name}": content for name, content in
                                {"\1Ole10Native": behind_icon(EXE, "cr.pdf")}.items()}), ["executable: Outlook > Windows EXE"]),
    ("a document", {"WordDocument": bytes(64), "1Table": bytes(9_000)}, []),
    ("a program behind an icon", {"WordDocument": bytes(64), "ObjectPool/_1/\1Ole10Native": behind_icon(EXE, "cr.pdf")},
     ["executable: Microsoft Office > Windows EXE"]),
    ("a script behind one", {"WordDocument": bytes(64), "ObjectPool/_1/\1Ole10Native": behind_icon(SCRIPT, "cr.js")},
     ["script: Microsoft Office > script .js"]),
    ("what another program put there", {"\1Ole10Native": struct.pack("<I", 204) + EXE},
     ["executable: Microsoft Office > Windows EXE"]),
    ("macros in a document in one", {"WordDocument": bytes(64), "O/_1/Package": archive({"word/vbaProject.bin": b""})},
     ["macros: Microsoft Office > Microsoft Office + macros VBA"]),
    ("macros in a presentation", {"PowerPoint Document": slides(compound({"VBA/_VBA_PROJECT": b"x"}), True)},
     ["macros: Microsoft Office > Microsoft Office + macros VBA"]),
    ("a program in one", {"PowerPoint Document": slides(compound({"\1Ole10Native": behind_icon(EXE, "a")}), False)},
     ["executable: Microsoft Office > Microsoft Office > Windows EXE"]),
    ("sheets", {"Workbook": workbook(sheet(0), sheet(2))}, []),
    ("macros in a sheet", {"Workbook": workbook(sheet(0), sheet(1))}, ["macros: Microsoft Office + macros XLM"]),
    ("a workbook with a password", {"Workbook": workbook((0x2F, bytes(54)), sheet(0))}, [LOCKED_DOCUMENT]),
    ("a text with one", {"WordDocument": bytes(10) + b"\x00\x01" + bytes(50)}, [LOCKED_DOCUMENT]),
    ("slides with one", {"Current User": bytes(12) + struct.pack("<I", 0xF3D1C4DF)}, [LOCKED_DOCUMENT]),
    ("a new document with one", {"EncryptionInfo": bytes(99), "EncryptedPackage": bytes(9_000)}, [LOCKED_DOCUMENT]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "streams", "expected"), COMPOUND, ids=[row[0] for row in COMPOUND])
async def test_compound(opener: Opener, what: str, streams: dict[str, bytes], expected: list[str]) -> None:
    assert await found(opener, compound(streams), "a.doc") == expected
    assert await found(opener, archive({"a.doc": compound(streams)}), "a.zip") == [
        one.replace(": ", ": ZIP > ", 1) for one in expected
    ]


# ---------------------------------------------------------------- hostile
def ring() -> bytes:
    """The stream's last sector leads back to its first, and it is said to have 2 GiB."""
    of = made({"__attach_version1.0_#0/__substg1.0_37010102": bytes(5_000)})
    entry = of.entry("__substg1.0_37010102")
    of.fat[-1], entry[6] = cast(int, entry[5]), 1 << 31
    return of.octets()


def enormous() -> bytes:
    of = made({"__attach_version1.0_#0/__substg1.0_37010102": bytes(5_000)})
    of.entry("__substg1.0_37010102")[6] = 1 << 31
    return of.octets()


def ring_of_the_directory() -> bytes:
    data = bytearray(compound(INSIDE))
    start = struct.unpack_from("<I", data, 48)[0]
    struct.pack_into("<I", data, (struct.unpack_from("<I", data, 76)[0] + 1) * 512 + 4 * start, start)
    return bytes(data)


def ring_of_the_list() -> bytes:
    """A sector that lists the FAT leads to itself, four thousand million times."""
    of = made({"a": b"\xff" * 508 + bytes(4_000), **INSIDE})
    of.header = {44: 0xFFFFFFF0, 68: 0, 72: 0xFFFFFFF0}
    return of.octets()


def same_entry() -> bytes:
    of = made(INSIDE)
    of.entries[-1][3] = 1
    return of.octets()


def own_child() -> bytes:
    of = made(INSIDE)
    storage = of.entry("__attach_version1.0_#00000000")
    storage[4] = of.entries.index(storage)
    return of.octets()


def many_on_one() -> bytes:
    """Two thousand attachments of 1 MB, all in the same sectors."""
    of = made(letter(*[{"__substg1.0_37010102": b""} for _ in range(2_000)]))
    start, size = of.add(bytes(1_000_000))
    for entry in of.entries:
        if entry[0] == "__substg1.0_37010102".encode("utf-16-le"):
            entry[5:] = [start, size]
    return of.octets()


def deep() -> bytes:
    return compound({"/".join(["a"] * 2_000): b"x"})


HOSTILE = [
    ring(),
    enormous(),
    ring_of_the_directory(),
    ring_of_the_list(),
    same_entry(),
    own_child(),
    many_on_one(),
    deep(),
    compound(INSIDE)[:-600],
    compound(INSIDE)[:400],
    OLE + bytes(2_000),
]


@pytest.mark.parametrize(
    "data",
    HOSTILE,
    ids=[
        *("a ring", "enormous", "a ring of the directory", "a ring of the list", "an entry twice", "its own child"),
        *("many on one", "deep", "cut", "cut short", "a head"),
    ],
)
def test_a_hostile_one_costs_little_and_is_unreadable(data: bytes) -> None:
    tracemalloc.start()
    begun = time.process_time()
    found = Descent(frozenset()).look(data, "a.msg")
    assert {one.kind for one in found} == {Kind.UNREADABLE}
    assert time.process_time() - begun < 2
    assert tracemalloc.get_traced_memory()[1] < 12 * len(data) + 4_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("levels", [3, 20, 40])
async def test_messages_in_messages(opener: Opener, levels: int) -> None:
    """In one file as deep as twenty, each in the one around it; beyond, unreadable."""
    streams = INSIDE
    for _ in range(levels):
        streams = letter(message_in_it(streams, "CR"))
    expected = "unreadable: Microsoft Office" if levels == 40 else "executable: Outlook > Windows EXE"
    assert [one[: len(expected)] for one in await found(opener, compound(streams))] == [expected]


@given(st.data())
def test_any_compound_file_is_read_or_broken(data: st.DataObject) -> None:
    changed = bytearray(compound(letter(attached(LETTER * 6, "cr.pdf"), attached(SCRIPT, "a.txt"))))
    for _ in range(4):
        at = data.draw(st.integers(0, len(changed) // 4 - 1)) * 4
        value = data.draw(
            st.sampled_from([0, 1, 2, 7, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF)
        )
        struct.pack_into("<I", changed, at, value)
    with suppress(compound_file.Broken):
        opened = compound_file.Compound(bytes(changed))
        office.marks(opened)
        list(office.files(opened))

"""What Outlook makes of attachments: winmail.dat, in the fenced process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.contents import tnef
from mailserver.contents.opening import Opener
from tests.mailserver.contents.conftest import LETTER, SCRIPT, found
from tests.mailserver.contents.test_kinds import EXE, archive
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

"""What documents do by themselves, and hold: PDFs, pages with scripts, OneNote, what Office opens as its own."""

from __future__ import annotations

import struct
import time
import zlib
from base64 import b64encode
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.contents import pdf
from mailserver.contents.looking import look
from mailserver.contents.opening import Opener
from mailserver.contents.purse import Purse
from tests.mailserver.contents.conftest import LETTER, SCRIPT, found
from tests.mailserver.contents.test_kinds import EXE, SCRIPTS, archive

PDF = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n"
PAGE, LAUNCH = ["active_page: HTML + scripts"], ["script: PDF /Launch"]


def objects(text: bytes) -> bytes:
    """ISO 32000-2 7.5.7: where new programs put what is no stream."""
    held = zlib.compress(b"9 0 " + text)
    head = b"<</Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d>>" % len(held)
    return PDF + b"5 0 obj\n" + head + b"\nstream\r\n" + held + b"\nendstream\nendobj\n"


DOES: list[tuple[str, bytes, str, list[str]]] = [
    ("a letter", PDF, "cr.pdf", []),
    ("that starts a program", PDF + b"<</S/Launch/F(cmd.exe)>>", "cr.pdf", LAUNCH),
    ("spelled in numbers", PDF + b"<</S /#4caunch /F(cmd.exe)>>", "cr.pdf", LAUNCH),
    ("among objects", objects(b"<</S/Launch/F(cmd.exe)>>"), "cr.pdf", LAUNCH),
    ("spelled so among objects", objects(b"<</S/L#61unch/F(cmd.exe)>>"), "cr.pdf", LAUNCH),
    ("behind something else", b"\n" * 900 + PDF + b"/S/Launch", "cr.pdf", LAUNCH),
    ("a word of a text", PDF + b"(/Launches and lunches)", "cr.pdf", []),
    ("a form that computes", PDF + b"<</S/JavaScript/JS(1+1)>>", "cr.pdf", []),
    ("a page", b"<!DOCTYPE html><html><p onsen>Bonjour, on va bien</p></html>", "a.html", []),
    ("with a script", b"<p>a</p><script>x()</script>", "a.html", PAGE),
    ("by its words only", b"<?xml version='1.0'?><!-- a --><!-- b -->\n<!DOCTYPE html><SCRIPT src=a>", "cr.pdf", PAGE),
    ("in UTF-16", "<html><script>x()</script>".encode("utf-16"), "a.htm", PAGE),
    ("when it is loaded", b"<body onload=x()>", "a.html", PAGE),
    ("when a picture is not", b"<img title='>' src=x\nonerror = x()>", "a.xhtml", PAGE),
    ("by a link", b"<a href='java\tscript:x()'>", "a.html", PAGE),
    ("by a hidden one", b"<a href=\"&#106;avascript:x()\">", "a.html", PAGE),
    ("another page in it", b"<iframe src='https://x.example'></iframe>", "a.html", PAGE),
    ("another in its place", b"<meta http-equiv=\"refresh\" content='0;url=https://x.example'>", "a.html", PAGE),
    ("a drawing", b"<svg xmlns='http://www.w3.org/2000/svg'><path d='M0 0'/></svg>", "a.svg", []),
    ("with a script, in a drawing", b"<svg xmlns='http://www.w3.org/2000/svg'><svg:script>x()</svg:script></svg>", "a.svg", PAGE),
    ("when it moves", b"<svg><animate onbegin='x()'/></svg>", "a.svg", PAGE),
    ("a CDA with its style", b"<?xml version='1.0'?><?xml-stylesheet href='CDA.xsl'?><ClinicalDocument on='a' data:text/html/>",
     "cda.xml", []),
    ("a page in XML", b"<?xml version='1.0'?><x:script xmlns:x='http://www.w3.org/1999/xhtml'>x()</x:script>", "a.xml", PAGE),
    ("a text about scripts", b"Pour <script>, voir onload=x()", "a.txt", []),
    ("an archived page", b"MIME-Version: 1.0\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n"
     + b64encode(b"<script>x()</script>"), "a.mht", PAGE),
    ("a page in an archive", archive({"INDEX.HTM": b"<html>" + b" " * 9_000 + b"<script>"}), "a.zip",
     ["active_page: ZIP > HTML + scripts"]),
    ("none", archive({"INDEX.HTM": b"<html>" + b" " * 9_000 + b"<p>"}), "a.zip", []),
    ("a PDF in one", archive({"cr.pdf": PDF + bytes(9_000) + b"/S/Launch "}), "a.zip", ["script: ZIP > PDF /Launch"]),
    ("a rich text", b"{\\rtf1 Bonjour}", "cr.rtf", []),
    ("with an object", b"{\\rt{\\object\\objdata 0105}", "cr.doc", ["unreadable: RTF illisible / unreadable RTF"]),
    ("in an envelope", bytes.fromhex("3082010006092a864886f70d010703a082"), "smime.p7m",
     ["encrypted: S/MIME chiffré / encrypted S/MIME"]),
    ("signed around", bytes.fromhex("3080") + bytes.fromhex("06092a864886f70d010702a080"), "smime.p7m",
     ["unreadable: S/MIME illisible / unreadable S/MIME"]),
    ("a signature", bytes.fromhex("3082010006092a864886f70d010702a082"), "smime.p7s", []),
    ("PGP", b"-----BEGIN PGP MESSAGE-----\n", "a.asc", ["encrypted: PGP chiffré / encrypted PGP"]),
    ("PGP by its name", b"\x85\x01", "cr.pdf.gpg", ["encrypted: PGP chiffré / encrypted PGP"]),
    ("a table that says it is a document", b"<table><tr><td>1</table>", "export.xls", []),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data", "name", "expected"), DOES, ids=[row[0] for row in DOES])
def test_what_it_does(what: str, data: bytes, name: str, expected: list[str]) -> None:
    assert [f"{one.kind.value}: {one.label}" for one in look(data, name, SCRIPTS)] == expected


def carrying(content: bytes, name: bytes, head: bytes = b"", place: bytes = b"7 0 R") -> bytes:
    """ISO 32000-2 7.11.4: a file in a PDF."""
    spec = b"3 0 obj\n<</Type/Filespec/F(" + name + b")/EF<</F " + place + b">>>>\nendobj\n"
    return (
        PDF
        + spec
        + b"7 0 obj\n<<"
        + head
        + b"/Length %d>>\nstream\n" % len(content)
        + content
        + b"\nendstream\nendobj\n"
    )


def notes(content: bytes, name: str) -> bytes:
    """MS-ONESTORE 2.6.13: a file in a section, and its name somewhere."""
    file = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac") + struct.pack("<QIQ", len(content), 0, 0) + content
    return bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3") + bytes(900) + file + (name + "\0").encode("utf-16-le")


def office_message(content: bytes) -> bytes:
    """As Word saves « a single page », with its macros."""
    made = EmailMessage()
    made.set_content("<html>Bonjour</html>", subtype="html")
    made.add_attachment(content, "application", "x-mso", filename="editdata.mso")
    return made.as_bytes()


BROKEN = ["unreadable: PDF illisible / unreadable PDF"]
MACROS = ["macros: message > Microsoft Office + macros VBA"]
HOLDS: list[tuple[str, bytes, str, list[str]]] = [
    ("an invoice", carrying(b"<x/>", b"factur-x.xml"), "a.pdf", []),
    ("a program", carrying(EXE, b"cr.pdf"), "a.pdf", ["executable: PDF > Windows EXE"]),
    ("a deflated one", carrying(zlib.compress(EXE), b"cr.pdf", b"/Filter/FlateDecode"), "a.pdf", ["executable: PDF > Windows EXE"]),
    ("a script", carrying(SCRIPT, b"cr.js"), "a.pdf", ["script: PDF > script .js"]),
    ("by an octal name", carrying(SCRIPT, b"cr\\056js"), "a.pdf", ["script: PDF > script .js"]),
    ("by a wide name", carrying(SCRIPT, b"cr.pdf)/UF<FEFF" + "cr.js".encode("utf-16-be").hex().encode() + b">/X("), "a.pdf",
     ["script: PDF > script .js"]),
    ("macros", carrying(archive({"word/vbaProject.bin": b""}), b"cr.docx"), "a.pdf",
     ["macros: PDF > Microsoft Office + macros VBA"]),
    ("in another code", carrying(b"...", b"cr.pdf", b"/Filter/LZWDecode"), "a.pdf", BROKEN),
    ("nowhere", carrying(LETTER, b"cr.pdf", place=b"8 0 R"), "a.pdf", BROKEN),
    ("under a password", carrying(LETTER, b"cr.pdf") + b"trailer<</Encrypt 9 0 R>>", "a.pdf",
     ["encrypted: PDF chiffré / encrypted PDF"]),
    ("a PDF in an archive", archive({"cr.pdf": carrying(EXE, b"cr.pdf")}), "a.zip", ["executable: ZIP > PDF > Windows EXE"]),
    ("notes", notes(LETTER, "cr.pdf"), "a.one", []),
    ("notes with a program", notes(EXE, "cr.pdf"), "a.one", ["executable: OneNote > Windows EXE"]),
    ("notes with a script", notes(SCRIPT, "cr.HTA"), "a.one", ["script: OneNote > script .hta"]),
    ("notes in an archive", archive({"a.one": notes(EXE, "b")}), "a.zip", ["executable: ZIP > OneNote > Windows EXE"]),
    ("a message that Word opens", office_message(b"..."), "cr.doc", []),
    ("with macros", office_message(b"ActiveMime\0\0"), "cr.doc", MACROS),
    ("behind a PDF", b"%PDF-1.7\n1 0 obj\n\n" + office_message(b"ActiveMime\0\0"), "cr.doc", MACROS),
    ("that Word does not open", b"%PDF-1.7\n1 0 obj\n\n" + office_message(b"ActiveMime\0\0"), "cr.pdf", []),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data", "name", "expected"), HOLDS, ids=[row[0] for row in HOLDS])
async def test_what_it_holds(opener: Opener, what: str, data: bytes, name: str, expected: list[str]) -> None:
    purse = Purse()
    look(data, name, SCRIPTS, purse)
    assert purse.shut or not expected
    assert await found(opener, data, name) == expected


SLOW = [
    b"<!---->",
    b"= ",
    b"http-equiv    ",
    b"href=  ",
    b"j   ",
    b" onabc   ",
    b"<a:",
    b"v b s ",
    b"\nmime-version ",
    b"/ObjStm ",
]


@pytest.mark.parametrize("piece", [*SLOW, b"/ObjStm stream\n", b"/a#", b"1 0 obj ", b"/EF<</F 1 0 R", b"<?xml", b" "])
def test_no_document_is_slow(piece: bytes) -> None:
    for data in (
        piece * (1_000_000 // len(piece)),
        piece + b" " * 1_000_000,
        b"%PDF-" + piece * (1_000_000 // len(piece)),
    ):
        begun = time.process_time()
        look(data, "a.html", SCRIPTS)
        look(data, "a.doc", SCRIPTS)
        assert time.process_time() - begun < 3


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_pdf_has_an_answer(first: bytes, then: bytes) -> None:
    data = PDF + first + carrying(LETTER, first) + objects(then) + then
    pdf.marks(data)
    try:
        list(pdf.files(data))
    except (pdf.Broken, pdf.Locked):
        return

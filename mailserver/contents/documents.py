"""What a document does by itself: a PDF that starts a program, a page with scripts, a text that is a message for Office. What it
holds is left to `descent`; the purse is told."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailserver.contents import names, pages, pdf
from mailserver.contents.kinds import HEAD, OLE, ZIP, Found, Kind, locked, unreadable
from mailserver.contents.purse import Purse
from mailserver.mime import scan

_PDF, _PDF_WITHIN = b"%PDF-", 1_024  # ISO 32000-2 annex I: readers look for it so far
_RTF, _RTF_OBJECT = b"{\\rt", b"\\objdata"  # Word asks for no more of it
_MESSAGE = re.compile(rb"^mime-version\s*:", re.IGNORECASE | re.MULTILINE)  # MHTML, which Office opens too
_CMS = re.compile(
    rb"\x30[\x80-\x84].{0,4}\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07([\x02\x03])", re.DOTALL
)  # RFC 5652 3
_ENVELOPED = b"\x03"


def is_document(head: bytes, name: str) -> bool:
    """It may do something, wherever in it that stands."""
    ending = names.ending(name)
    return is_pdf(head) or head.startswith(_RTF) or ending in names.OFFICE or pages.is_page(head, name)


def is_pdf(head: bytes) -> bool:
    return _PDF in head[:_PDF_WITHIN]


def look(data: bytes, name: str, purse: Purse) -> Iterator[Found]:
    """Of a document, all of it."""
    if is_pdf(data):
        starts, carries = pdf.marks(data)
        purse.shut |= carries
        if starts:
            yield Found(Kind.SCRIPT, "PDF /Launch")
    if data.startswith(_RTF) and _RTF_OBJECT in data:
        yield unreadable("RTF")
    purse.shut |= bool(letters_at(data, name))
    if pages.is_page(data[:HEAD], name):
        yield from pages.active(data, name)
    if names.ending(name) in names.ARCHIVED_PAGES:
        yield from pages.active((scan(data).html() or "").encode(), name)


def letters_at(data: bytes, name: str) -> set[int]:
    """Where a message may begin in what Office opens as a document, whatever stands in front of it."""
    if names.ending(name) not in names.OFFICE or data.startswith((OLE, *ZIP)):
        return set()
    found = _MESSAGE.search(data)
    return (
        {found.start(), max(data.rfind(gap, 0, found.start()) for gap in (b"\n\n", b"\n\r\n")) + 1} if found else set()
    )


def sealed(head: bytes, name: str) -> Iterator[Found]:
    """A message in another's envelope (RFC 8551), or signed around itself: what it holds is not looked at."""
    found = _CMS.match(head)
    if found and found[1] == _ENVELOPED:
        yield locked("S/MIME")
    elif found and names.ending(name) == "p7m":
        yield unreadable("S/MIME")
    elif names.ending(name) in ("pgp", "gpg"):
        yield locked("PGP")

"""What a file is, by its content and never by its name: seven magic numbers, else text (rules.md section 8).

Pure and cheap: looks at the first and last octets only, plus one pass for text. That the file really opens is asked of the
real reader afterwards, in a worker process (`readers`). A file that is also a ZIP, or that carries octets before its own
header, is refused: readers of different brands would see different documents in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from health_space.dossier import reasons
from mssante.reason import Reason

MAX_BYTES = 5_000_000  # decimal megabytes, as in the public app (DOC-10)


class Format(Enum):
    """Accepted formats; `value` is the stored media type of what arrives so."""

    PDF = "application/pdf"
    JPG = "image/jpeg"
    PNG = "image/png"  # stored as JPG (DOC-09)
    TIF = "image/tiff"
    RTF = "application/rtf"
    TXT = "text/plain"


MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"%PDF-", Format.PDF),
    (b"\xff\xd8\xff", Format.JPG),
    (b"\x89PNG\r\n\x1a\n", Format.PNG),
    (b"II*\x00", Format.TIF),
    (b"MM\x00*", Format.TIF),
    (b"{\\rtf", Format.RTF),
)
ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
EXTENSION = {
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/tiff": "tif",
    "application/rtf": "rtf",
    "text/plain": "txt",
}

_CONTROL = re.compile(
    rb"[\x00-\x08\x0b\x0e-\x1f\x7f]"
)  # no text editor writes these; tab, line ends and form feed are text
_MARKUP = re.compile(r"\s*<[!?a-z]", re.IGNORECASE)  # HTML, XML, SVG: text for a machine, not TXT
_END_OF_ZIP = b"PK\x05\x06"


@dataclass(frozen=True, slots=True)
class Recognised:
    format: Format


@dataclass(frozen=True, slots=True)
class Refused:
    reason: Reason


def recognise(data: bytes, limit: int = MAX_BYTES) -> Recognised | Refused:
    """The file's format, or why it is not taken; `limit` in octets."""
    if not data:
        return Refused(reasons.EMPTY)
    if len(data) > limit:
        return Refused(reasons.TOO_LARGE)
    if data.startswith(ARCHIVES):
        return Refused(reasons.ARCHIVE)
    if ends_as_zip(data):
        return Refused(reasons.POLYGLOT)
    for magic, format_ in MAGIC:
        if data.startswith(magic):
            return Recognised(format_)
    text = decode(data)
    if text is not None:
        return Refused(reasons.FORMAT) if _MARKUP.match(text) else Recognised(Format.TXT)
    if (
        b"%PDF-" in data[:1024]
    ):  # readers look for the header in the first kilobyte: this is another file that is also a PDF
        return Refused(reasons.POLYGLOT)
    return Refused(reasons.FORMAT)


def ends_as_zip(data: bytes) -> bool:
    """A ZIP reader looks at the end: record of 22 octets whose last field is the length of the comment that ends the file."""
    at = data.rfind(_END_OF_ZIP, max(0, len(data) - 22 - 65_535))
    return at >= 0 and at + 22 <= len(data) and at + 22 + int.from_bytes(data[at + 20 : at + 22], "little") == len(data)


def decode(data: bytes) -> str | None:
    """Text of a TXT file: UTF-8 (with or without mark), else Windows-1252; None when it is no text."""
    if _CONTROL.search(data):
        return None
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def file_name(title: str, media_type: str) -> str:
    """The name offered at download: the document's title, with the extension of what it really is."""
    extension = EXTENSION[media_type]
    stem = (
        re.sub(r'[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069/\\:*?"<>|]', " ", title).strip(" .")[:120] or "document"
    )
    known = {"pdf": ("pdf",), "jpg": ("jpg", "jpeg"), "tif": ("tif", "tiff"), "rtf": ("rtf",), "txt": ("txt",)}[
        extension
    ]
    base, dot, end = stem.rpartition(".")
    return stem if dot and base and end.lower() in known else f"{stem}.{extension}"

"""The transfer encoding « 8bit » taken off for a server that takes no such octets (RFC 6152 3): what changes in a message, and the
encodings that it changes into, piece by piece: a large part never stands in memory whole.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailserver.mime.bodies import all_parts
from mailserver.mime.downgrade import ENCODING, LINE, inner
from mailserver.mime.params import split
from mailserver.mime.scanner import IDENTITY, Part, Scanner

PIECE = 64 * 1024  # octets looked at together
_COMPOSED = (b"multipart/", b"message/")  # whose own encoding is none (RFC 2046 5.2.1)
_LABEL = b"Content-Transfer-Encoding"
# `binascii` counts a blank at the end of a line before it is encoded.
_WIDE = re.compile(rb"(?m)^([^\r\n]{74})(=20|=09)\r$")


# ---------------------------------------------------------------- encodings
# `feed` gives what is sure so far, `end` the rest, in lines of at most 76 characters; line ends are CRLF on both sides.
class QuotedPrintable:
    """RFC 2045 6.7; line ends stay what they are. `feed` gives whole lines: what has none that end is for base64."""

    name = b"quoted-printable"

    def __init__(self) -> None:
        self._held = b""

    def feed(self, octets: bytes) -> bytes:
        octets = self._held + octets
        cut = octets.rfind(b"\n") + 1
        self._held = octets[cut:]
        return self._encoded(octets[:cut])

    def end(self) -> bytes:
        return self._encoded(self._held + b"\r\n").removesuffix(b"\r\n") if self._held else b""

    @staticmethod
    def _encoded(lines: bytes) -> bytes:
        return _WIDE.sub(rb"\1=\r\n\2\r", binascii.b2a_qp(lines))


class Base64:
    """RFC 2045 6.8."""

    name = b"base64"

    def __init__(self) -> None:
        self._held = b""

    def feed(self, octets: bytes) -> bytes:
        octets = self._held + octets
        cut = len(octets) - len(octets) % LINE
        self._held = octets[cut:]
        return b"".join(_base64(octets[at : at + LINE]) + b"\r\n" for at in range(0, cut, LINE))

    def end(self) -> bytes:
        return _base64(self._held)


def _base64(octets: bytes) -> bytes:
    return binascii.b2a_base64(octets, newline=False)


Encoding = type[QuotedPrintable] | type[Base64]


# ---------------------------------------------------------------- what changes
@dataclass(frozen=True, slots=True)
class Edit:
    """Octets [start, end) of a message: `put` stands for them, or they stand there encoded."""

    start: int
    end: int
    put: bytes = b""
    encoding: Encoding | None = None


def seven_bit(content: bytes) -> tuple[Edit, ...] | None:
    """What makes it 7bit, in order. None when that may not or cannot be: a part is signed as it stands (RFC 1847 2.1), a header is
    not ASCII (SMTPUTF8's affair), something is not read to its end. What no reader decodes (a preamble) stays as it is.
    """
    scanner = Scanner(content)
    root = scanner.message(0, len(content))
    for part in all_parts(root):
        if _is_signed(part) or not content[part.start : part.body].isascii():
            return None
    return None if scanner.cut else tuple(_edits(content, part=root, is_message=True, boundaries=()))


def _is_signed(part: Part) -> bool:
    return any(split(value)[0] == b"multipart/signed" for value in part.fields.values(b"content-type"))


def _edits(content: bytes, part: Part, is_message: bool, boundaries: tuple[bytes, ...]) -> Iterator[Edit]:
    """`boundaries`: of all that it stands in."""
    if part.encoding not in IDENTITY:
        return
    encoding = _encoding(content, part, boundaries)
    yield from _labels(content, part, encoding, is_message)
    if encoding is not None:
        yield Edit(part.body, part.end, encoding=encoding)
    if part.children:
        boundaries += tuple(value.rstrip() for name, value in part.params if name == b"boundary")
    for child in inner(part):
        yield from _edits(content, child, child is part.nested, boundaries)


def _encoding(content: bytes, part: Part, boundaries: tuple[bytes, ...]) -> Encoding | None:
    """None: it holds nothing but ASCII, or other parts; or what may have no encoding stands there unread."""
    said = (part.fields.value(b"content-type") or b"").strip().lower()
    if inner(part) or said.startswith(_COMPOSED) or all(map(bytes.isascii, _pieces(content, part))):
        return None
    has_lines = part.type == b"text" and all(b"\n" in piece or len(piece) < PIECE for piece in _pieces(content, part))
    return QuotedPrintable if has_lines and not _ends_early(content, part, boundaries) else Base64


def _ends_early(content: bytes, part: Part, boundaries: tuple[bytes, ...]) -> bool:
    """Whether a line of its quoted-printable reads as the end of the part: lines are cut anew there."""
    ends = [b"\n--" + boundary for boundary in boundaries]
    return any(end in b"\n" + lines for lines in _encoded(content, part) for end in ends)


def _encoded(content: bytes, part: Part) -> Iterator[bytes]:
    """In quoted-printable, whole lines at a time."""
    encoder = QuotedPrintable()
    yield from map(encoder.feed, _pieces(content, part))
    yield encoder.end()


def _pieces(content: bytes, part: Part) -> Iterator[bytes]:
    for at in range(part.body, part.end, PIECE):
        yield content[at : min(at + PIECE, part.end)]


def _labels(content: bytes, part: Part, encoding: Encoding | None, is_message: bool) -> Iterator[Edit]:
    """Its header says the encoding; and, where one that counts is new, that it is MIME at all (RFC 2045 4)."""
    name = b"7bit" if encoding is None else encoding.name
    found = list(ENCODING.finditer(content, part.start, part.body))
    if part.encoding != name:
        # The blank that may stand before ":" goes too: not all readers take the label for one with it.
        yield from (Edit(label.start() + len(_LABEL), label.end(), b": " + name) for label in found)
    lines = [] if found else [_LABEL + b": " + name]
    if is_message and part.fields.value(b"mime-version") is None:
        lines.insert(0, b"MIME-Version: 1.0")
    if encoding is not None and lines:
        at = _header_end(content, part)
        lines += [b""] if at < part.body else [b"", b""]
        yield Edit(at, at, b"\r\n".join(lines))


def _header_end(content: bytes, part: Part) -> int:
    """Where its blank line stands; its body when there is none."""
    for line_end in (b"\r\n", b"\n"):
        if content.endswith(line_end, part.start, part.body):
            return part.body - len(line_end)
    return part.body

"""The transfer encoding « binary » taken off again (RFC 3030 3, RFC 3516 1): its parts become base64 where they are no text.

Neither a mail client without BINARY nor another server without BINARYMIME could be given them otherwise.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from io import IncrementalNewlineDecoder

from mailserver.mime.scanner import Part, Scanner

ENCODING = re.compile(rb"(?im)^(content-transfer-encoding[ \t]*:)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*")
TEXT_LINE = 1000  # octets, CR LF with them (RFC 5322 2.1.1)
LINE = 57  # octets of a line of 76 characters (RFC 2045 6.8)


def without_nul(content: bytes) -> bytes | None:
    """The message with its binary parts that hold NUL in base64; None when NUL stands anywhere else."""
    found = _rewritten(content, lambda octets: b"\0" in octets, relabel=False)
    return None if b"\0" in found else found


def textual(content: bytes) -> bytes | None:
    """The message as text that every server takes; nothing in it says « binary » any more. None when that cannot be done."""
    found = _rewritten(content, lambda octets: not is_text(octets), relabel=True)
    return found if is_text(found) else None


def is_text(octets: bytes) -> bool:
    """Lines that end with CR LF and nowhere else, of at most 998 octets; no NUL (RFC 5322 2.3, RFC 2045 2.8)."""
    ends = IncrementalNewlineDecoder(None, translate=False)
    ends.decode(octets.decode("latin-1"), final=True)
    return b"\0" not in octets and ends.newlines in (None, "\r\n") and _lines_fit(octets)


def _lines_fit(octets: bytes) -> bool:
    """From line end to line end, as far as each may be."""
    at = 0
    while len(octets) - at >= TEXT_LINE:
        end = octets.rfind(b"\n", at, at + TEXT_LINE)
        if end < 0:
            return False
        at = end + 1
    return True


def _rewritten(content: bytes, unfit: Callable[[bytes], bool], relabel: bool) -> bytes:
    """Binary parts that are `unfit` in base64; `relabel`: the others, and what holds parts, as 8bit."""
    pieces, at = list[bytes](), 0
    for part in _binaries(Scanner(content).message(0, len(content))):
        octets = b"" if inner(part) else content[part.body : part.end]
        encoded = unfit(octets)
        if not (encoded or relabel):
            continue
        label = rb"\1 base64" if encoded else rb"\1 8bit"
        pieces += [content[at : part.start], ENCODING.sub(label, content[part.start : part.body])]
        at = part.body
        if encoded:
            pieces.append(_base64(octets))
            at = part.end
    return b"".join([*pieces, content[at:]])


def inner(part: Part) -> list[Part]:
    """What a part holds: its children, or the message that it is."""
    return [*part.children] + ([part.nested] if part.nested is not None else [])


def _binaries(part: Part) -> Iterator[Part]:
    """Parts with this encoding in the order of their headers; those of attached messages included."""
    if part.encoding == b"binary":
        yield part
    for child in inner(part):
        yield from _binaries(child)


def _base64(octets: bytes) -> bytes:
    lines = (binascii.b2a_base64(octets[at : at + LINE], newline=False) for at in range(0, len(octets), LINE))
    return b"\r\n".join(lines)

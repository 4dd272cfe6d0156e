"""Parts whose octets no mail client could be given in a literal (RFC 3516 1): « binary » becomes base64."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from mailserver.mime.scanner import Part, Scanner

_ENCODING = re.compile(rb"(?im)^(content-transfer-encoding:)[^\r\n]*")
LINE = 57  # octets of a line of 76 characters (RFC 2045 6.8)


def without_nul(content: bytes) -> bytes | None:
    """The message with its binary parts that hold NUL in base64; None when NUL stands anywhere else."""
    pieces, at = list[bytes](), 0
    for part in _binaries(Scanner(content).message(0, len(content))):
        if b"\0" in content[part.body : part.end]:
            pieces += [
                content[at : part.start],
                _ENCODING.sub(rb"\1 base64", content[part.start : part.body]),
                _base64(content[part.body : part.end]),
            ]
            at = part.end
    found = b"".join([*pieces, content[at:]])
    return None if b"\0" in found else found


def _binaries(part: Part) -> Iterator[Part]:
    """Leaves with this encoding, in their order; those of attached messages included."""
    inner = [*part.children] + ([part.nested] if part.nested is not None else [])
    if not inner and part.encoding == b"binary":
        yield part
    for child in inner:
        yield from _binaries(child)


def _base64(octets: bytes) -> bytes:
    lines = (binascii.b2a_base64(octets[at : at + LINE], newline=False) for at in range(0, len(octets), LINE))
    return b"\r\n".join(lines)

"""Parts that other readers may read otherwise than we do: what is in them for others, nobody here can tell."""

from __future__ import annotations

from mailserver.mime.bodies import is_body_text
from mailserver.mime.scanner import Part
from mailserver.mime.words import NOT_BASE64

_ENCODINGS = frozenset((b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable"))  # RFC 2045 6.1
_DECISIVE = (b"content-type", b"content-transfer-encoding", b"content-disposition")
_ELSEWHERE = (
    b"partial",
    b"external-body",
)  # RFC 2046 5.2.2, 5.2.3: pieces that programs put together, files that they fetch


def is_doubtful(part: Part, content: bytes) -> bool:
    """Fields twice that may stand once (RFC 2045 3, RFC 5322 3.6); files in an encoding of nobody's or of before MIME (x-uuencode),
    or in one that goes on behind its end; messages whose octets are elsewhere."""
    if any(part.fields.repeats(name) for name in _DECISIVE):
        return True
    if part.children or is_body_text(part):
        return False
    if part.encoding not in _ENCODINGS or (part.type == b"message" and part.subtype in _ELSEWHERE):
        return True
    return part.encoding == b"base64" and _goes_on(content, part.body, part.end)


def _goes_on(content: bytes, start: int, end: int) -> bool:
    """RFC 2045 6.8: padding is the end. Some programs read on, some begin again."""
    padding = content.find(b"=", start, end)
    return padding >= 0 and bool(content[padding:end].translate(None, NOT_BASE64))

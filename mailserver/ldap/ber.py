"""BER as LDAP restricts it (RFC 4511 5.1): definite lengths, one-octet tags, primitive strings.

Any octets are a value or `Malformed`.
"""

from __future__ import annotations

from collections.abc import Iterator

BOOLEAN, INTEGER, OCTET_STRING, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31
_LENGTH_OCTETS = 4  # enough for any message that is taken


class Malformed(Exception):
    """Not BER, or not what this protocol puts there."""


def size(data: bytes | bytearray) -> int | None:
    """Octets of the element that `data` begins with; None: too few are here to tell. Raises `Malformed`."""
    if len(data) < 2:
        return None
    first = data[1]
    if first < 0x80:
        return 2 + first
    count = first & 0x7F
    if not 0 < count <= _LENGTH_OCTETS:
        raise Malformed("length")
    if len(data) < 2 + count:
        return None
    return 2 + count + int.from_bytes(data[2 : 2 + count])


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, content) of each element, one after the other."""
    at = 0
    while at < len(data):
        rest = data[at : at + 2 + _LENGTH_OCTETS]
        whole = size(rest)
        if whole is None or at + whole > len(data):
            raise Malformed("cut short")
        if rest[0] & 0x1F == 0x1F:
            raise Malformed("tag")
        header = 2 + (rest[1] & 0x7F if rest[1] >= 0x80 else 0)
        yield rest[0], data[at + header : at + whole]
        at += whole


def one(data: bytes, tag: int) -> bytes:
    """The content of the only element, which has this tag."""
    found = list(elements(data))
    if len(found) != 1 or found[0][0] != tag:
        raise Malformed("element")
    return found[0][1]


def integer(content: bytes) -> int:
    if not 1 <= len(content) <= 5:
        raise Malformed("integer")
    return int.from_bytes(content, signed=True)


def text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Malformed("UTF-8") from None


# -------------------------------------------------------------------- writing
def element(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + body


def number(value: int, tag: int = INTEGER) -> bytes:
    octets = (value + (value < 0)).bit_length() // 8 + 1  # as few as hold it (X.690 8.3.2)
    return element(tag, value.to_bytes(octets, signed=True))


def string(value: str | bytes, tag: int = OCTET_STRING) -> bytes:
    return element(tag, value.encode() if isinstance(value, str) else value)

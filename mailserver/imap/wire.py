"""Strings on the IMAP wire: atoms, quoted strings, literals, dates, modified UTF-7 (RFC 3501 4 and 5.1.3).

Pure functions over bytes; nothing here knows a command or a session.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import lru_cache
from time import gmtime

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_QUOTABLE = re.compile(rb"[^\x00\r\n\x80-\xff]*")
_SHIFTED = re.compile(r"[^\x20-\x7e]+")
_UNSHIFT = re.compile(r"&([^-]*)-")


def quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def literal(value: bytes) -> bytes:
    return b"{%d}\r\n" % len(value) + value


def string(value: bytes) -> bytes:
    """`value` as a quoted string where the grammar lets it be one, else as a literal (RFC 3501 4.3)."""
    return quoted(value) if len(value) < 1024 and _QUOTABLE.fullmatch(value) else literal(value)


def octets(value: bytes) -> bytes:
    """`string`, or a literal8 for what holds NUL (RFC 3516 4.4)."""
    return b"~" + literal(value) if b"\0" in value else string(value)


def astring(value: bytes) -> bytes:
    return value if _ATOM.fullmatch(value) else string(value)


def nstring(value: bytes | None) -> bytes:
    return b"NIL" if value is None else string(value)


def number_set(numbers: Iterable[int]) -> bytes:
    """The shortest sequence-set of these ascending numbers: [1, 2, 3, 7] is `1:3,7` (RFC 3501 9)."""
    return run_set(runs(numbers))


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """First and last of the neighbours among these ascending numbers."""
    found: list[tuple[int, int]] = []
    first = last = -1
    for number in numbers:
        if number != last + 1 or first < 0:
            if first >= 0:
                found.append((first, last))
            first = number
        last = number
    return [*found, (first, last)] if first >= 0 else found


def run_set(found: Iterable[tuple[int, int]]) -> bytes:
    return b",".join(b"%d" % first if first == last else b"%d:%d" % (first, last) for first, last in found)


@lru_cache(maxsize=4096)
def _day(days: int) -> bytes:
    at = gmtime(days * 86400)
    return b'"%2d-%s-%04d ' % (at.tm_mday, MONTHS[at.tm_mon - 1].encode(), at.tm_year)


_MINUTES = [b"%02d:%02d" % divmod(minute, 60) for minute in range(1440)]
_SECONDS = [b':%02d +0000"' % second for second in range(60)]


def date_time(seconds: int) -> bytes:
    """INTERNALDATE, always in UTC: the zone of the first server says nothing to anybody."""
    minutes, second = divmod(seconds, 60)
    return _day(minutes // 1440) + _MINUTES[minutes % 1440] + _SECONDS[second]


def encode_mailbox(name: str) -> bytes:
    """Modified UTF-7 (RFC 3501 5.1.3)."""

    def shift(match: re.Match[str]) -> str:
        packed = base64.b64encode(match[0].encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
        return "&" + packed.decode("ascii") + "-"

    return _SHIFTED.sub(shift, name.replace("&", "&-")).encode("ascii")


def decode_mailbox(name: bytes) -> str:
    """The Unicode name; ValueError for what no correct client writes (8-bit octets, a bad shift)."""

    def unshift(match: re.Match[str]) -> str:
        packed = match[1]
        if not packed:
            return "&"
        raw = base64.b64decode(packed.replace(",", "/") + "=" * (-len(packed) % 4), validate=True)
        return raw.decode("utf-16-be")

    text = name.decode("ascii")
    decoded = _UNSHIFT.sub(unshift, text)
    # One name, one spelling: a folder must not be reachable by two encodings (RFC 3501 5.1.3).
    if encode_mailbox(decoded) != name:
        raise ValueError("not in modified UTF-7")
    return decoded

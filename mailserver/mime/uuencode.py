"""Files within a text, as mail had them before MIME (POSIX uuencode): `begin 644 name`, lines, `end`."""

from __future__ import annotations

import re
from binascii import Error, a2b_uu
from collections.abc import Iterator

_BEGIN = re.compile(rb"^begin [0-7]{3,4} ([^\r\n]{1,200})\r?\n", re.MULTILINE)


def files(text: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, content), as far as they can be read. No line is read twice: the next one's `begin` is no line of any."""
    if b"begin " not in text:
        return
    for found in _BEGIN.finditer(text):
        yield found[1].decode("utf-8", "replace"), b"".join(_lines(text, found.end()))


def _lines(text: bytes, at: int) -> Iterator[bytes]:
    while (end := text.find(b"\n", at)) >= 0:
        line = text[at:end].rstrip()
        try:
            yield a2b_uu(line) if line else b""
        except Error:
            return
        at = end + 1

"""Header blocks: their fields, unfolded values, ids (RFC 5322 sections 2.2 and 3.6).

A field keeps its octets as they came; text is made by `mailserver.mime.words`. Lines of a header block that are no field are
skipped, never an error. All patterns are possessive or on disjoint sets: linear in the size of the block.
"""

from __future__ import annotations

import re

# A real header block is under 32 KB (long References and Received chains); beyond 256 KB the octets are still stored and served
# by FETCH BODY[HEADER], but no field is looked for there.
MAX_HEADER = 256 * 1024

FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
FIRST_LINE = re.compile(rb"[!-9;-~]++[ \t]*+:")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_STRAY = re.compile(rb"[\r\n\0]+")
# A line holds 998 octets (RFC 5322 2.1.1). Line separators of Unicode would break a header that repeats the id.
_MESSAGE_ID = re.compile(rb"<[^<>\x00-\x20\x7f]{1,990}+>")


class Fields:
    """The fields of one header block, in order; look-ups are without case and cost one dictionary access."""

    __slots__ = ("_by_name", "all")

    def __init__(self, content: bytes, start: int, end: int) -> None:
        self.all: list[tuple[bytes, bytes]] = FIELD.findall(content, start, min(end, start + MAX_HEADER))
        by_name: dict[bytes, list[bytes]] = {}
        for name, value in self.all:
            by_name.setdefault(name.lower(), []).append(value)
        self._by_name = by_name

    def values(self, name: bytes) -> list[bytes]:
        """Raw values (folded, with the space after the colon) of the lower-case `name`."""
        return self._by_name.get(name, [])

    def value(self, name: bytes) -> bytes | None:
        """The first value, unfolded and stripped; None when there is no such field."""
        found = self._by_name.get(name)
        return unfold(found[0]) if found else None


def unfold(value: bytes) -> bytes:
    """RFC 5322 2.2.3: the line end goes, the white space after it stays; other controls that break lines become a space."""
    if b"\n" in value:
        value = _FOLD.sub(b"", value)
    value = value.strip()
    if b"\r" in value or b"\n" in value or b"\0" in value:
        value = _STRAY.sub(b" ", value)
    return value


def header_end(content: bytes, start: int, end: int) -> int:
    """Where the body of the entity [start, end) begins: after the blank line, or `start` when it opens with no header field."""
    if content.startswith(b"\r\n", start, end):
        return start + 2
    if content.startswith(b"\n", start, end):
        return start + 1
    if not FIRST_LINE.match(content, start, end):
        return start
    crlf = content.find(b"\n\r\n", start, end)
    bare = content.find(b"\n\n", start, end if crlf < 0 else crlf + 1)
    if bare >= 0:
        return bare + 2
    return crlf + 3 if crlf >= 0 else end


def message_ids(value: bytes | None) -> list[str]:
    """The `<id>`s of a Message-ID, In-Reply-To or References value, with their brackets, but those that no reply could repeat."""
    found = (one.decode("utf-8", "replace") for one in _MESSAGE_ID.findall(value or b""))
    return [one for one in found if one.isprintable()]

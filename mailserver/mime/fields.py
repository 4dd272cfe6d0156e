"""Header blocks: their fields, unfolded values, ids (RFC 5322 sections 2.2 and 3.6).

A field keeps its octets as they came; text is made by `mailserver.mime.words`. Lines of a header block that are no field are
skipped, never an error. All patterns are possessive or on disjoint sets: linear in the size of the block.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailserver.mime.addresses import RawAddress, raw_addresses

# A real header block is under 32 KB (long References and Received chains); beyond 256 KB the octets are still stored and served
# by FETCH BODY[HEADER], but no field is looked for there.
MAX_HEADER = 256 * 1024

FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
FIRST_LINE = re.compile(rb"[!-9;-~]++[ \t]*+:")
_STRAY = re.compile(rb"[\r\0]+")
# A line holds 998 octets (RFC 5322 2.1.1). Line separators of Unicode would break a header that repeats the id.
_MESSAGE_ID = re.compile(rb"<[^<>\x00-\x20\x7f]{1,990}+>")


def without(header: bytes, unwanted: Callable[[bytes, bytes], bool]) -> bytes:
    """The header without the fields that are `unwanted`: name in small letters, value with its folds."""
    kept, start = [], 0
    for found in FIELD.finditer(header, 0, MAX_HEADER):
        if unwanted(found[1].lower(), found[2]):
            kept.append(header[start : found.start()])
            start = found.end() + 1  # its line end
    return b"".join([*kept, header[start:]])


class Fields:
    """The fields of one header block, in order: lower-case names, unfolded values. A look-up is one access to a dictionary."""

    __slots__ = ("_addresses", "_first", "all")

    def __init__(self, content: bytes, start: int, end: int) -> None:
        found = FIELD.findall(content, start, min(end, start + MAX_HEADER))
        self.all: list[tuple[bytes, bytes]] = [(name.lower(), _unfolded(value)) for name, value in found]
        self._first = dict(reversed(self.all))
        self._addresses: dict[bytes, list[RawAddress]] = {}

    def values(self, name: bytes) -> list[bytes]:
        """Of the lower-case `name`, in order."""
        return [value for other, value in self.all if other == name] if name in self._first else []

    def value(self, name: bytes) -> bytes | None:
        """The first; None when there is no such field."""
        return self._first.get(name)

    def repeats(self, name: bytes) -> bool:
        """Whether `name` is there more than once."""
        return name in self._first and len(self.values(name)) > 1

    def addresses(self, name: bytes) -> list[RawAddress]:
        """Of all fields `name`; ENVELOPE, the rules and threads ask for the same ones."""
        if name not in self._first:
            return []
        found = self._addresses.get(name)
        if found is None:
            found = self._addresses[name] = [one for value in self.values(name) for one in raw_addresses(value)]
        return found


def _unfolded(value: bytes) -> bytes:
    """RFC 5322 2.2.3: the line end goes, the white space after it stays; other controls that break lines become a space.

    White space stands behind each LF: `FIELD` took no other.
    """
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    value = value.strip()
    if b"\r" in value or b"\0" in value:
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

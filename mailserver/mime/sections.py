"""From a section of FETCH BODY[...] (RFC 9051 6.4.5.1) to a slice of the stored message, by `Card.parts` alone.

Keys of `Card.parts`:
- "1", "2.1", ...: every numbered part. header [header, body) is its MIME header, [body, end) its content. The only part of a
  message that is not multipart is "1"; its header is the message's.
- "TEXT": the message itself: [0, body) its header, [body, size) its text. "2.TEXT": the same for the message inside part 2
  (message/rfc822), whose parts are "2.1", "2.2", ...
Spans are (start, end) in octets of the message; HEADER.FIELDS takes the HEADER span and filters it with `header_fields`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from mailserver.mime.fields import FIELD, MAX_HEADER
from mailserver.store.api import PartOffsets

_FIELDS = re.compile(b"(" + FIELD.pattern + b")", re.MULTILINE).findall


def locate(parts: Mapping[str, PartOffsets], number: str = "", kind: str = "") -> tuple[int, int] | None:
    """Span of BODY[number.kind]; `kind` is "", "HEADER", "TEXT" or "MIME". None when the message has no such section.

    `locate(p)` is the whole message; `locate(p, "", "HEADER")` its header; `locate(p, "2.1", "MIME")` a part's header.
    """
    if not number or kind in ("HEADER", "TEXT"):
        message = parts.get(f"{number}.TEXT" if number else "TEXT")
        if message is None or kind == "MIME":
            return None
        start = message.body if kind == "TEXT" else message.header
        return start, message.body if kind == "HEADER" else message.end
    part = parts.get(number)
    if part is None or kind not in ("", "MIME"):
        return None
    return (part.header, part.body) if kind == "MIME" else (part.body, part.end)


def header_fields(header: bytes, names: Collection[bytes], negate: bool = False) -> bytes:
    """The fields of `header` called (or, with `negate`, not called) one of `names`, as they came, and a blank line.

    `names` in any case. A field ends with CRLF even when it was the last of a truncated header. No field is looked for beyond
    `MAX_HEADER`.
    """
    return fields_filter(names, negate)(header)


def fields_filter(names: Collection[bytes], negate: bool = False) -> Callable[[bytes], bytes]:
    """`header_fields` for many headers."""
    # One pattern for every set of names: compiling theirs would let a client's long list cost much.
    wanted = frozenset(name.lower() for name in names)

    def filtered(header: bytes) -> bytes:
        fields = _FIELDS(header[:MAX_HEADER])
        kept = [field.rstrip(b"\r") for field, name, _ in fields if (name.lower() in wanted) is not negate]
        return b"\r\n".join([*kept, b"\r\n"]) if kept else b"\r\n"

    return filtered

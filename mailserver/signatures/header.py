"""Header fields in the way dkimpy keeps them: name, and all behind the colon with its line ends (RFC 6376 3.4.1).

Its own reader needs a time that grows with the square of a folded field, and gives up at a line that is no field; such a line says
nothing to anybody else here, so it is skipped.
"""

from __future__ import annotations

from mailserver.mime.fields import FIELD, MAX_HEADER

Field = tuple[bytes, bytes]


def header_fields(content: bytes) -> tuple[list[Field], int]:
    """The fields at the beginning of `content`, and where its body begins; no field is looked for beyond `MAX_HEADER`."""
    end = content.find(b"\r\n\r\n")
    end, body = (len(content), len(content)) if end < 0 else (end + 2, end + 4)
    return [(name, value + b"\n") for name, value in FIELD.findall(content, 0, min(end, MAX_HEADER))], body

"""How much work it is to read a message, told from its octets at a glance: what is made to be slow is read off the loop."""

from __future__ import annotations

# Each may be a step of its own: tags, addresses, groups, parameters, comments, quoted strings and pairs, encoded words.
MARKS = b'<,:;("?\\'
_OTHERS = bytes(set(range(256)) - set(MARKS + b"\n"))
LIGHT = 500  # steps that the loop may take: 3 ms at most (measured); a letter of some pages has half of them
HIDDEN = 5  # octets in which an encoding may hide one


def weight(content: bytes) -> int:
    """Steps that reading it may take, when it is as bad as it can be; ordinary letters are far from that."""
    marks = content.translate(None, _OTHERS)  # one pass, and a few octets to count
    lines = marks.count(b"\n")
    steps = len(marks) - lines + lines // 2 + 2 * content.count(b"\n-")  # lines of headers; delimiters of parts
    lower = content.lower()
    if b"base64" in lower or b"quoted-printable" in lower:
        steps += len(content) // HIDDEN
    return steps

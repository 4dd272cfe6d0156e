"""How much work it is to read a message, told from its octets at a glance: what is made to be slow is read off the loop."""

from __future__ import annotations

# Each may be a step of its own: tags, addresses, groups, parameters, comments, quoted strings and pairs, encoded words.
MARKS = b'<,:;("?\\'
LIGHT = 500  # steps that the loop may take: 3 ms at most (measured); a letter of some pages has half of them
HIDDEN = 5  # octets in which an encoding may hide one


def weight(content: bytes) -> int:
    """Steps that reading it may take, when it is as bad as it can be; ordinary letters are far from that."""
    steps = len(content) - len(content.translate(None, MARKS))
    steps += content.count(b"\n") // 2 + 2 * content.count(b"\n-")  # lines of headers; delimiters of parts
    lower = content.lower()
    if b"base64" in lower or b"quoted-printable" in lower:
        steps += len(content) // HIDDEN
    return steps

"""The few header fields that delivery adds or rewrites, on octets. Nothing else of a message is ever changed.

Return-Path at final delivery (RFC 5321 4.4), X-MSS-NIL on what our users send (docs/rules.md section 6), and the subject without
its `[FIN]` (section 4). The subject is rewritten in the stored message, with the original kept beside it, rather than in the card
alone: a mail client that reads BODY[HEADER], a search and the citizen's page must all show the same one.
"""

from __future__ import annotations

import re
from email.header import Header

NIL = "X-MSS-NIL"
ORIGINAL_SUBJECT = "X-MSS-Original-Subject"

_SUBJECT = re.compile(rb"^subject[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)(\r?\n)", re.IGNORECASE | re.MULTILINE)
_END = re.compile(rb"\r?\n\r?\n")


def return_path(reverse_path: str) -> bytes:
    """`reverse_path` has passed the door's grammar: no line end, no bracket."""
    return b"Return-Path: <%s>\r\n" % reverse_path.encode()


def product_number(content: bytes, number: str) -> bytes:
    """The X-MSS-NIL line to put in front; empty when there is no number or the program has set its own."""
    if not number or re.search(rb"^x-mss-nil[ \t]*:", _header(content), re.IGNORECASE | re.MULTILINE):
        return b""
    return f"{NIL}: {number}\r\n".encode("ascii")


def with_subject(content: bytes, subject: str) -> bytes:
    """The message with `subject` as its first Subject field; the original value stays in X-MSS-Original-Subject."""
    found = _SUBJECT.search(content, 0, len(_header(content)))
    if found is None:
        return content
    subject = subject.encode(errors="replace").decode()  # lone surrogates of a broken encoded word
    encoded = Header(subject, "utf-8" if not subject.isascii() else "us-ascii", header_name="Subject")
    line_end = found[2]
    value = encoded.encode(linesep=line_end.decode()).encode("ascii")
    fields = b"Subject: " + value + line_end + ORIGINAL_SUBJECT.encode() + b":" + found[1] + line_end
    return content[: found.start()] + fields + content[found.end() :]


def _header(content: bytes) -> bytes:
    """The header block with its last line end."""
    found = _END.search(content)
    return content[: found.start() + 2] if found else content

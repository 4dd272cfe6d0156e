"""APPEND (RFC 3501 6.3.11, RFC 4315): one message into a folder."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.imap.grammar import Cursor
from mailserver.store.api import Flags


@dataclass(frozen=True, slots=True)
class Append:
    """`internal_date` in seconds since the epoch; 0 = now."""

    name: str
    flags: Flags
    internal_date: int
    content: bytes


def parse_append(at: Cursor) -> Append:
    at.space()
    name = at.mailbox()
    at.space()
    flags = Flags()
    if at.at(b"("):
        flags = at.flag_list()
        at.space()
    internal_date = 0
    if at.at(b'"'):
        internal_date = at.date_time()
        at.space()
    content = at.literal()
    if not content:
        at.fail("an empty message cannot be stored")
    if b"\0" in content:
        at.fail("NUL is not allowed in a literal")  # RFC 3501 4.3: CHAR8 is %x01-ff
    return Append(name, flags, internal_date, content)

"""IMAP URLs of messages and of their parts (RFC 5092), relative ones only: `/Drafts;UIDVALIDITY=1/;UID=20/;SECTION=1.MIME`.

Pure. What another server or another user would be asked for is no URL of ours (RFC 4469 3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from mailserver.imap.commands.fetch import BodyItem, Section, parse_section
from mailserver.imap.framer import Frame
from mailserver.imap.grammar import Cursor
from mailserver.imap.responses import Bad

_URL = re.compile(
    r"(?:/(?P<mailbox>[^;/](?:[^;]*[^;/])?)?(?:;UIDVALIDITY=(?P<validity>[1-9]\d{0,9}))?/?)?"
    r";UID=(?P<uid>[1-9]\d{0,9})(?:/?;SECTION=(?P<section>[^;]+?))?(?:/?;PARTIAL=(?P<offset>\d{1,10})(?:\.(?P<length>\d{1,10}))?)?",
    re.IGNORECASE,
)

ALL = 1 << 40  # octets: more than any message has


@dataclass(frozen=True, slots=True)
class MessageUrl:
    """`mailbox` is None for the selected one; `partial` is (offset, octets), None octets for all that follow."""

    mailbox: str | None
    uid_validity: int | None
    uid: int
    section: Section
    partial: tuple[int, int | None] | None

    @property
    def item(self) -> BodyItem:
        """What FETCH would be asked for."""
        partial = None if self.partial is None else (self.partial[0], self.partial[1] or ALL)
        return BodyItem(self.section, b"", peek=True, partial=partial)


def parse_url(text: str) -> MessageUrl | None:
    """None for what is not the URL of a message here."""
    found = _URL.fullmatch(text)
    if found is None:
        return None
    try:
        mailbox = None if found["mailbox"] is None else unquote_to_bytes(found["mailbox"]).decode()
        section = Section()
        if found["section"]:
            spec = unquote_to_bytes(found["section"])
            if b"\n" in spec:  # would be read as a literal, and none came with it
                return None
            at = Cursor(Frame(spec + b"]"))
            section = parse_section(at)
            at.end()
    except (ValueError, Bad):
        return None
    validity, offset, length = found["validity"], found["offset"], found["length"]
    partial = None if offset is None else (int(offset), None if length is None else int(length))
    return MessageUrl(mailbox, None if validity is None else int(validity), int(found["uid"]), section, partial)

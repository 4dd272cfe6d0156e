"""What the bridge keeps of a message: who wrote, when, about what, and whom to answer. Pure, over a scanned message.

The author and date of a document that came as a plain attachment are those of the message (From and Date); a program that knows
better sends a CDA, whose opener will say so itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from health_space.dossier.operations import message_name
from mailserver.mime import Address, Message

EARLIEST = date(1900, 1, 1)
_XDM_SUBJECT = re.compile(r"^\s*XDM/1\.0/DDM\+?", re.IGNORECASE)  # rules.md section 6: shown without its prefix


@dataclass(frozen=True, slots=True)
class Letter:
    """`name` identifies the message for good (`message_name`)."""

    name: str
    message_id: str  # "" when there is none
    subject: str
    author_name: str
    author_address: str
    sent_on: date
    answer_to: str  # "" when nobody may be answered (RFC 3834 section 2)
    report: bool  # a bounce or a receipt: its parts are no documents


def read_letter(message: Message, received_at: int) -> Letter:
    """`received_at` in milliseconds; it replaces a Date that is missing or cannot be true."""
    author = next(iter(message.addresses("from")), None)
    address = _spec(author)
    return Letter(
        name=message_name(message.message_id, message.content),
        message_id=message.message_id or "",
        subject=_XDM_SUBJECT.sub("", message.subject).strip(),
        author_name=(author.display or address) if author else "",
        author_address=address,
        sent_on=_date(message.date, received_at),
        answer_to=_answer_to(message, address),
        report=message.root.media_type == "multipart/report",
    )


def _date(written: datetime | None, received_at: int) -> date:
    received = datetime.fromtimestamp(received_at / 1000, UTC).date()
    if written is None or not EARLIEST <= written.date() <= received + timedelta(days=1):
        return received
    return written.date()


def _answer_to(message: Message, author: str) -> str:
    """The reverse path that delivery wrote in front (RFC 5321 4.4); the null path asks for silence."""
    written = message.header("return-path")
    if written is None:
        return author
    return _spec(next(iter(message.addresses("return-path")), None))


def _spec(address: Address | None) -> str:
    return f"{address.local}@{address.domain}" if address and address.local and address.domain else ""

"""The `Received:` header put before each message (RFC 5321 4.4, RFC 6531 4.3 for the words after `with`).

Between operators it names the client, as the RFC asks. At submission it does not: the address of a practitioner's home or of a
patient's telephone would travel with every message.
"""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache

from mailserver.delivery.api import Door
from mailserver.smtp.conversation import Conversation


def received(talk: Conversation, message_id: str, now: int) -> bytes:
    """`now` in ms. No `for` clause: it would show one recipient to the others (RFC 5321 7.2)."""
    if talk.rules.door is Door.SUBMISSION:
        origin = "localhost (signed-in client, address withheld)"
    else:
        origin = f"{talk.hello} ([{_literal(talk.client_ip)}])"
    return (
        f"Received: from {origin}\r\n"
        f"\tby {talk.house.hostname} with {protocol(talk)} id {message_id}{_priority(talk)};\r\n"
        f"\t{_date(now // 1000)}\r\n"
    ).encode("ascii", "replace")


def protocol(talk: Conversation) -> str:
    """RFC 3848 and RFC 6531 4.3."""
    if not talk.extended:
        return "SMTP"
    utf8 = talk.transaction is not None and talk.transaction.mail.smtp_utf8
    word = "UTF8SMTP" if utf8 else "ESMTP"
    return word + ("S" if talk.secure else "") + ("A" if talk.signed_in else "")


def _priority(talk: Conversation) -> str:
    """RFC 6710 4.1, when it was given."""
    priority = talk.transaction.mail.terms.priority if talk.transaction is not None else 0
    return f"\r\n\tPRIORITY {priority}" if priority else ""


def _literal(client_ip: str) -> str:
    return f"IPv6:{client_ip}" if ":" in client_ip else client_ip


@lru_cache(maxsize=4)
def _date(seconds: int) -> str:
    return formatdate(seconds)

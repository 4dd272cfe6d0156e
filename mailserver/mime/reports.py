"""What a report says of a message: a delivery report (RFC 3464) or a receipt (RFC 8098), read by a program. Pure; never raises.

Bounded: a report is small, and one that is not is no honest one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailserver.mime.fields import message_ids
from mailserver.mime.message import Message, scan
from mailserver.mime.params import parameter

MAX_MACHINE = 256 * 1024  # octets of the part for programs
MAX_SAID = 1_000  # recipients
MAX_WORDS = 500  # characters of a diagnostic, of a host's name
_DELIVERY, _RECEIPT = "message/delivery-status", "message/disposition-notification"


@dataclass(frozen=True, slots=True)
class Said:
    """Of one recipient. `action`: RFC 3464 2.3.3 (failed, delayed, delivered, relayed, expanded), or the disposition of RFC 8098
    3.2.6 (displayed, processed, deleted, dispatched), "error" when it tells of one. `addresses`: as first given, then the last.
    """

    addresses: tuple[str, ...]
    action: str
    status: str | None = None
    host: str | None = None
    diagnostic: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """`message_id`: of the message it is about, with its brackets; None when it does not say."""

    message_id: str | None
    said: tuple[Said, ...]


def kind(message: Message) -> str:
    """ "delivery-status", "disposition-notification", another type of report, or "" for what is no report (RFC 6522)."""
    if message.root.subtype != b"report" or message.root.type != b"multipart":
        return ""
    return (parameter(message.root.params, b"report-type") or "?").lower()


def read(message: Message) -> Report | None:
    """None when it is no report, or has no part for programs."""
    if not kind(message):
        return None
    pieces = {piece.media_type: piece.section for piece in reversed(message.attachments())}  # the first of each type
    if section := pieces.get(_RECEIPT):
        block = next(_blocks(message.decoded(section)), {})
        return Report(_first_id(block.get("original-message-id")), (_receipt(block),))
    if section := pieces.get(_DELIVERY):
        blocks = list(_blocks(message.decoded(section)))[1 : MAX_SAID + 1]
        return Report(_returned_id(message, pieces), tuple(map(_delivery, blocks)))
    return None


def _receipt(block: dict[str, str]) -> Said:
    disposition, _, modifiers = block.get("disposition", "").partition(";")[2].strip().lower().partition("/")
    action = "error" if "error" in modifiers or "failure" in modifiers or "error" in block else disposition.strip()
    return Said(_addresses(block), action)


def _delivery(block: dict[str, str]) -> Said:
    return Said(
        _addresses(block),
        block.get("action", "").lower(),
        block.get("status", "").split(" ")[0][:MAX_WORDS] or None,
        _bounded(_behind_type(block.get("remote-mta"))),
        _bounded(_behind_type(block.get("diagnostic-code"))),
    )


def _returned_id(message: Message, pieces: dict[str, str]) -> str | None:
    """From the message, or its header, that comes back with the report; else from what the report answers."""
    for media_type in ("text/rfc822-headers", "message/rfc822", "message/global-headers", "message/global"):
        if section := pieces.get(media_type):
            return scan(message.decoded(section, MAX_MACHINE)).message_id
    return next(iter(message.in_reply_to), None)


def _blocks(part: bytes) -> Iterator[dict[str, str]]:
    """Fields of each block, by lower-case name; a block ends at an empty line."""
    block: dict[str, str] = {}
    for line in part[:MAX_MACHINE].decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
        if not line.strip():
            if block:
                yield block
            block = {}
        elif line[0] in " \t" and block:
            name = next(reversed(block))
            block[name] += f" {line.strip()}"
        else:
            name, _, value = line.partition(":")
            block[name.strip().lower()] = value.strip()
    if block:
        yield block


def _addresses(block: dict[str, str]) -> tuple[str, ...]:
    found = (_behind_type(block.get(name)) for name in ("original-recipient", "final-recipient"))
    return tuple(address.strip("<>") for address in found if address)


def _behind_type(value: str | None) -> str | None:
    """`rfc822; a@b` -> `a@b`."""
    return (value or "").partition(";")[2].strip() or None


def _bounded(value: str | None) -> str | None:
    return value[:MAX_WORDS] if value else None


def _first_id(value: str | None) -> str | None:
    return next(iter(message_ids((value or "").encode())), None)

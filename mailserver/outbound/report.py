"""Delivery reports: multipart/report of RFC 3464 (asked for as in RFC 3461), readable first.

Part 1 says in French, then in English, what happened to which recipient and what to do; part 2 is for programs; part 3 gives back
the header of the message, or, after a failure and where RET=FULL asked for it, all of it. What is given back is put between two
ends (`Report`), so that a large message never stands in memory for it (`giving_back`).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage, Message
from email.policy import SMTP
from email.utils import format_datetime
from enum import Enum

from mailserver.delivery.api import Terms
from mailserver.mime import scan
from mailserver.outbound.compose import NBSP, RULER, Office, notice, paragraphs
from mailserver.outbound.content import with_line_ends
from mssante.address import in_ascii
from mssante.reason import english_moment, french_moment

MAX_HEADER_RETURNED = 16 * 1024  # octets of the returned header: enough for any real one
MAX_RETURNED = 10 * 1024 * 1024  # octets of a message that comes back whole: every mailbox of the space takes that much


class Action(Enum):
    """RFC 3464 2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"  # handed to another operator


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of one recipient; `status` as in RFC 3463, sentences without line ends, times in milliseconds."""

    address: str
    action: Action
    status: str
    fr: str = ""
    en: str = ""
    orcpt: str | None = None
    remote_host: str | None = None
    diagnostic: str | None = None  # the peer's reply, as it said it
    retry_until: int | None = None


class Given(Enum):
    """What part 3 gives back; `TOO_LARGE`: the header where the whole message was asked for, and the text says why."""

    HEADER = "header"
    MESSAGE = "message"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class Report:
    """All octets of a report but those given back, which stand between `front` and `back`."""

    front: bytes
    back: bytes

    def around(self, given_back: bytes) -> bytes:
        return b"".join((self.front, given_back, self.back))


# action -> (subject, French, English) ; {one}: one recipient or several
_WORDS = {
    Action.FAILED: (
        "Non remis",
        "Votre message n’a pas pu être remis. Voici à qui, et pourquoi\u00a0:",
        "Your message could not be delivered. To whom, and why:",
    ),
    Action.DELAYED: (
        "Retardé",
        "Votre message n’est pas encore remis. Vous n’avez rien à faire\u00a0: nous continuons d’essayer.",
        "Your message is not delivered yet. There is nothing to do: we keep trying.",
    ),
    Action.DELIVERED: ("Remis", "Votre message a été remis\u00a0:", "Your message was delivered:"),
    Action.RELAYED: (
        "Transmis",
        "Votre message a été accepté par l’opérateur du destinataire\u00a0:",
        "Your message was accepted by the recipient’s operator:",
    ),
}


_WITHHELD = (
    "Vous aviez demandé à le recevoir en entier\u00a0: il est trop volumineux pour cela, seul son en-tête est joint.",
    "You asked for all of it: it is too large to be returned, only its header is attached.",
)


def wished(ret: str | None, told: Sequence[Told], terms: Terms, octets: int) -> Given:
    """For a message of so many octets: RET is about failures only (RFC 3461 4.3), and void under REQUIRETLS (RFC 8689 5)."""
    if ret != "FULL" or terms.require_tls or all(one.action is not Action.FAILED for one in told):
        return Given.HEADER
    return Given.MESSAGE if octets <= MAX_RETURNED else Given.TOO_LARGE


def header_of(beginning: bytes) -> bytes:
    """The header of a message, as it is given back: its first `MAX_HEADER_RETURNED` octets at most, all line ends CRLF."""
    header = with_line_ends(beginning[: scan(beginning).root.body])
    return header if len(header) <= MAX_HEADER_RETURNED else header[: header.rfind(b"\n", 0, MAX_HEADER_RETURNED) + 1]


def report(
    office: Office,
    to: str,
    told: Sequence[Told],
    header: bytes,
    *,
    token: str,
    now: int,
    arrived_at: int,
    envid: str | None = None,
    terms: Terms = Terms(),
    given: Given = Given.HEADER,
    is_ascii: bool | None = None,
) -> Report:
    """One report to the sender `to` about recipients of one message with that `header`. `is_ascii`: of a message `given` back.

    `told` is not empty; the first one's action gives the subject, failures first. See `compose.notice` for `token`.
    """
    ordered = sorted(told, key=lambda one: list(Action).index(one.action))
    source = scan(header)
    title = _WORDS[ordered[0].action][0]
    subject = f"{title}{NBSP}: {source.subject}" if source.subject.strip() else f"{title}{NBSP}: votre message"
    text = _text(ordered, source.subject.strip(), arrived_at, given)
    message = notice(office, to, subject, text, token=token, now=now, answers=source.message_id)
    message.make_mixed()
    message.attach(_machine(office, ordered, arrived_at, envid, terms))
    message.attach(_returned(header, given, eight_bit := not (header.isascii() if is_ascii is None else is_ascii)))
    message.set_type("multipart/report")
    message.set_param("report-type", "delivery-status")
    message.set_boundary(secrets.token_hex(16))  # what is given back is a stranger's: it must not foresee its own end
    if eight_bit:
        message["Content-Transfer-Encoding"] = "8bit"  # as what it holds (RFC 2045 6.4)
    octets = message.as_bytes()
    end = octets.rindex(f"\r\n--{message.get_boundary()}--".encode())
    return Report(octets[:end], octets[end:])


# ---------------------------------------------------------------- for people
def _text(told: Sequence[Told], subject: str, arrived_at: int, given: Given) -> str:
    named = f" «\u00a0{subject}\u00a0»" if subject else ""
    groups = [(action, [one for one in told if one.action is action]) for action in Action]
    french = [f"{_WORDS[action][1]}\n\n{_french(group)}" for action, group in groups if group]
    english = [f"{_WORDS[action][2]}\n\n{_english(group)}" for action, group in groups if group]
    withheld = _WITHHELD if given is Given.TOO_LARGE else ("", "")
    return paragraphs(
        "Bonjour,",
        f"Au sujet de votre message{named} du {french_moment(arrived_at)}\u00a0:",
        *french,
        withheld[0],
        RULER,
        f"About your message of {english_moment(arrived_at)}:",
        *english,
        withheld[1],
    )


def _french(group: Sequence[Told]) -> str:
    lines = []
    for one in group:
        lines.append(f"- {one.address}{f'{NBSP}: {one.fr}' if one.fr else ''}")
        if one.retry_until is not None:
            lines.append(f"  Nous essayons jusqu’au {french_moment(one.retry_until)}, puis nous vous préviendrons.")
        if one.diagnostic:
            lines.append(
                f"  Réponse du serveur{f' {one.remote_host}' if one.remote_host else ''}{NBSP}: {one.diagnostic}"
            )
    return "\n".join(lines)


def _english(group: Sequence[Told]) -> str:
    lines = []
    for one in group:
        lines.append(f"- {one.address}{f': {one.en}' if one.en else ''}")
        if one.retry_until is not None:
            lines.append(f"  We keep trying until {english_moment(one.retry_until)}, then we will tell you.")
    return "\n".join(lines)


# ---------------------------------------------------------------- for programs
def _machine(office: Office, told: Sequence[Told], arrived_at: int, envid: str | None, terms: Terms) -> EmailMessage:
    """message/delivery-status: a block for the message, one for each recipient (RFC 3464 2.2 and 2.3)."""
    part = EmailMessage(policy=SMTP)
    part["Content-Type"] = "message/delivery-status"
    first: dict[str, str | None] = {
        "Original-Envelope-Id": envid,
        "Reporting-MTA": f"dns; {office.host}",
        "Arrival-Date": _date(arrived_at),
        "Deliver-By-Date": _date(terms.deadline) if terms.deadline else None,  # RFC 2852 5
        "Future-Release-Request": terms.hold,  # RFC 4865 5.1.2
    }
    part.set_payload([_block(first), *(_block(_fields(one)) for one in told)])
    return part


def _fields(one: Told) -> dict[str, str | None]:
    return {
        "Original-Recipient": one.orcpt,
        "Final-Recipient": _typed(one.address),
        "Action": one.action.value,
        "Status": one.status,
        "Remote-MTA": f"dns; {one.remote_host}" if one.remote_host else None,
        "Diagnostic-Code": f"smtp; {one.diagnostic}" if one.diagnostic else None,
        "Will-Retry-Until": None if one.retry_until is None else _date(one.retry_until),
    }


def _typed(address: str) -> str:
    """RFC 6533 section 3: an address that is not ASCII is written with `\\x{…}` in its ASCII form."""
    if address.isascii():
        return f"rfc822; {address}"
    return f"utf-8; {in_ascii(address)}"


def _block(fields: dict[str, str | None]) -> Message:
    block = Message(policy=SMTP)
    for name, value in fields.items():
        if value:
            block[name] = " ".join(value.encode("ascii", "replace").decode().split())
    return block


def _date(at: int) -> str:
    return format_datetime(datetime.fromtimestamp(at / 1000, UTC))


def _returned(header: bytes, given: Given, eight_bit: bool) -> EmailMessage:
    """Without its octets. A message whose header is in UTF-8 is message/global (RFC 6532 3.7, RFC 6533 4)."""
    part = EmailMessage(policy=SMTP)
    kind = "message/rfc822" if header.isascii() or not _is_utf8(header) else "message/global"
    part["Content-Type"] = kind if given is Given.MESSAGE else "text/rfc822-headers"
    if eight_bit:
        part["Content-Transfer-Encoding"] = "8bit"
    part.set_payload("")
    return part


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True

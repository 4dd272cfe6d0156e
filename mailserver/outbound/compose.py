"""Messages that this server writes itself: how they look, and the confirmation of a `[FIN]` (rules.md section 4).

Plain French first, with correct typography, then the same in English. All carry `Auto-Submitted` (RFC 3834) and go out with the
null reverse path, so that no notice ever answers a notice. Delivery reports are in `mailserver.outbound.report`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

NBSP = "\u00a0"
_FRENCH_SPACES = re.compile(r"(?<=«) | (?=[»:;!?])")
_BREAKS = re.compile(r"[\x00-\x20\x7f\x85\u2028\u2029]+")  # all that would end a header line (a no-break space stays)
RULER = "-" * 60


@dataclass(frozen=True, slots=True)
class Office:
    """In whose name notices are written: the operator's host name, the address people may answer, X-MSS-NIL."""

    host: str
    address: str  # of a mailbox that somebody reads: `postmaster@…`
    name: str = "Messagerie MSSanté"
    product_number: str = ""


def notice(
    office: Office, to: str, subject: str, text: str, *, token: str, now: int, answers: str | None = None
) -> EmailMessage:
    """A message of ours to `to`.

    `token` makes the Message-ID: give the job's id, so that a job run twice sends one and the same message. `answers` is the
    Message-ID of the message it is about; `now` in milliseconds.
    """
    message = EmailMessage(policy=SMTP)
    local, _, domain = office.address.rpartition("@")
    message["From"] = Address(office.name, local, domain)
    message["To"] = _mailbox(to)
    message["Subject"] = _BREAKS.sub(" ", subject)
    message["Date"] = format_datetime(datetime.fromtimestamp(now / 1000, UTC))
    message["Message-ID"] = f"<{token}@{office.host}>"
    message["MIME-Version"] = "1.0"
    message["Auto-Submitted"] = "auto-replied"
    if office.product_number:
        message["X-MSS-NIL"] = office.product_number
    if answers:
        message["In-Reply-To"] = answers
        message["References"] = answers
    message.set_content(text, charset="utf-8", cte="quoted-printable")
    return message


def _mailbox(address: str) -> Address | str:
    local, _, domain = address.rpartition("@")
    try:
        return Address("", local, domain)
    except (ValueError, IndexError):  # a quoted or UTF-8 local part that the stdlib does not write
        return "undisclosed-recipients:;"


# ---------------------------------------------------------------- closing an exchange
_CLOSED = {
    "command": (
        "Votre message vide « [FIN] » a bien été compris : il a clos l’échange et n’a pas été remis.",
        "Your empty “[FIN]” message was understood: it closed the exchange and was not delivered.",
    ),
    "subject": (
        "Votre message a été remis en entier, sans la mention [FIN], puis l’échange a été clos.",
        "Your message was delivered whole, without the mark [FIN], and then the exchange was closed.",
    ),
    "near_miss": (
        "Votre message a été remis. L’échange reste ouvert : la mention de son objet ressemble à [FIN] mais n’est pas"
        " écrite exactement ainsi, en majuscules et entre crochets.",
        "Your message was delivered. The exchange stays open: its subject holds something like [FIN], but not exactly"
        " so, in capitals and between square brackets.",
    ),
}
_AFTER_FR = "Cette personne ne peut plus vous répondre. Il vous suffit de lui écrire de nouveau pour rouvrir l’échange."
_AFTER_EN = "This person can no longer answer you. Just write again to reopen the exchange."
_NEXT_FR = (
    "La prochaine fois, le plus sûr est d’ajouter à votre dernier message l’en-tête « X-MSS-MES: FIN » (votre logiciel le"
    " propose parfois sous le nom « clore l’échange » ou « ne pas répondre »)\u00a0: il est remis, puis l’échange est clos."
)
_NEXT_EN = (
    "Next time, the surest way is the header “X-MSS-MES: FIN” on your last message: it is delivered, then the exchange"
    " is closed."
)


def confirmation(
    office: Office, to: str, what: str, citizens: Sequence[str], subject: str, *, token: str, now: int
) -> bytes:
    """Tells a professional what became of a `[FIN]`; `what` is "command", "subject" or "near_miss" (the `confirm` job's)."""
    french, english = _CLOSED[what]
    after_fr, after_en = ("", "") if what == "near_miss" else (_AFTER_FR, _AFTER_EN)
    named = f" (objet\u00a0: «\u00a0{subject}\u00a0»)" if subject.strip() else ""
    people = "\n".join(f"- {address}" for address in citizens)
    text = paragraphs(
        "Bonjour,",
        french,
        f"{'Échanges concernés' if len(citizens) > 1 else 'Échange concerné'}{named}\u00a0:\n{people}",
        after_fr,
        _NEXT_FR,
        RULER,
        english,
        after_en,
        _NEXT_EN,
    )
    title = "Échange resté ouvert" if what == "near_miss" else "Échange clos"
    return notice(office, to, title, text, token=token, now=now).as_bytes()


def paragraphs(*pieces: str) -> str:
    """Joined by blank lines, with the no-break spaces of French typography."""
    text = "\n\n".join(piece for piece in pieces if piece)
    return _FRENCH_SPACES.sub(NBSP, text) + "\n"

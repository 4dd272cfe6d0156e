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

from foundation.web.french import size

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
    message["To"] = mailbox(to)
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


def mailbox(address: str) -> Address | str:
    local, _, domain = address.rpartition("@")
    try:
        return Address("", local, domain)
    except (ValueError, IndexError):  # a quoted or UTF-8 local part that the stdlib does not write
        return "undisclosed-recipients:;"


# ---------------------------------------------------------------- closing an exchange
# The words are those of the citizen's page (« conversation »); `{who}` is one person or several.
_CLOSED = {
    "command": (
        "Votre message vide « [FIN] » a bien été compris : toutes vos conversations avec {who} sont closes. Le message"
        " lui-même n’a pas été remis.",
        "Your empty “[FIN]” message was understood: all your conversations with {who} are closed. The message itself was"
        " not delivered.",
    ),
    "subject": (
        "Votre message a été remis en entier, sans la mention [FIN], puis toutes vos conversations avec {who} ont été"
        " closes.",
        "Your message was delivered whole, without the mark [FIN], and then all your conversations with {who} were"
        " closed.",
    ),
    "near_miss": (
        "Votre message a été remis. Vos conversations avec {who} restent ouvertes : la mention de son objet ressemble à"
        " [FIN] mais n’est pas écrite exactement ainsi.\n\nPour clore, mettez ceci dans l’objet, en majuscules et entre"
        " crochets, sans espace :\n\n    [FIN]",
        "Your message was delivered. Your conversations with {who} stay open: its subject holds something like [FIN], but"
        " not exactly so.\n\nTo close, put this in the subject, in capitals and between square brackets, without spaces:"
        "\n\n    [FIN]",
    ),
}
_AFTER = {  # by "is it several persons"
    False: (
        "Cette personne ne peut plus vous répondre. Il vous suffit de lui écrire de nouveau pour rouvrir vos"
        " conversations.",
        "This person can no longer answer you. Just write again to reopen your conversations.",
    ),
    True: (
        "Ces personnes ne peuvent plus vous répondre. Il vous suffit de leur écrire de nouveau pour rouvrir vos"
        " conversations.",
        "These persons can no longer answer you. Just write again to reopen your conversations.",
    ),
}
_WHO = {False: ("cette personne", "this person"), True: ("ces personnes", "these persons")}
_NEXT = (
    "La prochaine fois, le plus sûr est d’ajouter à votre dernier message l’en-tête « X-MSS-MES: FIN » (votre logiciel le"
    " propose parfois sous le nom « clore l’échange » ou « ne pas répondre ») : il est remis, puis les conversations sont"
    " closes.",
    "Next time, the surest way is the header “X-MSS-MES: FIN” on your last message: it is delivered, then the"
    " conversations are closed.",
)


def confirmation(
    office: Office, to: str, what: str, citizens: Sequence[str], subject: str, *, token: str, now: int
) -> bytes:
    """Tells a professional what became of a `[FIN]`; `what` is "command", "subject" or "near_miss" (the `confirm` job's)."""
    several, near_miss = len(citizens) > 1, what == "near_miss"
    french, english = (
        (
            _CLOSED[what][language].format(who=_WHO[several][language]),
            "" if near_miss else _AFTER[several][language],
            "" if what == "command" else _NEXT[language],  # it did what was wanted: nothing to do better
        )
        for language in (0, 1)
    )
    named = f" (objet : « {subject} »)" if subject.strip() else ""
    people = "\n".join(f"- {address}" for address in citizens)
    concerned = f"{'Personnes concernées' if several else 'Personne concernée'}{named} :\n{people}"
    text = paragraphs("Bonjour,", french[0], concerned, *french[1:], RULER, *english)
    title = "Conversations restées ouvertes" if near_miss else "Conversations closes"
    return notice(office, to, title, text, token=token, now=now).as_bytes()


# ---------------------------------------------------------------- a mailbox that fills
def filling(office: Office, to: str, percent: int, used: int, limit: int, *, token: str, now: int) -> bytes:
    """Tells who reads the mailbox; octets."""
    text = paragraphs(
        "Bonjour,",
        f"Votre boîte aux lettres est remplie à {percent} % : {size(used)} sur {size(limit)}.",
        "Rien n’est jamais effacé à votre place. Quand elle sera pleine, les messages qui vous sont envoyés seront refusés, et"
        " leurs expéditeurs en seront avertis.",
        "Pour faire de la place, supprimez les messages devenus inutiles, puis videz la corbeille. Votre opérateur peut aussi"
        f" agrandir votre boîte : {office.address}",
        RULER,
        f"Your mailbox is {percent}% full. Nothing is ever deleted for you. Once it is full, messages to you will be refused, and"
        " their senders told. To make room, delete what you no longer need, then empty the trash; or ask your operator for"
        f" more: {office.address}",
    )
    title = f"Votre boîte aux lettres est remplie à {percent}{NBSP}%"
    return notice(office, to, title, text, token=token, now=now).as_bytes()


def filling_for_operator(office: Office, box: str, percent: int, *, token: str, now: int) -> bytes:
    """`box` names it without personal data of a citizen."""
    text = paragraphs(
        f"La boîte {box} est remplie à {percent} %. Son titulaire a été averti dans sa boîte. Pour l’agrandir :",
        "    mssante mailbox quota ADRESSE TAILLE",
        RULER,
        f"Mailbox {box} is {percent}% full. Its holder was told, in the mailbox.",
    )
    return notice(office, office.address, f"Boîte remplie à {percent}{NBSP}%", text, token=token, now=now).as_bytes()


def paragraphs(*pieces: str) -> str:
    """Joined by blank lines, with the no-break spaces of French typography."""
    text = "\n\n".join(piece for piece in pieces if piece)
    return _FRENCH_SPACES.sub(NBSP, text) + "\n"

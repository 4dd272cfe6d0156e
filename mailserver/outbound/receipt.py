"""Receipts (MDN, RFC 8098): who is owed one when a citizen opens a message, and how it is written."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP

from mailserver.mime import Message
from mailserver.mime.reports import kind
from mailserver.outbound.compose import NBSP, RULER, Office, mailbox, notice, paragraphs
from mssante.address import address_key
from mssante.identity import Invalid
from mssante.reason import english_moment, french_moment

SENT = "$MDNSent"  # RFC 9051 2.3.2: one receipt for a recipient, ever


def asked_by(message: Message) -> str | None:
    """To whom a receipt goes without asking the reader; None: to nobody (RFC 8098 2.1).

    Only to the one who sent it, so that nobody is made to write to a third; never for a report, nor behind the null return path;
    not when an option that we do not know is required (2.2).
    """
    wishes = [str(one) for one in message.addresses("Disposition-Notification-To")]
    keys = {_key(one) for one in wishes}
    paths = message.addresses("Return-Path")[:1]  # the first is the one that delivery wrote
    if len(keys) != 1 or not paths or keys != {_key(str(paths[0]))} or keys == {""}:
        return None
    if kind(message) or "required" in (message.header("Disposition-Notification-Options") or "").lower():
        return None
    return wishes[0]


def receipt(office: Office, by: str, to: str, opened: Message, *, token: str, now: int, sent_at: int) -> bytes:
    """Tells `to` that the mailbox `by` has `opened` their message; octets. See `compose.notice` for `token`; times in ms."""
    subject = opened.subject.strip()
    named = f" «\u00a0{subject}\u00a0»" if subject else ""
    text = paragraphs(
        "Bonjour,",
        f"Votre message{named} du {french_moment(sent_at)} a été ouvert le {french_moment(now)} par son destinataire, {by}.",
        "Cela ne dit pas qu’il a été lu en entier ni compris.",
        RULER,
        f"Your message of {english_moment(sent_at)} was displayed on {english_moment(now)} to its recipient, {by}. This is no "
        "guarantee that it was read or understood.",
    )
    title = f"Ouvert{NBSP}: {subject or 'votre message'}"
    message = notice(office, to, title, text, token=token, now=now, answers=opened.message_id)
    message.replace_header("From", mailbox(by))  # RFC 8098 3: from the one to whom it was displayed
    message.make_mixed()
    message.attach(_machine(office, by, opened))
    message.set_type("multipart/report")
    message.set_param("report-type", "disposition-notification")
    return message.as_bytes()


def _machine(office: Office, by: str, opened: Message) -> EmailMessage:
    part = EmailMessage(policy=SMTP)
    part["Content-Type"] = "message/disposition-notification"
    original = opened.header("Original-Recipient")
    fields = {
        "Reporting-UA": f"{office.host}; {office.name}",
        "Original-Recipient": original,
        "Final-Recipient": f"rfc822; {by}",
        "Original-Message-ID": opened.message_id,
        "Disposition": "manual-action/MDN-sent-automatically; displayed",
    }
    lines = (f"{name}: {' '.join(value.split())}\r\n" for name, value in fields.items() if value)
    part.set_payload("".join(lines).encode("ascii", "replace").decode())
    return part


def _key(address: str) -> str:
    key = address_key(address)
    return "" if isinstance(key, Invalid) else key

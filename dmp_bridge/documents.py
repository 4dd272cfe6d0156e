"""From a message's attachments to files for the dossier: an ordered list of openers; the first that knows an attachment decides.

Today one opener, the plain attachment. XDM archives and CDA get openers of their own, put before it. What is not a document at
all stays in the message without a word: signatures, contact cards, invitations, logos.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from health_space.dossier import reasons
from health_space.dossier.categories import guess
from mailserver.mime import Attachment, Message
from mssante.reason import Reason

LOGO = 50_000  # octets: a picture shown inside the text and no bigger is decoration; a photo worth keeping is bigger
FILED_PICTURES = frozenset({"image/jpeg", "image/png", "image/tiff"})
NOT_DOCUMENTS = frozenset(
    {
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-signature",
        "application/pgp-keys",
        "text/vcard",
        "text/x-vcard",
        "text/calendar",
        "application/ics",
        "message/delivery-status",
        "message/disposition-notification",
        "text/rfc822-headers",
    }
)


@dataclass(frozen=True, slots=True)
class File:
    """One file found in an attachment; `part` names it in the ledger and stays the same when the job runs again."""

    part: str
    name: str
    data: bytes
    title: str
    category: str
    type_code: str = ""


@dataclass(frozen=True, slots=True)
class Unopened:
    """An attachment refused without looking at its content as a file."""

    part: str
    name: str
    size: int
    reason: Reason


Opened = list[File | Unopened]
Opener = Callable[[Message, Attachment, str], Opened | None]  # the message, the attachment, the shown subject


def plain(message: Message, attachment: Attachment, subject: str) -> Opened | None:
    """The attachment itself is the document."""
    part = attachment.section[:64]
    if attachment.media_type.startswith("message/"):
        return [Unopened(part, attachment.filename, attachment.size, reasons.ATTACHED_MESSAGE)]
    data = message.decoded(attachment.section)
    name = attachment.filename
    return [File(part, name, data, title_of(name, subject), guess(name, subject))]


OPENERS: tuple[Opener, ...] = (plain,)


def candidates(message: Message) -> list[Attachment]:
    """Attachments that are meant as documents, in order."""
    return [attachment for attachment in message.attachments() if not stays_in_message(attachment)]


def stays_in_message(attachment: Attachment) -> bool:
    """Not a document: neither filed nor refused (decision of this project; docs/bridge.md)."""
    if attachment.media_type in NOT_DOCUMENTS:
        return True
    picture = attachment.media_type.startswith("image/")
    return picture and attachment.inline and (attachment.size <= LOGO or attachment.media_type not in FILED_PICTURES)


def opened(message: Message, attachment: Attachment, subject: str) -> Iterator[File | Unopened]:
    for opener in OPENERS:
        found = opener(message, attachment, subject)
        if found is not None:
            yield from found
            return


_GENERIC = re.compile(
    r"(?:image|img|photo|scan|document|doc|fichier|piece[- ]jointe|noname|attachment|sans titre|file)?[\W\d_]*", re.I
)


def title_of(file_name: str, subject: str) -> str:
    """A title that a person can tell apart: the file's name without extension, or the subject when the name says nothing."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", file_name)
    words = " ".join(stem.replace("_", " ").split())
    if _GENERIC.fullmatch(words):
        words = subject or words or file_name
    return words[:150]

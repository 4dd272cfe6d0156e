"""From a filled form to an accepted message: composed with the standard library, handed to the one door in (`Acceptor.accept`).

The previous message stands below a reply, because business software often shows single messages. A parent's or carer's message
comes from the person's address and says who wrote it (rules.md section 3).
"""

from __future__ import annotations

import asyncio
import mimetypes
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from uuid import uuid4

from sqlalchemy import Connection, select

from citizen_inbox import wording
from citizen_inbox.contacts import Professional, sender
from citizen_inbox.deps import Deps
from foundation.blobs import PreparedBlob
from foundation.web import french
from foundation.web.forms import Fault, Form, Upload
from foundation.web.visit import Visit
from mailserver.delivery.api import Envelope, Fate, Recipient, Verdict
from mailserver.store.tables import message_ids

MAX_SUBJECT = 200
MAX_QUOTED = 20_000  # characters of the message answered, repeated below the answer
MAX_REFERENCES = 30


@dataclass(frozen=True, slots=True)
class Previous:
    """The message answered."""

    message_id: str | None
    references: tuple[str, ...]
    author: str
    at: int  # ms
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    to: Professional
    subject: str
    text: str
    files: tuple[Upload, ...] = ()
    previous: Previous | None = None
    prescription: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    thread: int | None  # the conversation the copy of the message is in
    relayed: bool  # to another operator


async def send(visit: Visit, deps: Deps, draft: Draft) -> Sent | Verdict:
    """`Sent` once it is on disk, or the refusing verdict; then nothing was sent."""
    box = await deps.db.read(deps.mailboxes.get, visit.box)
    assert box is not None
    message_id = f"<{uuid4()}@{box.address.domain}>"
    written_by = visit.person_name if visit.person != visit.box else ""
    prepared = await asyncio.to_thread(
        _prepare, deps, draft, visit.profile.name, box.address.text, message_id, visit.now, written_by
    )
    envelope = Envelope(
        sender(visit, deps), box.address.text, (Recipient(draft.to.address),), prescription=draft.prescription
    )
    outcome = await deps.acceptor.accept(envelope, prepared)
    verdict = outcome.verdicts[0]
    if verdict.fate is Fate.REFUSED:
        return verdict
    key = deps.keys.lookup("message-id", message_id)
    return Sent(await deps.db.read(_thread_of, visit.box, key), verdict.fate is Fate.RELAYED)


def compose(draft: Draft, name: str, address: str, message_id: str, now: int, written_by: str = "") -> EmailMessage:
    """RFC 5322 message in UTF-8; `written_by`: the parent or carer who wrote for `name`."""
    message = EmailMessage(policy=SMTP)
    message["From"] = _address(name, address)
    message["To"] = _address(draft.to.name, draft.to.address)
    message["Subject"] = draft.subject
    message["Date"] = datetime.fromtimestamp(now / 1000, UTC)
    message["Message-ID"] = message_id
    text = draft.text
    if written_by:
        text = french.typeset(f"Message écrit par {written_by}, pour {name}.") + f"\n\n{text}"
    if draft.previous is not None:
        previous = draft.previous
        if previous.message_id:
            chain = [*previous.references[-MAX_REFERENCES:], previous.message_id]
            message["In-Reply-To"] = previous.message_id
            message["References"] = " ".join(dict.fromkeys(chain))
        said = french.typeset(f"Le {french.date_and_hour(previous.at)}, {previous.author} a écrit :")
        text += f"\n\n{said}\n{wording.quote(previous.text[:MAX_QUOTED])}"
    message.set_content(text + "\n", cte="quoted-printable")
    for file in draft.files:
        maintype, _, subtype = (mimetypes.guess_type(file.name)[0] or "application/octet-stream").partition("/")
        message.add_attachment(file.content, maintype=maintype, subtype=subtype, filename=file.name)
    return message


def faults_of(form: Form, deps: Deps, subject: bool = False) -> list[Fault]:
    """What is missing or too large; both figures are told."""
    faults = []
    if subject and not form.get("objet"):
        faults.append(Fault("objet", french.typeset("Écrivez l'objet du message.")))
    if not form.get("texte"):
        faults.append(Fault("texte", "Écrivez votre message."))
    total = form.too_large or sum(len(file.content) for file in form.uploads("pieces"))
    if total > deps.settings.max_files:
        limit = french.size(deps.settings.max_files)
        faults.append(
            Fault(
                "pieces",
                french.typeset(
                    f"Vos fichiers font {french.size(total)} en tout. La limite est de {limit} par message. "
                    "Envoyez-les en plusieurs messages."
                ),
            )
        )
    return faults


def refused(verdict: Verdict) -> Fault:
    reason = verdict.reason
    sentence = reason.in_french(verdict.detail) if reason else "Le message n'a pas pu partir. Réessayez."
    return Fault("", french.typeset(f"Rien n'a été envoyé. {sentence}"))


def _prepare(
    deps: Deps, draft: Draft, name: str, address: str, message_id: str, now: int, written_by: str
) -> PreparedBlob:
    writer = deps.blobs.writer()
    writer.write(compose(draft, name, address, message_id, now, written_by).as_bytes())
    return writer.finish()


def _address(name: str, address: str) -> Address:
    local, _, domain = address.rpartition("@")
    return Address(" ".join(name.split()), local, domain)


def _thread_of(conn: Connection, box: int, key: bytes) -> int | None:
    wanted = (message_ids.c.box_id == box) & (message_ids.c.message_key == key)
    found = conn.execute(select(message_ids.c.thread_id).where(wanted)).scalar()
    return None if found is None else int(found)

"""What the sender is told when an attachment could not be filed: one message, French then English (rules.md sections 7 and 8).

A notice of ours: null reverse path, `Auto-Submitted` (RFC 3834 section 5), threaded under the sender's message. Its Message-ID
comes from the message answered, so that a second sending after a crash shows as the same mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256

from dmp_bridge.letter import Letter
from health_space.dossier.formats import MAX_BYTES
from health_space.dossier.reasons import megabytes, sentence, sentence_en
from health_space.dossier.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in our own notices: `address` of the postmaster kind, product number for `X-MSS-NIL` (rules.md section 6)."""

    name: str
    address: str
    product: str = ""


def refusal_notice(identity: Identity, letter: Letter, patient: str, refused: Sequence[Refusal], now: int) -> bytes:
    """The whole message; `patient` is the citizen's address, as the sender wrote to it; `now` in milliseconds."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = Address(identity.name, addr_spec=identity.address)
    mail["To"] = letter.answer_to
    mail["Subject"] = _one_line(
        f"Pièce jointe non rangée : {letter.subject}" if letter.subject else "Pièce jointe non rangée"
    )
    mail["Date"] = format_datetime(datetime.fromtimestamp(now / 1000, UTC))
    domain = identity.address.rpartition("@")[2]
    mail["Message-ID"] = (
        f"<refus-{sha256(f'{letter.name}|{patient}'.encode(errors='replace')).hexdigest()[:32]}@{domain}>"
    )
    if letter.message_id and letter.message_id.isascii():
        mail["In-Reply-To"] = letter.message_id
        mail["References"] = letter.message_id
    mail["Auto-Submitted"] = "auto-replied"
    if identity.product:
        mail["X-MSS-NIL"] = identity.product
    mail.set_content(_text(patient, refused), charset="utf-8", cte="quoted-printable")
    return mail.as_bytes()


def _text(patient: str, refused: Sequence[Refusal]) -> str:
    lines = [
        "Bonjour,",
        "",
        f"Votre message à {patient} a bien été remis.",
        "Voici ce qui n’a pas pu être rangé dans le dossier de cette personne :",
        "",
        *(f"- {_file(item)} : {sentence(item.reason, item.size, MAX_BYTES)}" for item in refused),
        "",
        "Le destinataire retrouve tout dans votre message. Il sait ce qui manque dans ses documents.",
        "Vous pouvez renvoyer ces fichiers dans un format accepté : PDF, JPG, PNG, TXT, RTF ou TIF,",
        f"{megabytes(MAX_BYTES)} au plus par fichier.",
        "",
        "--- English ---",
        "",
        "Your message was delivered. These attachments could not be filed in the patient's record:",
        "",
        *(f"- {item.file_name}: {sentence_en(item.reason, item.size, MAX_BYTES)}" for item in refused),
        "",
    ]
    return "\n".join(lines)


def _file(item: Refusal) -> str:
    return f"« {item.file_name} » ({megabytes(item.size)})".replace("« ", "«\u00a0").replace(" »", "\u00a0»")


def _one_line(text: str) -> str:
    """Header text: one line, no lone surrogates, of a length that every program shows."""
    return " ".join(text.encode("utf-8", "replace").decode().split())[:200]

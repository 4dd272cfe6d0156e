"""What became of a received message's attachments in the dossier: filed (a link to the document) or not (the reason)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from citizen_inbox.deps import Deps
from health_space.dossier import operations as dossier
from health_space.dossier.refusals import refusals
from mailserver.mime.message import Message


@dataclass(frozen=True, slots=True)
class Filed:
    """By section number of the attachment: documents' numbers, and sentences of refusals."""

    documents: dict[str, int]
    refused: dict[str, str]


NOTHING = Filed({}, {})


def filed(conn: Connection, deps: Deps, box: int, message: Message) -> Filed:
    """Empty until the bridge has worked; it takes a moment after the message."""
    found = dossier.dossier_of(conn, deps.keys, box)
    if found is None:
        return NOTHING
    key = dossier.message_key(found, dossier.message_name(message.message_id, message.content))
    documents = dossier.documents_of_message(conn, found, key)
    return Filed(
        {part: document.id for part, document in documents.items()},
        {one.part: one.sentence for one in refusals(conn, found, key)},
    )

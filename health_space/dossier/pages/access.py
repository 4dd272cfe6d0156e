"""The one way from an address to a document: through the dossier of the profile acted for; any other id does not exist."""

from __future__ import annotations

from sqlalchemy import Connection

from foundation.keys import KeyRing
from foundation.web import errors
from foundation.web.visit import Visit
from health_space.deps import Deps
from health_space.dossier import operations as ops
from health_space.dossier.operations import Document, Dossier

KINDS = {
    "application/pdf": "PDF",
    "image/jpeg": "Image JPG",
    "image/tiff": "Image TIF",
    "application/rtf": "Texte RTF",
    "text/plain": "Texte",
}


async def document_of(visit: Visit, deps: Deps) -> tuple[Dossier, Document]:
    """The document of the address; 404 for an unknown number and for somebody else's alike."""
    found = await deps.db.read(_find, deps.keys, visit.box, visit.number("document"))
    if found is None:
        raise errors.not_found()
    return found


def _find(conn: Connection, keys: KeyRing, box_id: int, document_id: int) -> tuple[Dossier, Document] | None:
    dossier = ops.dossier_of(conn, keys, box_id)
    document = None if dossier is None else ops.find(conn, dossier, document_id)
    return None if dossier is None or document is None else (dossier, document)

"""Accueil: the newest messages, the last documents, the address to give to professionals; each block fails alone."""

from __future__ import annotations

import structlog
from sqlalchemy import Connection
from starlette.responses import Response

from citizen_inbox import tracking
from citizen_inbox.deps import Deps
from citizen_inbox.inbox import Line, lines_of
from foundation.web.visit import Visit
from health_space.dossier import operations as dossier

log = structlog.get_logger()

SHOWN = 5


async def show(visit: Visit, deps: Deps) -> Response:
    """GET /accueil."""
    messages, unread = await deps.db.read(_messages, deps, visit.box)
    try:
        documents = await deps.db.read(_documents, deps, visit.box)
    except Exception as fault:
        log.error("home.documents", reference=visit.reference, error=type(fault).__name__)
        documents = None
    sent = await deps.db.read(tracking.latest, deps, visit.box)
    box = await deps.db.read(deps.mailboxes.get, visit.box)
    of = "" if visit.box == visit.person else visit.profile.name
    return visit.render(
        "citizen_inbox/home/page.html",
        f"Espace de {of}" if of else "Bonjour",
        of=of,
        messages=messages,
        unread=unread,
        documents=documents,
        sent=sent,
        address=box.address.text if box else "",
    )


def _messages(conn: Connection, deps: Deps, box: int) -> tuple[list[Line], int]:
    """Unread conversations first choice; without any, the latest ones."""
    unread, total = lines_of(conn, deps, box, unread_only=True, size=SHOWN)
    if unread:
        return unread, total
    return lines_of(conn, deps, box, size=3)[0], 0


def _documents(conn: Connection, deps: Deps, box: int) -> list[dossier.Document]:
    found = dossier.dossier_of(conn, deps.keys, box)
    return [] if found is None else dossier.documents_in(conn, found)[:3]

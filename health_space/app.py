"""All addresses of Documents and Notifications, in one table, and where their templates are (for `Web(templates=…)`)."""

from __future__ import annotations

from pathlib import Path

from starlette.routing import Route

from foundation.web.kit import Page
from health_space.deps import Deps
from health_space.dossier.pages import add, listing, parts, show
from health_space.notices import page as notices

_HERE = Path(__file__).parent
TEMPLATES = {"dossier": _HERE / "dossier" / "templates", "notices": _HERE / "notices" / "templates"}

TABLE = (
    Page("/documents", listing.page),
    Page("/documents/ajouter", add.page, "GET POST", max_octets=add.MAX_BODY, gives_back=True),
    Page("/documents/{document}", show.page, "GET POST"),
    Page("/documents/{document}/pages/{number}", parts.image),
    Page("/documents/{document}/telecharger", parts.download),
    Page("/notifications", notices.page, "GET POST"),
)


def routes(deps: Deps) -> list[Route]:
    return deps.web.routes(TABLE, deps)

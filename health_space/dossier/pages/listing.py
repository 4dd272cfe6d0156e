"""« Documents »: the list by category and order, and what came by message but could not be filed (DOC-12, DOC-14, DOC-18)."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection
from starlette.responses import Response

from foundation.clock import DAY
from foundation.keys import KeyRing
from foundation.web.french import calendar_date
from foundation.web.visit import Visit
from health_space.deps import Deps
from health_space.dossier import operations as ops
from health_space.dossier.categories import LABELS
from health_space.dossier.operations import Document, Sort
from health_space.dossier.pages.access import KINDS
from health_space.dossier.refusals import Refusal, refusals

PER_PAGE = 25
REFUSALS_SHOWN = 30 * DAY
SORTS = {
    Sort.RECENT: "Les plus récents d’abord",
    Sort.OLD: "Les plus anciens d’abord",
    Sort.TITLE: "Par nom",
    Sort.AUTHOR: "Par auteur",
}


@dataclass(frozen=True, slots=True)
class Shelf:
    documents: list[Document] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    any_at_all: bool = False


async def page(visit: Visit, deps: Deps) -> Response:
    category = visit.query("categorie") if visit.query("categorie") in LABELS else ""
    sort = next((sort for sort in SORTS if sort.value == visit.query("tri")), Sort.RECENT)
    shelf = await deps.db.read(_shelf, deps.keys, visit.box, category, sort, visit.now - REFUSALS_SHOWN)
    pages = max(1, -(-len(shelf.documents) // PER_PAGE))
    number = min(visit.page_number(), pages)
    return visit.render(
        "dossier/list.html",
        "Documents",
        shelf=shelf,
        documents=shelf.documents[(number - 1) * PER_PAGE : number * PER_PAGE],
        total=len(shelf.documents),
        category=category,
        sort=sort.value,
        labels=LABELS,
        sorts={sort.value: label for sort, label in SORTS.items()},
        kinds=KINDS,
        day=calendar_date,
        page=number,
        pages=pages,
        href=f"/documents?categorie={category}&tri={sort.value}&page=",
    )


def _shelf(conn: Connection, keys: KeyRing, box_id: int, category: str, sort: Sort, since: int) -> Shelf:
    dossier = ops.dossier_of(conn, keys, box_id)
    if dossier is None:
        return Shelf()
    found = ops.documents_in(conn, dossier, category or None, sort)
    refused = [refusal for refusal in refusals(conn, dossier) if refusal.at >= since]
    return Shelf(found, refused, bool(found) or bool(category and ops.documents_in(conn, dossier)))

"""« Document »: page images, text, details, download, and sorting into another category (DOC-04, DOC-15)."""

from __future__ import annotations

from starlette.responses import Response

from foundation.database import Transaction
from foundation.web import errors
from foundation.web.french import calendar_date
from foundation.web.site import Link
from foundation.web.visit import Visit
from health_space.deps import Deps
from health_space.dossier import operations as ops
from health_space.dossier.categories import LABELS, PRESCRIPTIONS
from health_space.dossier.formats import Refused
from health_space.dossier.operations import Document, Dossier, Origin
from health_space.dossier.pages.access import KINDS, document_of
from health_space.notices import operations as bell
from health_space.notices.rules import Kind

PAGES_SHOWN = 4  # images per page: what a telephone can carry
TEXT_SHOWN = 60_000  # characters: thirty pages of text; the rest is in the file
BANNERS = {
    "ajoute": "Le document est ajouté à vos documents.",
    "deja": "Ce document était déjà dans vos documents. Rien n’a été ajouté.",
    "range": "Le document a changé de catégorie.",
}


async def page(visit: Visit, deps: Deps) -> Response:
    dossier, document = await document_of(visit, deps)
    if visit.request.method == "POST":
        return await _sort_elsewhere(visit, deps, dossier, document)
    content = await deps.db.read(ops.read, deps.blobs, document)
    text = await deps.readers.text(content, document.media_type)
    views = max(1, -(-document.pages // PAGES_SHOWN))
    number = min(visit.page_number(), views)
    first = (number - 1) * PAGES_SHOWN + 1
    shown = range(first, min(first + PAGES_SHOWN, document.pages + 1))
    await _mark_seen(visit, deps, document)
    prescription = document.category == PRESCRIPTIONS and deps.send_prescription
    return visit.render(
        "dossier/show.html",
        document.title,
        document=document,
        rows=_details(document),
        day=calendar_date(document.act_date),
        text="" if isinstance(text, Refused) else text[:TEXT_SHOWN],
        cut=not isinstance(text, Refused) and len(text) > TEXT_SHOWN,
        unreadable=isinstance(text, Refused) and document.pages == 0,
        shown=shown,
        page=number,
        pages=views,
        labels=LABELS,
        send_prescription=deps.send_prescription.format(document=document.id) if prescription else "",
        back=Link("/documents", "Tous les documents"),
        banner=BANNERS.get(visit.query("fait"), ""),
    )


async def _mark_seen(visit: Visit, deps: Deps, document: Document) -> None:
    """Seeing the document is seeing what the bell said about it."""
    path = f"/documents/{document.id}"
    entries = await deps.db.read(bell.unread_about, deps.keys, visit.box, Kind.DOCUMENT, path)
    for entry in entries:
        await deps.db.write(bell.mark_read, [visit.box], visit.now, entry)
    if entries:
        await visit.look_around_again()


async def _sort_elsewhere(visit: Visit, deps: Deps, dossier: Dossier, document: Document) -> Response:
    category = visit.form.get("categorie")
    if category not in LABELS:
        raise errors.bad_form()
    await deps.db.write(_sort, deps, dossier, document.id, category, visit.person)
    return visit.redirect(f"/documents/{document.id}", "range")


def _sort(tx: Transaction, deps: Deps, dossier: Dossier, document_id: int, category: str, person: int) -> None:
    ops.set_category(tx, dossier, document_id, category)
    details = {"box": dossier.box_id, "document": document_id, "category": category}
    deps.audit.record(tx, "citizen:document:sort", f"box {person}", details)


def _details(document: Document) -> list[tuple[str, str]]:
    author = document.author_name
    if document.author_address and document.author_address != author:
        author = f"{author} ({document.author_address})"
    origin = "Reçu par message" if document.origin is Origin.MESSAGE else "Ajouté depuis cet espace"
    return [
        ("Catégorie", LABELS[document.category]),
        ("Date du document", calendar_date(document.act_date)),
        ("Auteur" if document.origin is Origin.MESSAGE else "Ajouté par", author),
        ("Arrivée", origin),
        ("Nom du fichier", document.file_name),
        ("Format", KINDS[document.media_type]),
        *([("Pour les professionnels", "Masqué")] if document.masked else []),
    ]

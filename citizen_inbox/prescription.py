"""« Envoyer une ordonnance », in four pages: the document, the pharmacy, a last look, then sent and tracked (rules.md section 5).

A pharmacy is found by its activity sector in the directory, never by the word in its name. The one chosen and what was searched
stay in the session, not in an address.
"""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.responses import Response

from citizen_inbox import contacts, sending, tracking
from citizen_inbox.contacts import Professional
from citizen_inbox.deps import Deps
from citizen_inbox.sending import Draft
from foundation.web import errors, french
from foundation.web.forms import Fault, Upload
from foundation.web.site import Link
from foundation.web.visit import Visit
from health_space.dossier import operations as dossier
from health_space.dossier.categories import PRESCRIPTIONS
from health_space.dossier.operations import Document
from health_space.dossier.pages.add import TO_SEND
from mailserver.delivery.api import Verdict
from mssante import directory
from mssante.address import parse_address
from mssante.identity import Invalid

PATH = "/ordonnance"
ADD = f"/documents/ajouter?categorie={PRESCRIPTIONS}&suite={TO_SEND}"  # comes back at page 2
BANNERS = {
    "ajoute": "L’ordonnance est ajoutée à vos documents.",
    "deja": "Cette ordonnance était déjà dans vos documents.",
}
TEXT = "Bonjour,\n\nVoici mon ordonnance. Je viendrai chercher les médicaments avec l'original.\n\nMerci."
_ENDINGS = {
    "application/pdf": ".pdf",
    "image/jpeg": ".jpg",
    "image/tiff": ".tif",
    "text/plain": ".txt",
    "application/rtf": ".rtf",
}


async def choose_document(visit: Visit, deps: Deps) -> Response:
    """Page 1, GET and POST /ordonnance."""
    found = await deps.db.read(_prescriptions, deps, visit.box)
    faults: list[Fault] = []
    if visit.request.method == "POST":
        chosen = visit.form.get("document")
        if any(str(document.id) == chosen for document in found):
            return visit.redirect(f"{PATH}/{chosen}/pharmacie")
        faults = [Fault("document", french.typeset("Choisissez l'ordonnance à envoyer."))]
    choices = [(one.id, one.title, _about(one)) for one in found]
    return visit.render(
        "citizen_inbox/prescription/document.html", "Quelle ordonnance ?", choices=choices, add=ADD, errors=faults
    )


async def choose_pharmacy(visit: Visit, deps: Deps) -> Response:
    """Page 2, GET and POST /ordonnance/{document}/pharmacie."""
    document = await _document(visit, deps)
    faults: list[Fault] = []
    if visit.request.method == "POST":
        if "chercher" in visit.form.values:
            await visit.remember(pharmacy_search=visit.form.get("mots")[:100])
            return visit.redirect(f"{PATH}/{document.id}/pharmacie")
        pharmacy = await deps.db.read(_pharmacy, visit.form.get("pharmacie"))
        if pharmacy is not None:
            await visit.remember(pharmacy=pharmacy.address)
            return visit.redirect(f"{PATH}/{document.id}/verifier")
        faults = [Fault("pharmacie", "Choisissez une pharmacie.")]
    words = visit.signed_in.data.get("pharmacy_search", "")
    used, others = await deps.db.read(_pharmacies, deps, visit.box, words)
    return visit.render(
        "citizen_inbox/prescription/pharmacy.html",
        "À quelle pharmacie ?",
        used=[(one.address, one.name, _where(one)) for one in used],
        found=[(one.address, one.name, _where(one)) for one in others],
        words=words,
        document=document,
        back=Link(PATH, "Choisir une autre ordonnance"),
        banner=BANNERS.get(visit.query("fait"), ""),
        errors=faults,
    )


async def check_and_send(visit: Visit, deps: Deps) -> Response:
    """Page 3, GET and POST /ordonnance/{document}/verifier. What is sent goes to the pharmacy this very page showed, not to one
    chosen since in another window."""
    document = await _document(visit, deps)
    posted = visit.request.method == "POST"
    chosen = visit.form.get("pharmacie") if posted else visit.signed_in.data.get("pharmacy", "")
    pharmacy = await deps.db.read(_pharmacy, chosen)
    if pharmacy is None:
        return visit.redirect(f"{PATH}/{document.id}/pharmacie")
    if not posted:
        text = (await visit.kept_form()).get("texte") or french.typeset(TEXT)
        return await _check_page(visit, deps, document, pharmacy, text, [])

    async def act() -> Response:
        text = visit.form.get("texte")
        result = await _send(visit, deps, document, pharmacy, text)
        if isinstance(result, Verdict):
            return await _check_page(visit, deps, document, pharmacy, text, [sending.refused(result)])
        said = {
            "pharmacy": pharmacy.name,
            "address": pharmacy.address,
            "title": document.title,
            "phone": pharmacy.phone,
        }
        number = await deps.db.write(
            tracking.record, deps, visit.box, document.id, result.thread, result.relayed, visit.now, said
        )
        return visit.redirect(f"{PATH}/suivi/{number}", "envoyee")

    return await visit.once(act)


async def _check_page(
    visit: Visit, deps: Deps, document: Document, pharmacy: Professional, text: str, faults: list[Fault]
) -> Response:
    before = await deps.db.read(tracking.earlier, deps, visit.box, document.id)
    elsewhere = [one for one in before if one.address != pharmacy.address]
    return visit.render(
        "citizen_inbox/prescription/check.html",
        "Vérifier avant d'envoyer",
        document=document,
        about=_about(document),
        pharmacy=pharmacy,
        where=_where(pharmacy),
        elsewhere=elsewhere,
        again=len(before) > len(elsewhere),
        text=text,
        back=Link(f"{PATH}/{document.id}/pharmacie", "Choisir une autre pharmacie"),
        errors=faults,
    )


async def follow(visit: Visit, deps: Deps) -> Response:
    """Page 4, GET /ordonnance/suivi/{envoi}: sent, and what became of it."""
    tracked = await deps.db.read(tracking.find, deps, visit.box, visit.number("envoi"))
    if tracked is None:
        raise errors.not_found()
    progress = await deps.db.read(tracking.progress, visit.box, tracked)
    sent = visit.query("fait") == "envoyee"
    return visit.render(
        "citizen_inbox/prescription/tracking.html",
        "Ordonnance envoyée" if sent else "Suivi de votre ordonnance",
        tracked=tracked,
        progress=progress,
        back=Link(visit.web.settings.home, "Accueil"),
    )


async def _send(
    visit: Visit, deps: Deps, document: Document, pharmacy: Professional, text: str
) -> sending.Sent | Verdict:
    content = await deps.db.read(dossier.read, deps.blobs, document)
    file = Upload(_file_name(document), document.media_type, content)
    subject = f"Ordonnance de {visit.profile.name}"
    return await sending.send(visit, deps, Draft(pharmacy, subject, text, (file,), prescription=True))


async def _document(visit: Visit, deps: Deps) -> Document:
    """Only a prescription of this dossier; « page introuvable » for any other number."""
    number = visit.number("document")
    for document in await deps.db.read(_prescriptions, deps, visit.box):
        if document.id == number:
            return document
    raise errors.not_found()


def _prescriptions(conn: Connection, deps: Deps, box: int) -> list[Document]:
    found = dossier.dossier_of(conn, deps.keys, box)
    return [] if found is None else dossier.prescriptions(conn, found)


def _pharmacies(conn: Connection, deps: Deps, box: int, words: str) -> tuple[list[Professional], list[Professional]]:
    """(already used, found in the directory)."""
    known = [contacts.described(conn, exchange.contact) for exchange in deps.exchanges.of_citizen(conn, box)]
    used = [one for one in known if one.pharmacy]
    found = [contacts.of_entry(entry) for entry in directory.search_pharmacies(conn, words)] if words else []
    return used, [one for one in found if all(one.address != other.address for other in used)]


def _pharmacy(conn: Connection, address: str) -> Professional | None:
    parsed = parse_address(address)
    entry = None if isinstance(parsed, Invalid) else directory.get(conn, parsed)
    return contacts.of_entry(entry) if entry is not None and entry.is_pharmacy else None


def _about(document: Document) -> str:
    """« ajoutée par Dr Diallo, 3 mai 2026 »."""
    day = french.calendar_date(document.act_date)
    return f"{document.author_name}, {day}" if document.author_name else day


def _where(pharmacy: Professional) -> str:
    phone = pharmacy.phone.replace(" ", french.NBSP)
    return " · ".join(part for part in (pharmacy.town, pharmacy.hours, phone) if part)


def _file_name(document: Document) -> str:
    ending = _ENDINGS.get(document.media_type, "")
    name = document.file_name or "ordonnance"
    return name if name.lower().endswith(ending) else name.rsplit(".", 1)[0] + ending

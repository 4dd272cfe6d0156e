"""« Ajouter un document »: one page, then the document itself (DOC-08 to DOC-13). Sizes refused are told with both figures."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from sqlalchemy import Connection
from starlette.responses import Response

from foundation.antivirus import Absent, Infected
from foundation.audit import Audit
from foundation.blobs import Blobs, PreparedBlob
from foundation.database import Transaction
from foundation.keys import KeyRing
from foundation.web import french
from foundation.web.forms import Fault, Upload
from foundation.web.site import Link
from foundation.web.visit import Visit
from health_space.deps import Deps
from health_space.dossier import operations as ops
from health_space.dossier.categories import LABELS, PATIENT_TYPES
from health_space.dossier.formats import MAX_BYTES, Refused
from health_space.dossier.operations import Filed, NewDocument, Origin
from health_space.dossier.readers import Accepted
from health_space.dossier.reasons import TOO_LARGE, sentence

MAX_BODY = MAX_BYTES + 1_000_000  # the other fields, and files just over the limit whose exact size we can then tell
MAX_TITLE = 100
EARLIEST = date(1900, 1, 1)
TO_SEND = "ordonnance"  # `suite`: a name, never an address; whoever came to send a prescription goes on from there


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed, as typed: shown again beside the errors."""

    nom: str = ""
    date: str = ""
    categorie: str = ""
    suite: str = ""


async def page(visit: Visit, deps: Deps) -> Response:
    if visit.request.method == "POST":
        return await _receive(visit, deps)
    kept = await visit.kept_form()
    today = french.moment(visit.now).date().isoformat()
    category, then = (kept.get(name, visit.query(name)) for name in ("categorie", "suite"))
    typed = Typed(kept.get("nom", ""), kept.get("date", today), category, then)
    return _form(visit, typed, [])


def _form(visit: Visit, typed: Typed, faults: list[Fault], chosen: bool = False) -> Response:
    """`chosen`: a file came with what was typed; the browser does not show it again."""
    return visit.render(
        "dossier/add.html",
        "Ajouter un document",
        typed=typed,
        choices=[(code, label, "") for code, label in LABELS.items()],
        errors=faults,
        chosen=chosen,
        back=Link("/documents", "Tous les documents"),
    )


async def _receive(visit: Visit, deps: Deps) -> Response:
    form = visit.form
    typed = Typed(form.get("nom")[: 2 * MAX_TITLE], form.get("date"), form.get("categorie"), form.get("suite"))
    if form.too_large:  # nothing of the file was kept: only its size can be said
        return _form(visit, typed, [Fault("fichier", sentence(TOO_LARGE.name, form.too_large, MAX_BYTES))], chosen=True)
    today = french.moment(visit.now).date()
    act_date = parse_date(typed.date, today)
    uploads = form.uploads("fichier")
    faults = field_faults(typed, act_date, today)
    accepted: Accepted | None = None
    if not uploads:
        faults.append(Fault("fichier", "Choisissez un fichier."))
    else:
        answer = await deps.readers.accept(uploads[0].content)
        if isinstance(answer, Refused):
            words = sentence(answer.reason.name, len(uploads[0].content), MAX_BYTES)
            faults.append(Fault("fichier", words))
        else:
            accepted = answer
            faults += await _malware(deps, uploads[0])
    if faults or accepted is None or act_date is None:
        return _form(visit, typed, faults, chosen=bool(uploads))
    return await _add(visit, deps, uploads[0], accepted, typed, act_date)


async def _malware(deps: Deps, upload: Upload) -> list[Fault]:
    """The file as it came: what becomes of a picture may hide what was in it."""
    if deps.antivirus is None:
        return []
    blob = await asyncio.to_thread(deps.blobs.prepare, upload.content)
    try:
        verdict = await deps.antivirus.scan(blob)
    finally:
        blob.discard()
    if isinstance(verdict, Infected):
        return [Fault("fichier", "Ce fichier contient un programme malveillant : il n’a pas été ajouté.")]
    if isinstance(verdict, Absent) and not deps.unscanned:
        return [Fault("fichier", "Le contrôle antivirus ne répond pas. Réessayez dans quelques minutes.")]
    return []


async def _add(visit: Visit, deps: Deps, upload: Upload, accepted: Accepted, typed: Typed, act_date: date) -> Response:
    new = NewDocument(
        title=typed.nom or re.sub(r"\.[A-Za-z0-9]{1,5}$", "", upload.name).replace("_", " ")[:MAX_TITLE] or upload.name,
        file_name=upload.name,
        author_name=visit.person_name,
        author_address="",
        act_date=act_date,
        category=typed.categorie,
        type_code=PATIENT_TYPES[typed.categorie],
        media_type=accepted.media_type,
        pages=accepted.pages,
        origin=Origin.CITIZEN,
        digest=sha256(upload.content).digest(),
    )
    prepared = await asyncio.to_thread(deps.blobs.prepare, accepted.content)
    filed = await deps.db.write(
        _file, deps.keys, deps.blobs, deps.audit, visit.box, visit.person, new, prepared, visit.now
    )
    if filed.folded:
        prepared.discard()
    done = "deja" if filed.folded else "ajoute"
    then = deps.send_prescription if typed.suite == TO_SEND else ""
    # asked of the dossier: the same file may have been there under another category
    if then != "" and await deps.db.read(_is_prescription, deps.keys, visit.box, filed.document_id):
        return visit.redirect(then.format(document=filed.document_id), done)
    return visit.redirect(f"/documents/{filed.document_id}", done)


def _is_prescription(conn: Connection, keys: KeyRing, box_id: int, document_id: int) -> bool:
    dossier = ops.dossier_of(conn, keys, box_id)
    return dossier is not None and any(one.id == document_id for one in ops.prescriptions(conn, dossier))


def _file(
    tx: Transaction,
    keys: KeyRing,
    blobs: Blobs,
    audit: Audit,
    box_id: int,
    person: int,
    new: NewDocument,
    prepared: PreparedBlob,
    now: int,
) -> Filed:
    filed = ops.file_document(tx, blobs, ops.open_dossier(tx, keys, box_id, now), new, prepared, now)
    details = {"box": box_id, "document": filed.document_id, "folded": filed.folded}
    audit.record(tx, "citizen:document:add", f"box {person}", details)
    return filed


def field_faults(typed: Typed, act_date: date | None, today: date) -> list[Fault]:
    """Errors of the typed fields, in the order of the page."""
    faults = []
    if len(typed.nom) > MAX_TITLE:
        faults.append(Fault("nom", f"Ce nom a {len(typed.nom)} lettres. La limite est de {MAX_TITLE}."))
    if act_date is None:
        faults.append(Fault("date", "Écrivez la date du document, par exemple 14/05/2026."))
    elif act_date > today:
        faults.append(Fault("date", "Cette date n’est pas encore arrivée. Vérifiez la date du document."))
    elif act_date < EARLIEST:
        faults.append(Fault("date", "Cette date est trop ancienne. Vérifiez l’année."))
    if typed.categorie not in LABELS:
        faults.append(Fault("categorie", "Choisissez une catégorie."))
    return faults


def parse_date(text: str, today: date) -> date | None:
    """« 14/05/2026 », « 14.5.26 » as people write it, or 2026-05-14 as browsers send it; empty means today."""
    if not text:
        return today
    iso = re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", text, re.ASCII)
    french_order = re.fullmatch(r"(\d{1,2})[/. -](\d{1,2})[/. -](\d{2}|\d{4})", text, re.ASCII)
    if iso:
        year, month, day = (int(part) for part in iso.groups())
    elif french_order:
        day, month, year = (int(part) for part in french_order.groups())
        if year < 100:
            year += 2000 if year <= today.year - 2000 else 1900
    else:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None

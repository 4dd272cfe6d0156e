"""Nouveau message: only to professionals who may be written to now; for a pharmacy, a prescription opens the conversation."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.responses import Response

from citizen_inbox import contacts, sending
from citizen_inbox.contacts import Professional
from citizen_inbox.deps import Deps
from citizen_inbox.inbox import PATH
from foundation.web import french
from foundation.web.forms import Fault
from foundation.web.site import Link
from foundation.web.visit import Visit
from mailserver.delivery.api import Verdict
from mssante.kinds import ExchangeState

TITLE = "Nouveau message"


async def page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /messagerie/nouveau. A recipient is named by the number of the exchange, never by an address."""
    people = await deps.db.read(contactable, deps, visit.box)
    if visit.request.method != "POST":
        return _page(visit, deps, people, await visit.kept_form(), [])
    faults = sending.faults_of(visit.form, deps, subject=True)
    chosen = people.get(visit.form.get("destinataire"))
    if chosen is None:
        faults.insert(0, Fault("destinataire", "Choisissez un destinataire."))
    if faults or chosen is None:
        return _page(visit, deps, people, visit.form.texts(), faults)
    draft = sending.Draft(
        chosen,
        " ".join(visit.form.get("objet").split())[: sending.MAX_SUBJECT],
        visit.form.get("texte"),
        tuple(visit.form.uploads("pieces")),
    )

    async def act() -> Response:
        result = await sending.send(visit, deps, draft)
        if isinstance(result, Verdict):
            return _page(visit, deps, people, visit.form.texts(), [sending.refused(result)])
        return visit.redirect(f"{PATH}/{result.thread}" if result.thread else PATH, "envoye")

    return await visit.once(act)


def contactable(conn: Connection, deps: Deps, box: int) -> dict[str, Professional]:
    """Exchange number -> professional, of the open exchanges, the latest first."""
    found = deps.exchanges.of_citizen(conn, box, ExchangeState.OPEN)
    return {str(exchange.id): contacts.described(conn, exchange.contact) for exchange in found}


def _page(
    visit: Visit, deps: Deps, people: dict[str, Professional], values: dict[str, str], faults: list[Fault]
) -> Response:
    return visit.render(
        "citizen_inbox/compose/page.html",
        TITLE,
        people=[(number, one.name, one.described) for number, one in people.items()],
        values=values,
        limit=french.size(deps.settings.max_files),
        back=Link(PATH, "Retour à la messagerie"),
        errors=faults,
    )

"""What configures mail clients, over HTTP: three machines' questions, and the page for a person.

The address that somebody types is used for the one answer: it is neither stored nor logged, and never part of an address we make.
"""

from __future__ import annotations

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from care_desk import mail_doors
from care_desk.deps import Deps
from foundation.web import errors
from foundation.web.forms import Fault
from foundation.web.visit import Visit
from mssante.signed_xml import XmlRefused, parse

MAX_QUESTION = 64 * 1024  # octets of an Autodiscover request
PAGE = "/regler-ma-messagerie"


# -------------------------------------------------------------------- for programs
async def mozilla(_request: Request, deps: Deps) -> Response:
    """The same for every address: what stands in the query is not looked at."""
    return Response(mail_doors.mozilla(deps.table), media_type="text/xml")


async def outlook(request: Request, deps: Deps) -> Response:
    """POST only; hostile XML (DTD, entities, depth) is refused by the parser's settings."""
    address = _asked(await _body(request))
    fine = address is not None and deps.table.serves(address)
    content = mail_doors.outlook(deps.table, address) if fine and address else mail_doors.outlook_refusal()
    return Response(content, media_type="text/xml")


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_QUESTION:
            return b""
    return body


def _asked(body: bytes) -> str | None:
    try:
        root = parse(body)
    except XmlRefused:
        return None
    found = root.find(f".//{etree.QName(mail_doors.OUTLOOK_REQUEST, 'EMailAddress').text}")
    return None if found is None or found.text is None else found.text.strip()


# -------------------------------------------------------------------- for people
async def page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /regler-ma-messagerie."""
    address, faults = "", []
    if visit.request.method == "POST":
        address = visit.form.get("adresse")
        if not deps.table.serves(address):
            example = f"nom@{deps.table.domains[0]}"
            faults = [Fault("adresse", f"Écrivez en entier une adresse de cet opérateur, par exemple {example}.")]
        elif visit.form.get("profil"):
            return _profile(deps, address)
    return visit.render(
        "care_desk/mail_settings/page.html",
        "Régler mon logiciel de messagerie",
        errors=faults,
        address=address,
        known=bool(address) and not faults,
        table=deps.table,
        reads=deps.table.best(reads=True),
        sends=deps.table.best(reads=False),
        has_profile=deps.has_profile,
    )


def _profile(deps: Deps, address: str) -> Response:
    if not deps.has_profile:
        raise errors.not_found()
    profile = mail_doors.apple(deps.table, address)
    headers = {"content-disposition": 'attachment; filename="messagerie.mobileconfig"'}
    return Response(
        deps.sign(profile) if deps.sign else profile, headers=headers, media_type="application/x-apple-aspen-config"
    )

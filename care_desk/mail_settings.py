"""What configures mail clients, over HTTP: three machines' questions, and the page for a person.

Whoever is signed in finds the page filled in with their own sign-ins; all others are told what everybody may know. The address that
somebody types is used for the one answer: it is neither stored nor logged, and never part of an address we make.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from care_desk import mail_doors
from care_desk.account.people import SIGN_IN
from care_desk.deps import Deps
from care_desk.mail_doors import MailAccount
from foundation.web import errors
from foundation.web.forms import Fault
from foundation.web.sessions import Stage
from foundation.web.visit import Visit
from mssante.credentials import IMAP, Credentials, SignedIn, login_form
from mssante.signed_xml import XmlRefused, parse

MAX_QUESTION = 64 * 1024  # octets of an Autodiscover request
PAGE = "/regler-ma-messagerie"


# -------------------------------------------------------------------- for programs
async def mozilla(_request: Request, deps: Deps) -> Response:
    """The same for every address: what stands in the query is not looked at."""
    return Response(mail_doors.mozilla(deps.table), media_type="text/xml")


async def outlook(request: Request, deps: Deps) -> Response:
    """POST only; hostile XML (DTD, entities, depth) is refused by the parser's settings. No row is looked at."""
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
@dataclass(frozen=True, slots=True)
class Mine:
    """A sign-in of the person at the page, by the number of its credential. `name`: the mailbox's."""

    number: int
    name: str
    account: MailAccount

    @property
    def by_address(self) -> bool:
        """Whether programs that take the address for the login are right."""
        return login_form(self.account.login) == login_form(self.account.address)

    @property
    def profile(self) -> str:
        return f"{PAGE}/profil/{self.number}"


async def page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /regler-ma-messagerie; a POST asks for the profile of an address."""
    address, faults = "", []
    if visit.request.method == "POST":
        address = visit.form.get("adresse")
        if deps.table.serves(address):
            return _profile(deps, MailAccount(address))
        example = f"nom@{deps.table.domains[0]}"
        faults = [Fault("adresse", f"Écrivez en entier une adresse de cet opérateur, par exemple {example}.")]
    who, mine = await _mine(visit, deps)
    return visit.render(
        "care_desk/mail_settings/page.html",
        "Régler mon logiciel de messagerie",
        errors=faults,
        address=address,
        who=who,
        own=mine[0] if mine else None,
        shared=mine[1:],
        sign_in=f"{SIGN_IN}?suite={PAGE}",
        table=deps.table,
        reads=deps.table.best(reads=True),
        sends=deps.table.best(reads=False),
        has_profile=deps.has_profile,
    )


async def profile(visit: Visit, deps: Deps) -> Response:
    """GET /regler-ma-messagerie/profil/{number}: of one's own sign-ins; another's is no page."""
    number = visit.number("number")
    _, mine = await _mine(visit, deps)
    found = next((one for one in mine if one.number == number), None)
    if found is None:
        raise errors.not_found()
    return _profile(deps, found.account)


async def _mine(visit: Visit, deps: Deps) -> tuple[SignedIn | None, list[Mine]]:
    """Who is signed in, and their sign-ins: the one of this session, then the same person's seats in shared mailboxes."""
    if visit.session is None or visit.session.stage is not Stage.SIGNED_IN:
        return None, []
    return await deps.db.read(_sign_ins, deps.credentials, visit.person)


def _sign_ins(conn: Connection, credentials: Credentials, person: int) -> tuple[SignedIn | None, list[Mine]]:
    who = credentials.of(conn, person)
    if who is None:
        return None, []
    known = credentials.person(conn, who)
    seats = [] if known is None else credentials.seats(conn, known, IMAP)
    return who, [
        Mine(
            one.credential_id,
            one.name or one.address,
            MailAccount(one.address, credentials.login_of(conn, one.credential_id)),
        )
        for one in (who, *seats)
    ]


def _profile(deps: Deps, account: MailAccount) -> Response:
    if not deps.has_profile:
        raise errors.not_found()
    content = mail_doors.apple(deps.table, account)
    headers = {"content-disposition": 'attachment; filename="messagerie.mobileconfig"'}
    return Response(
        deps.sign(content) if deps.sign else content, headers=headers, media_type="application/x-apple-aspen-config"
    )

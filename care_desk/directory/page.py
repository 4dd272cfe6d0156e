"""« Annuaire »: professionals of the whole space, found as people speak of them (`mssante.directory_search`).

What is looked for stays in the session: in no address, so in no log and no history.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.responses import Response

from care_desk.account.people import DIRECTORY
from care_desk.directory.deps import Deps
from foundation.web import french
from foundation.web.visit import Visit
from mssante import directory
from mssante.directory import Entry
from mssante.directory_search import LONGEST_TEXT, Search

SHOWN = 25


@dataclass(frozen=True, slots=True)
class Line:
    """`does`: profession and specialities; `where`: structure, postcode and town."""

    name: str
    address: str
    does: str
    where: str
    phone: str


async def search(visit: Visit, deps: Deps) -> Response:
    """GET and POST /annuaire."""
    if visit.request.method == "POST":
        await visit.remember(directory_search=visit.form.get("mots").strip()[:LONGEST_TEXT])
        return visit.redirect(DIRECTORY)
    words = visit.signed_in.data.get("directory_search", "")
    found = await deps.db.read(_found, deps, visit.person, words) if words else []
    return visit.render(
        "care_desk/directory/directory.html",
        "Annuaire",
        words=words,
        lines=[_line(entry) for entry in found[:SHOWN]],
        more=len(found) > SHOWN,
    )


def _found(conn: Connection, deps: Deps, person: int, words: str) -> list[Entry]:
    """One more than are shown, those near to who asks first."""
    who = deps.credentials.of(conn, person)
    near = "" if who is None else directory.postcode_of(conn, who.address)
    return directory.search(conn, Search(words, near=near), SHOWN + 1)


def _line(entry: Entry) -> Line:
    return Line(
        entry.display_name,
        entry.address,
        ", ".join(filter(None, (entry.profession, *entry.specialities))),
        ", ".join(filter(None, (_structure(entry), f"{entry.postcode} {entry.town}".strip()))),
        entry.phone.replace(" ", french.NBSP),
    )


def _structure(entry: Entry) -> str:
    """Unless it is the name already."""
    return "" if entry.organisation in entry.display_name else entry.organisation

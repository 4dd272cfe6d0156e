"""« Boîtes partagées »: what came for a team, folder by folder, and who answered it (docs/rules.md section 2).

Whoever may read a folder in their mail client may read its list here: of another mailbox, as of none, the page does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.responses import Response

from care_desk.account.people import TEAMS
from care_desk.team.deps import Deps
from foundation.web import errors, french
from foundation.web.site import Link
from foundation.web.visit import Visit
from mailserver.imap.rights import rights_in
from mailserver.mime.addresses import Address
from mailserver.mime.message import scan
from mailserver.store import names
from mailserver.store.api import Answer, Card, Flag, Folder
from mailserver.store.columns import Columns
from mssante.credentials import WEB, SignedIn
from mssante.life import SHARED

PER_PAGE = 30
SENT, DRAFTS = "\\Sent", "\\Drafts"
_ORDER = {name: place for place, (name, _) in enumerate(names.default_folders(professional=True))}


@dataclass(frozen=True, slots=True)
class Team:
    """A shared mailbox in which the person works, as `seat`."""

    seat: SignedIn
    name: str

    @property
    def path(self) -> str:
        return f"{TEAMS}/{self.seat.box_id}"


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder that the person may read, with how many messages nobody of the team has opened."""

    folder: Folder
    unread: int

    @property
    def name(self) -> str:
        return "Boîte de réception" if self.folder.name == names.INBOX else self.folder.name

    @property
    def own(self) -> bool:
        """What the team wrote: shown by whom it is for."""
        return self.folder.special_use in (SENT, DRAFTS)


@dataclass(frozen=True, slots=True)
class Line:
    """A message; `other`: who wrote it, or whom the team wrote to. `marked`: as answered, whoever did it. `at` in ms."""

    subject: str
    other: str
    writer: str  # of the team
    at: int
    unread: bool
    marked: bool
    answers: Sequence[Answer]


async def teams(visit: Visit, deps: Deps) -> Response:
    """GET /boites-partagees."""
    found = await deps.db.read(_teams, deps, visit.person)
    return visit.render("care_desk/team/teams.html", "Boîtes partagées", teams=found)


async def team(visit: Visit, deps: Deps) -> Response:
    """GET /boites-partagees/{box}: the INBOX, or the first folder that the person may read."""
    mine, shelves = await _found(visit, deps)
    return await _page(visit, deps, mine, shelves, shelves[0], mine.path)


async def folder(visit: Visit, deps: Deps) -> Response:
    """GET /boites-partagees/{box}/{folder}."""
    mine, shelves = await _found(visit, deps)
    chosen = visit.number("folder")
    here = next((one for one in shelves if one.folder.id == chosen), None)
    if here is None:
        raise errors.not_found()
    return await _page(visit, deps, mine, shelves, here, f"{mine.path}/{chosen}")


async def _found(visit: Visit, deps: Deps) -> tuple[Team, list[Shelf]]:
    box_id = visit.number("box")
    mine = next((one for one in await deps.db.read(_teams, deps, visit.person) if one.seat.box_id == box_id), None)
    shelves = [] if mine is None else await _shelves(deps, mine.seat)
    if mine is None or not shelves:
        raise errors.not_found()
    return mine, shelves


async def _shelves(deps: Deps, seat: SignedIn) -> list[Shelf]:
    """Those that every mailbox has first, in their order, then by name."""
    statuses = await deps.store.statuses(seat.box_id)
    readable = [
        one
        for one in await deps.store.folders(seat.box_id)
        if one.id in statuses and rights_in(one, seat.role, seat.credential_id).issuperset("lr")
    ]
    readable.sort(key=lambda one: (_ORDER.get(one.name, len(_ORDER)), one.name.casefold()))
    return [Shelf(one, statuses[one.id].unseen) for one in readable]


async def _page(visit: Visit, deps: Deps, mine: Team, shelves: list[Shelf], here: Shelf, href: str) -> Response:
    columns = await deps.store.look(here.folder.id)
    pages = max(1, -(-len(columns) // PER_PAGE))
    number = min(visit.page_number(), pages)
    return visit.render(
        "care_desk/team/team.html",
        mine.name,
        back=Link(TEAMS, "Boîtes partagées"),
        team=mine,
        shelves=shelves,
        here=here,
        lines=await _lines(deps, here, columns, number),
        page=number,
        pages=pages,
        href=f"{href}?page=",
    )


def _teams(conn: Connection, deps: Deps, person: int) -> list[Team]:
    """Of the mailbox signed in to when it is a team's; else those in which the same person has a seat."""
    who = deps.credentials.of(conn, person)
    if who is None:
        return []
    if who.kind in SHARED:
        seats = [who]
    else:
        known = deps.credentials.person(conn, who)
        seats = [] if known is None else deps.credentials.seats(conn, known, WEB)
    return [Team(seat, _name(deps, conn, seat)) for seat in seats]


def _name(deps: Deps, conn: Connection, seat: SignedIn) -> str:
    box = deps.mailboxes.get(conn, seat.box_id)
    return (box.holder.display_name if box is not None else "") or seat.address


async def _lines(deps: Deps, here: Shelf, columns: Columns, page: int) -> list[Line]:
    """The newest first."""
    end = len(columns) - (page - 1) * PER_PAGE
    indices = range(max(0, end - PER_PAGE), end)
    uids = [columns.uids[index] for index in indices]
    cards = {uid: card async for uid, card in deps.store.cards(here.folder.id, uids)}
    answers = await deps.store.answers(here.folder.id, uids)
    return [
        _line(cards[uid], columns, index, answers.get(uid, ()), here.own)
        for index, uid in reversed(list(zip(indices, uids, strict=True)))
        if uid in cards
    ]


def _line(card: Card, columns: Columns, index: int, answers: Sequence[Answer], own: bool) -> Line:
    head = scan(card.header)
    return Line(
        " ".join(head.subject.split()) or "(sans objet)",
        _named(head.addresses("To" if own else "From")) or ("" if own else "Expéditeur inconnu"),
        _named(head.addresses("Sender")) if own else "",
        columns.dates[index] * 1000,
        not columns.system[index] & Flag.SEEN,
        bool(columns.system[index] & Flag.ANSWERED),
        answers,
    )


def _named(people: Sequence[Address]) -> str:
    """The first, by name if they have one, and how many more."""
    if not people:
        return ""
    more = f" et {french.count(len(people) - 1, 'autre', 'autres')}" if len(people) > 1 else ""
    return (" ".join(people[0].display.split()) or str(people[0])) + more

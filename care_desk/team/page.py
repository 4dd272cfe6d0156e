"""« Boîtes partagées »: what came for a team, and who answered it (docs/rules.md section 2).

Whoever may read a folder in their mail client may read its list here: of another mailbox, as of none, the page does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.responses import Response

from care_desk.account.people import TEAMS
from care_desk.team.deps import Deps
from foundation.web import errors
from foundation.web.kit import Link, Visit
from mailserver.imap.rights import rights_in
from mailserver.mime.message import scan
from mailserver.store import names
from mailserver.store.api import Answer, Card, Flag, Folder
from mailserver.store.columns import Columns
from mssante.credentials import WEB, SignedIn
from mssante.life import SHARED

PER_PAGE = 30


@dataclass(frozen=True, slots=True)
class Team:
    """A shared mailbox in which the person works, as `seat`."""

    seat: SignedIn
    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """A message received; `marked`: as answered, whoever did it. `at` in ms."""

    subject: str
    writer: str
    at: int
    unread: bool
    marked: bool
    answers: Sequence[Answer]


async def teams(visit: Visit, deps: Deps) -> Response:
    """GET /boites-partagees."""
    found = await deps.db.read(_teams, deps, visit.person)
    return visit.render("care_desk/team/teams.html", "Boîtes partagées", teams=found)


async def team(visit: Visit, deps: Deps) -> Response:
    """GET /boites-partagees/{box}."""
    box_id = visit.number("box")
    mine = next((one for one in await deps.db.read(_teams, deps, visit.person) if one.seat.box_id == box_id), None)
    if mine is None:
        raise errors.not_found()
    inbox = next(one for one in await deps.store.folders(box_id) if one.name == names.INBOX)
    if not rights_in(inbox, mine.seat.role, mine.seat.credential_id).issuperset("lr"):
        raise errors.not_found()
    columns = await deps.store.look(inbox.id)
    pages = max(1, -(-len(columns) // PER_PAGE))
    number = min(visit.page_number(), pages)
    return visit.render(
        "care_desk/team/team.html",
        mine.name,
        back=Link(TEAMS, "Boîtes partagées"),
        team=mine,
        lines=await _lines(deps, inbox, columns, number),
        page=number,
        pages=pages,
        href=f"{TEAMS}/{box_id}?page=",
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


async def _lines(deps: Deps, inbox: Folder, columns: Columns, page: int) -> list[Line]:
    """The newest first."""
    end = len(columns) - (page - 1) * PER_PAGE
    indices = range(max(0, end - PER_PAGE), end)
    uids = [columns.uids[index] for index in indices]
    cards = {uid: card async for uid, card in deps.store.cards(inbox.id, uids)}
    answers = await deps.store.answers(inbox.id, uids)
    return [
        _line(cards[uid], columns, index, answers.get(uid, ()))
        for index, uid in reversed(list(zip(indices, uids, strict=True)))
        if uid in cards
    ]


def _line(card: Card, columns: Columns, index: int, answers: Sequence[Answer]) -> Line:
    head = scan(card.header)
    writer = next(iter(head.addresses("From")), None)
    name = "" if writer is None else " ".join(writer.display.split()) or str(writer)
    return Line(
        " ".join(head.subject.split()) or "(sans objet)",
        name or "Expéditeur inconnu",
        columns.dates[index] * 1000,
        not columns.system[index] & Flag.SEEN,
        bool(columns.system[index] & Flag.ANSWERED),
        answers,
    )

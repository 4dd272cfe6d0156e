"""Messagerie: the conversations of the profile, the newest first; search and filter.

What is searched is kept in the session, never in an address: it may name an illness.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.responses import Response

from citizen_inbox import conversations, wording
from citizen_inbox.contacts import is_closed
from citizen_inbox.conversations import Item
from citizen_inbox.deps import Deps
from foundation.web.visit import Visit
from mssante.exchanges import Exchange

TITLE = "Messagerie"
PATH = "/messagerie"
BANNERS = {"profil": "Vous avez changé de profil."}
_SEARCHED_HEADERS = ("subject:", "from:", "to:")


@dataclass(frozen=True, slots=True)
class Line:
    """One conversation as the list shows it."""

    href: str
    who: str
    profession: str
    subject: str
    preview: str
    at: int
    count: int
    unread: int
    attachment: bool
    closed: bool
    mine: bool


async def show(visit: Visit, deps: Deps) -> Response:
    """GET /messagerie?page=&voir=non-lus&recherche=1."""
    unread_only = visit.query("voir") == "non-lus"
    searched = visit.signed_in.data.get("search", "") if visit.query("recherche") else ""
    threads = await _search(visit, deps, searched) if searched else None
    page = visit.page_number()
    lines, total = await deps.db.read(lines_of, deps, visit.box, page, unread_only, threads)
    query = "&".join(
        part for part in ("voir=non-lus" if unread_only else "", "recherche=1" if searched else "") if part
    )
    return visit.render(
        "citizen_inbox/inbox/list.html",
        TITLE,
        lines=lines,
        total=total,
        page=page,
        pages=max(1, -(-total // conversations.PAGE)),
        href=f"{PATH}?{query}&page=" if query else f"{PATH}?page=",
        unread_only=unread_only,
        searched=searched,
    )


async def search(visit: Visit, deps: Deps) -> Response:
    """POST /messagerie/recherche."""
    await visit.remember(search=visit.form.get("mots")[:200])
    return visit.redirect(PATH + ("?recherche=1" if visit.form.get("mots") else ""))


def lines_of(
    conn: Connection,
    deps: Deps,
    box: int,
    page: int = 1,
    unread_only: bool = False,
    threads: list[int] | None = None,
    size: int = conversations.PAGE,
) -> tuple[list[Line], int]:
    """Runs in one read; also used by the home page."""
    where = conversations.folders_of(conn, box)
    key = deps.mailboxes.key(conn, box)
    found = conversations.listed(conn, key, where, page, unread_only, threads, size)
    numbers = {item.exchange for item in found.items if item.exchange is not None}
    exchanges = {number: deps.exchanges.by_id(conn, box, number) for number in numbers}
    return [_line(item, exchanges.get(item.exchange or 0)) for item in found.items], found.total


def _line(item: Item, exchange: Exchange | None) -> Line:
    return Line(
        href=f"{PATH}/{item.thread}",
        who=_who(item, exchange),
        profession=wording.profession(exchange.contact.profession) if exchange else "",
        subject=wording.subject(item.head.subject),
        preview=item.preview,
        at=item.at,
        count=item.count,
        unread=item.unread,
        attachment=item.attachment,
        closed=is_closed(exchange),
        mine=item.mine,
    )


def _who(item: Item, exchange: Exchange | None) -> str:
    if exchange is not None and exchange.contact.name:
        return exchange.contact.name
    header = item.theirs.addresses("From") if item.theirs else item.head.addresses("To")
    return wording.name_of(header[0] if header else None)


async def _search(visit: Visit, deps: Deps, text: str) -> list[int]:
    """Threads whose words, names or subject hold every word of `text`, accents and case apart."""
    words = fold(text).split()
    where = await deps.db.read(conversations.folders_of, visit.box)
    places = await deps.db.read(conversations.everything, where)
    found: set[int] = set()
    for folder, uids in places.items():
        async for uid, headers, body in deps.store.texts(folder, list(uids)):
            if uids[uid] in found:
                continue
            lines = [line for line in headers.split("\n") if line.startswith(_SEARCHED_HEADERS)]
            text_of = fold("\n".join([*lines, body]))
            if all(word in text_of for word in words):
                found.add(uids[uid])
    return sorted(found)


def fold(text: str) -> str:
    if text.isascii():
        return text.casefold()
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))

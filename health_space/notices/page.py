"""« Notifications »: what happened, by day; seeing one marks it as read (ux 4.4). Entries are those of the profile acted for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.responses import Response

from foundation.keys import KeyRing
from foundation.web import errors, french
from foundation.web.site import Profile
from foundation.web.visit import Visit
from health_space.deps import Deps
from health_space.dossier import operations as dossiers
from health_space.notices import operations as ops
from health_space.notices.operations import Notice
from health_space.notices.rules import WORDINGS, Kind

PER_PAGE = 30
MAILS = {
    "sent": "Un e-mail vous a été envoyé.",
    "no_address": "Aucun e-mail envoyé : nous n’avons pas d’adresse e-mail pour ce profil.",
    "failed": "L’e-mail n’a pas pu être remis à votre adresse.",
}
BANNERS = {"lu": "La notification est marquée comme lue.", "tout": "Toutes les notifications sont marquées comme lues."}


@dataclass(frozen=True, slots=True)
class Entry:
    id: int
    day: str
    hour: str
    sentence: str
    about: str  # title and author of the document, "" when there is nothing to name
    action: str  # label of the button, "" when what it led to is gone
    mail: str
    unread: bool


@dataclass(frozen=True, slots=True)
class Bell:
    entries: list[Entry]
    total: int
    unread: int
    others: list[tuple[Profile, int]]  # the other profiles of this person, and their unread entries


async def page(visit: Visit, deps: Deps) -> Response:
    if visit.request.method == "POST":
        return await _mark(visit, deps)
    number = visit.page_number()
    bell = await deps.db.read(_bell, deps.keys, visit.box, visit.around.profiles, (number - 1) * PER_PAGE)
    return visit.render(
        "notices/list.html",
        "Notifications",
        bell=bell,
        page=number,
        pages=max(1, -(-bell.total // PER_PAGE)),
        banner=BANNERS.get(visit.query("fait"), ""),
    )


async def _mark(visit: Visit, deps: Deps) -> Response:
    """One button each: « voir » leads on, « lu » stays, « tout » is for all."""
    see, read = visit.form.get("voir"), visit.form.get("lu")
    if not see and not read:
        await deps.db.write(ops.mark_read, [visit.box], visit.now)
        return visit.redirect("/notifications", "tout")
    chosen = see or read
    if not (chosen.isascii() and chosen.isdigit() and len(chosen) < 19):
        raise errors.not_found()
    notice = await deps.db.read(ops.find, deps.keys, visit.box, int(chosen))
    if notice is None:
        raise errors.not_found()
    await deps.db.write(ops.mark_read, [visit.box], visit.now, notice.id)
    return (
        visit.redirect(notice.target or WORDINGS[notice.kind].path) if see else visit.redirect("/notifications", "lu")
    )


def _bell(conn: Connection, keys: KeyRing, box_id: int, profiles: tuple[Profile, ...], offset: int) -> Bell:
    notices = ops.notices_of(conn, keys, [box_id], PER_PAGE, offset)
    dossier = dossiers.dossier_of(conn, keys, box_id)
    others = [(profile, ops.unread(conn, [profile.box])) for profile in profiles if profile.box != box_id]
    entries = [_entry(conn, dossier, notice) for notice in notices]
    return Bell(entries, ops.count(conn, [box_id]), ops.unread(conn, [box_id]), [pair for pair in others if pair[1]])


def _entry(conn: Connection, dossier: dossiers.Dossier | None, notice: Notice) -> Entry:
    words = WORDINGS[notice.kind]
    about, action = "", words.action
    if notice.kind is Kind.DOCUMENT and notice.target:
        number = int(notice.target.rpartition("/")[2])
        document = None if dossier is None else dossiers.find(conn, dossier, number)
        if document is None:
            about, action = "Ce document n’est plus dans vos documents.", ""
        else:
            about = (
                f"« {document.title} », de {document.author_name}" if document.author_name else f"« {document.title} »"
            )
    return Entry(
        id=notice.id,
        day=french.date(notice.at),
        hour=french.hour(notice.at),
        sentence=words.what,
        about=about,
        action=action,
        mail=MAILS.get(notice.mail or "", ""),
        unread=notice.read_at is None,
    )

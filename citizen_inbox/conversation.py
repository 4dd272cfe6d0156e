"""One conversation: messages oldest first, quotations folded, attachments, what became of mine, and the reply form or the reason
why there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.responses import Response

from citizen_inbox import contacts, conversations, opening, sending, suspicious, wording
from citizen_inbox.contacts import Closed, Professional
from citizen_inbox.conversations import Place
from citizen_inbox.deps import Deps
from citizen_inbox.filed import NOTHING, Filed, filed
from citizen_inbox.inbox import PATH
from citizen_inbox.wording import Piece
from foundation.web import errors, french
from foundation.web.forms import Fault
from foundation.web.site import Link
from foundation.web.visit import Visit
from mailserver.delivery.api import Fate, Verdict
from mailserver.mime.addresses import Address
from mailserver.mime.message import Attachment, Message, scan
from mailserver.outbound.receipt import asked_by
from mssante import reasons
from mssante.exchanges import Contact, Exchange

BACK = Link(PATH, "Retour à la messagerie")
LONGEST = 100_000  # characters of one message on the page; the rest is a file to download
LONG = 3_000  # characters: longer texts are folded, but for the newest message
BANNERS = {"envoye": "Votre message est envoyé."}


@dataclass(frozen=True, slots=True)
class Shown:
    """One message as the page shows it."""

    place: Place
    message: Message
    author: str
    pieces: list[Piece]
    attachments: list[Attachment]
    has_html: bool
    delivered: bool  # of mine: lies in the recipient's mailbox here
    folded: bool
    cut: bool  # only the beginning is on the page
    filed: Filed
    receipt: bool  # its sender is told that it is open
    warnings: dict[str, list[str]]  # by section
    warning: str  # of the message as a whole

    @property
    def at(self) -> int:
        return self.place.at


@dataclass(frozen=True, slots=True)
class View:
    thread: int
    subject: str
    shown: list[Shown]
    older: int  # messages not shown
    professional: Professional
    exchange: Exchange | None
    unseen: dict[int, list[int]]  # folder -> UIDs to mark as read
    asking: frozenset[tuple[int, int]]  # of those, (folder, UID) that ask for a receipt

    @property
    def closed(self) -> bool:
        """As the list says it; a message without reply is no closed conversation."""
        return contacts.is_closed(self.exchange)

    @property
    def answered(self) -> Shown | None:
        """The newest message that a reply would answer."""
        received = [one for one in self.shown if not one.place.mine and not one.place.no_reply]
        return received[-1] if received else None


async def page(visit: Visit, deps: Deps) -> Response:
    """GET and POST /messagerie/{conversation}."""
    view = await deps.db.read(load, deps, visit.box, visit.number("conversation"), bool(visit.query("tout")))
    closed = await _closed(visit, deps, view)
    if visit.request.method != "POST":
        await _mark_read(visit, deps, view)
        kept = await visit.kept_form()
        return _page(visit, deps, view, closed, kept.get("texte", ""))
    text = visit.form.values.get("texte", "")
    if closed is not None:
        fault = Fault("", french.typeset(f"Rien n'a été envoyé. {closed.sentence}"))
        return _page(visit, deps, view, closed, text, [fault])
    if faults := sending.faults_of(visit.form, deps):
        return _page(visit, deps, view, closed, text, faults)

    async def act() -> Response:
        result = await sending.send(visit, deps, _reply(visit, view))
        if isinstance(result, Verdict):
            return _page(visit, deps, view, closed, text, [sending.refused(result)])
        return visit.redirect(f"{PATH}/{result.thread or view.thread}", "envoye")

    return await visit.once(act)


def load(conn: Connection, deps: Deps, box: int, thread: int, everything: bool = False) -> View:
    """The conversation of this box, or « page introuvable », the same for a neighbour's and for none."""
    where = conversations.folders_of(conn, box)
    places = conversations.thread(conn, where, thread)
    if not places:
        raise errors.not_found()
    chosen = places if everything else places[-conversations.SHOWN :]
    key = deps.mailboxes.key(conn, box)
    contents = conversations.contents(conn, key, deps.blobs, chosen)
    shown = [
        _shown(conn, deps, box, place, content, place is chosen[-1])
        for place, content in zip(chosen, contents, strict=True)
    ]
    exchange = _exchange(conn, deps, box, places)
    unseen: dict[int, list[int]] = {}
    for place in places:
        if not place.seen and not place.mine:
            unseen.setdefault(place.folder, []).append(place.uid)
    return View(
        thread,
        wording.subject(shown[0].message.subject),
        shown,
        len(places) - len(chosen),
        _professional(conn, shown, exchange),
        exchange,
        unseen,
        frozenset((one.place.folder, one.place.uid) for one in shown if one.receipt and not one.place.receipt),
    )


def find_message(conn: Connection, deps: Deps, box: int, thread: int, name: str) -> tuple[Place, Message]:
    """One message of a conversation by its name in addresses (`Place.name`); « page introuvable » otherwise."""
    where = conversations.folders_of(conn, box)
    for place in conversations.thread(conn, where, thread):
        if place.name == name:
            content = conversations.contents(conn, deps.mailboxes.key(conn, box), deps.blobs, [place])[0]
            return place, scan(content)
    raise errors.not_found()


def _shown(conn: Connection, deps: Deps, box: int, place: Place, content: bytes, newest: bool) -> Shown:
    message = scan(content)
    text = message.text()
    senders = message.addresses("From")
    attachments = [piece for piece in message.attachments() if not (piece.inline and piece.content_id)]
    return Shown(
        place,
        message,
        _author(conn, senders[0] if senders else None),
        wording.pieces(text[:LONGEST]),
        attachments,
        message.html() is not None,
        place.mine and conversations.arrival(conn, place).at is not None,
        len(text) > LONG and not newest,
        len(text) > LONGEST,
        filed(conn, deps, box, message) if attachments and not place.mine else NOTHING,
        place.receipt or (not place.mine and not place.seen and asked_by(message) is not None),
        {} if place.mine else {piece.section: suspicious.sentences(message, piece.section) for piece in attachments},
        "" if place.mine else suspicious.about_all(message),
    )


def _author(conn: Connection, sender: Address | None) -> str:
    """The directory's name, which nobody chooses for themselves; with the name given in the message when it says more."""
    given = wording.name_of(sender)
    if sender is None:
        return given
    known = contacts.described(conn, Contact(str(sender), "")).name
    if known == str(sender) or given in (known, str(sender)):
        return known if known != str(sender) else given
    return f"{given} ({known})"


def _exchange(conn: Connection, deps: Deps, box: int, places: Sequence[Place]) -> Exchange | None:
    for place in reversed(places):
        if place.exchange is not None:
            return deps.exchanges.by_id(conn, box, place.exchange)
    return None


def _professional(conn: Connection, shown: list[Shown], exchange: Exchange | None) -> Professional:
    """The exchange's contact (a Reply-To may have named it); without exchange, who wrote, or whom I wrote to."""
    if exchange is not None:
        return contacts.described(conn, exchange.contact)
    received = [one for one in shown if not one.place.mine]
    source = received[-1] if received else shown[-1]
    found = source.message.addresses("From" if received else "To")
    address = found[0] if found else None
    return contacts.described(conn, Contact(str(address or ""), wording.name_of(address)))


async def _closed(visit: Visit, deps: Deps, view: View) -> Closed | None:
    received = any(not one.place.mine for one in view.shown)
    if received and (
        view.answered is None or view.exchange is None
    ):  # no exchange: a notice of the system, not a person
        why = reasons.NO_REPLY_MESSAGE if view.answered is None else reasons.NO_REPLY_BOX
        verdict = Verdict(view.professional.address, Fate.REFUSED, why)
        return contacts.closed_notice(verdict, view.professional, view.exchange)
    return await contacts.may_write(visit, deps, view.professional, view.exchange)


async def _mark_read(visit: Visit, deps: Deps, view: View) -> None:
    if view.unseen:
        await deps.db.write(opening.opened, deps, visit.box, view.unseen, view.asking, visit.now)
        await visit.look_around_again()


def _reply(visit: Visit, view: View) -> sending.Draft:
    answered = view.answered or view.shown[-1]
    own = "\n".join(piece.text for piece in answered.pieces if not piece.quoted)
    previous = sending.Previous(
        answered.message.message_id, tuple(answered.message.references), answered.author, answered.at, own
    )
    subject = view.subject if view.subject == wording.NO_SUBJECT else f"Re: {view.subject}"
    return sending.Draft(
        view.professional,
        subject,
        visit.form.get("texte"),
        tuple(visit.form.uploads("pieces")),
        previous,
    )


def _page(
    visit: Visit, deps: Deps, view: View, closed: Closed | None, text: str, faults: list[Fault] | None = None
) -> Response:
    return visit.render(
        "citizen_inbox/conversation/page.html",
        view.subject,
        view=view,
        closed=closed,
        text=text,
        limit=french.size(deps.settings.max_files),
        back=BACK,
        banner=BANNERS.get(visit.query("fait"), ""),
        errors=faults or [],
    )

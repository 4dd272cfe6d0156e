"""The professional at the other end of a conversation: name, profession, telephone; and whether the citizen may write now.

The verdict comes from `Acceptor.judge`, the same rules as at sending; here it only becomes a notice for the reader: who, when,
what next. No page decides by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from citizen_inbox import wording
from citizen_inbox.deps import Deps
from foundation.web import french
from foundation.web.visit import Visit
from mailserver.delivery.api import Door, Fate, Recipient, Sender, Verdict
from mssante import directory
from mssante.address import parse_address
from mssante.directory import Entry
from mssante.exchanges import Contact, Exchange
from mssante.identity import Invalid
from mssante.kinds import ExchangeState


@dataclass(frozen=True, slots=True)
class Professional:
    """`name` is never empty; `pharmacy`: by its sector code."""

    address: str
    name: str
    profession: str = ""
    town: str = ""
    phone: str = ""
    hours: str = ""
    pharmacy: bool = False

    @property
    def described(self) -> str:
        """« médecin généraliste, Lyon »."""
        return ", ".join(part for part in (wording.profession(self.profession), self.town) if part)


@dataclass(frozen=True, slots=True)
class Closed:
    """Why the citizen cannot write, and what they can do."""

    title: str
    sentence: str
    next_step: str
    phone: str
    pharmacy: bool


def described(conn: Connection, contact: Contact) -> Professional:
    """The contact completed by the directory."""
    address = parse_address(contact.address)
    entry = None if isinstance(address, Invalid) else directory.get(conn, address)
    if entry is None:
        return Professional(contact.address, contact.name or contact.address, contact.profession)
    found = of_entry(entry)
    return replace(found, name=entry.display_name or contact.name or contact.address)


def of_entry(entry: Entry) -> Professional:
    return Professional(
        entry.address,
        entry.display_name,
        entry.profession,
        entry.town,
        entry.phone,
        entry.hours,
        entry.is_pharmacy,
    )


def sender(visit: Visit, deps: Deps) -> Sender:
    """Who writes: the profile's box; the actor is the person signed in, a parent or carer included."""
    return Sender(Door.WEB, visit.box, visit.person_name, client_ip=visit.client_ip)


async def may_write(visit: Visit, deps: Deps, professional: Professional, exchange: Exchange | None) -> Closed | None:
    """None when a message would be accepted now."""
    own = await deps.db.read(deps.mailboxes.address, visit.box)
    verdict = await deps.acceptor.judge(sender(visit, deps), own, Recipient(professional.address))
    if verdict.fate is not Fate.REFUSED:
        return None
    return closed_notice(verdict, professional, exchange)


def closed_notice(verdict: Verdict, professional: Professional, exchange: Exchange | None) -> Closed:
    reason = verdict.reason
    name = reason.name if reason else ""
    sentence = french.typeset(reason.in_french(verdict.detail)) if reason else ""
    if name == "exchange_closed" and exchange is not None and exchange.closed_at is not None:
        who = exchange.closed_by or professional.name
        sentence = f"{who} a mis fin à cette conversation le{french.NBSP}{french.date_and_hour(exchange.closed_at)}."
        sentence += " Ce professionnel peut vous réécrire à tout moment : vous pourrez alors lui répondre."
    return Closed(
        french.typeset(_TITLES.get(name, "Vous ne pouvez pas écrire à ce professionnel")),
        french.typeset(sentence),
        french.typeset(_NEXT.get(name, _NEXT[""])),
        professional.phone,
        professional.pharmacy,
    )


def is_closed(exchange: Exchange | None) -> bool:
    return exchange is not None and exchange.state is ExchangeState.CLOSED


_TITLES = {
    "exchange_closed": "Cette conversation est close",
    "no_reply_message": "Ce message n'attend pas de réponse",
    "no_reply_box": "Ce message n'attend pas de réponse",
    "reply_window_over": "Le délai de réponse est passé",
    "never_wrote": "Ce professionnel ne vous a pas encore écrit",
    "pharmacy_needs_prescription": "Pour écrire à cette pharmacie, envoyez une ordonnance",
    "box_closed": "Cette boîte est fermée",
    "box_unknown": "Cette boîte n'existe plus",
    "blocked_by_citizen": "Vous avez bloqué ce professionnel",
}
_NEXT = {
    "": "Vous pouvez le joindre par téléphone. En cas d'urgence, appelez le 15 ou le 112.",
    "never_wrote": "Donnez-lui votre adresse de messagerie : elle est sur la page d'accueil.",
    "box_closed": "Demandez sa nouvelle adresse par téléphone, ou choisissez un autre professionnel.",
    "box_unknown": "Demandez sa nouvelle adresse par téléphone, ou choisissez un autre professionnel.",
}

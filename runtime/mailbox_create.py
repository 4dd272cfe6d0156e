"""A new mailbox: with its folders, its entry in the directory, its first holder's sign-in, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from mssante import life
from mssante.address import parse_address
from mssante.credentials import WEB
from mssante.identity import Invalid
from mssante.kinds import BoxKind, ProfileState
from mssante.mailbox import AddressTaken, Holder, Mailbox, NewMailbox
from mssante.rights import Role
from runtime.command import Act, Desk, Done, Refused, Row
from runtime.mailbox_acts import private_address, publish
from runtime.mailbox_words import octets, refusal, subject, yes
from runtime.member_acts import Newcomer, password_words

if TYPE_CHECKING:
    from foundation.database import Transaction

REQUIRED = ("address", "kind", "name")
OPTIONAL = (
    "holder_id",
    "profession",
    "town",
    "phone",
    "sector",
    "red_list",
    "quota",
    "certificate",
    "login",
    "person",
    "private_email",
    "birth_date",
)

_PROGRAM = "Créée : {address} ({kind}) // Created: {address} ({kind})"
_CITIZEN = (
    "Créée : {address} ({kind}), pas encore activée ; elle reçoit déjà // "
    "Created: {address} ({kind}), not activated yet; it receives already"
)
_NOBODY = (
    "Créée : {address} ({kind}) ; personne ne l’ouvre encore : mssante mailbox members add {address} IDENTIFIANT --role holder // "
    "Created: {address} ({kind}); nobody can open it yet: mssante mailbox members add {address} LOGIN --role holder"
)


def creating(at: Desk) -> Callable[[Row], Act]:
    """Of a row with the columns above: the mailbox, its folders, its entry in the directory, its first holder's sign-in."""

    def plan(row: Row) -> Act:
        new = _wish(at, row)
        certificate = subject(row["certificate"]) if row["certificate"] else None
        newcomer = Newcomer.of(at, row["login"], row["person"] or row["name"], Role.HOLDER) if row["login"] else None
        if newcomer is not None and new.kind is BoxKind.CIT:
            newcomer = replace(newcomer, scopes=frozenset({WEB}))  # a citizen's mailbox is read on the pages

        def act(tx: Transaction) -> Done:
            box = _created(at, tx, new)
            facts = {"address": box.address.text, "kind": box.kind.value}
            at.house.store.open_box_in(tx, box.id, professional=box.kind is not BoxKind.CIT)
            if box.kind is not BoxKind.CIT:
                publish(at, tx, box)
            if certificate is not None:
                at.house.mailboxes.bind(tx, box.id, certificate)
            at.record(tx, "mailbox:create", {"box": box.id, "kind": box.kind.value})
            if newcomer is None:
                unopened = _CITIZEN if box.kind is BoxKind.CIT else _NOBODY
                return Done(_PROGRAM if certificate is not None else unopened, facts)
            facts |= newcomer.joins(at, tx, box)
            fr, en = password_words(at)
            text = (
                f"Créée : {{address}} ({{kind}}), identifiant {{login}}, {fr} // "
                f"Created: {{address}} ({{kind}}), login {{login}}, {en}"
            )
            return Done(text, facts)

        return act

    return plan


def _wish(at: Desk, row: Row) -> NewMailbox:
    address = parse_address(row["address"])
    if isinstance(address, Invalid) or not at.house.operator.serves(address.domain):
        raise Refused(
            "{address} : pas une adresse d’un domaine servi ici // {address}: not an address of a domain served here",
            address=row["address"],
        )
    try:
        kind = BoxKind(row["kind"].upper())
    except ValueError:
        kind = None
    if kind is None or (kind is BoxKind.CIT) is not (address.domain == at.house.operator.citizen_domain):
        raise Refused(
            "{kind} : PER, CAB, ORG ou APP ; CIT au domaine des usagers, et là seulement // "
            "{kind}: PER, CAB, ORG or APP; CIT at the citizens' domain, and only there",
            kind=row["kind"],
        )
    if row["private_email"]:
        private_address(at, row["private_email"])
    if row["certificate"] and kind is not BoxKind.APP:
        raise refusal(row["address"], life.Not.NO_PROGRAM)
    return NewMailbox(
        row["address"],
        kind,
        _holder(row, address.local if kind is BoxKind.CIT else row["holder_id"]),
        None if kind is not BoxKind.CIT else ProfileState.ACTIVATED if row["login"] else ProfileState.NOT_ACTIVATED,
        sector=row["sector"] or None,
        red_list=yes(row["red_list"]),
        quota_bytes=octets(row["quota"]) if row["quota"] else at.house.settings.limits.quota_bytes,
    )


def _holder(row: Row, number: str) -> Holder:
    born = row["birth_date"]
    try:
        if born:
            date.fromisoformat(born)
    except ValueError:
        raise Refused("{date} : écrivez AAAA-MM-JJ // {date}: write YYYY-MM-DD", date=born) from None
    own = (row["name"], number, row["profession"], row["phone"], row["town"])
    return Holder(*own, private_email=row["private_email"], birth_date=born)


def _created(at: Desk, tx: Transaction, new: NewMailbox) -> Mailbox:
    try:
        return at.house.mailboxes.create(tx, new, at.now)
    except AddressTaken:  # an address is never given twice, even once closed
        raise Refused(
            "{address} : adresse déjà donnée // {address}: address already given", address=new.address
        ) from None
    except ValueError as fault:
        raise Refused("{address} : {why} // {address}: {why}", address=new.address, why=at.said(str(fault))) from None

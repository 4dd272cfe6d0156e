"""What an operator does to a mailbox: each act finds it, asks the rules of its life (`mssante.life`), changes it, is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from foundation.clock import DAY
from mssante import directory, life
from mssante.address import parse_address
from mssante.directory import Entry
from mssante.identity import Invalid
from mssante.kinds import BoxKind, BoxState
from mssante.mailbox import Holder, Mailbox, holder_id
from runtime.command import Act, Desk, Done, Refused, Row, moment
from runtime.mailbox_words import octets, refusal, subject

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from foundation.database import Transaction


# -------------------------------------------------------------------- finding and judging
def found(at: Desk, conn: Connection, address: str) -> Mailbox:
    box = at.house.mailboxes.resolve(conn, address)
    if box is None:
        raise Refused("{address} : boîte inconnue // {address}: no such mailbox", address=address)
    return box


def acting(
    at: Desk,
    act: life.Act,
    address: str,
    work: Callable[[Transaction, Mailbox], dict[str, Any] | None],
    text: str,
    recorded: Sequence[str] = (),
    **facts: Any,
) -> Act:
    """`work` changes the mailbox once the rules allowed it. What it returns, and `facts`, fill the text; those whose names are in
    `recorded` go in the audit trail too.
    """

    def run(tx: Transaction) -> Done:
        box = found(at, tx.conn, address)
        state = life.after(act, life.Standing(box.kind, box.state, box.erased))
        if isinstance(state, life.Not):
            raise refusal(box.address.text, state)
        told = facts | (work(tx, box) or {})
        at.record(tx, f"mailbox:{act.value}", {"box": box.id} | {name: told[name] for name in recorded})
        return Done(text, {"address": box.address.text} | told)

    return run


def publish(at: Desk, tx: Transaction, box: Mailbox) -> None:
    """In the directory; `directory.add` leaves out what is on the red list."""
    holder = box.holder
    structure = "" if box.kind in (BoxKind.PER, BoxKind.CAB) else holder.holder_id
    directory.add(
        tx,
        at.house.keys,
        Entry(
            box.address.key,
            box.kind,
            holder.display_name,
            holder.profession,
            holder.town,
            sector=box.sector,
            structure_id=structure,
            phone=holder.phone,
        ),
    )


# -------------------------------------------------------------------- states
def suspending(at: Desk, refuses: bool) -> Callable[[Row], Act]:
    text = (
        "Suspendue, refuse le courrier : {address} // Suspended, refuses mail: {address}"
        if refuses
        else "Suspendue, reçoit encore : {address} // Suspended, still receives: {address}"
    )

    def work(tx: Transaction, box: Mailbox) -> None:
        at.house.mailboxes.suspend(tx, box.id, refuses, at.now)

    return lambda row: acting(at, life.Act.SUSPEND, row["address"], work, text, ("refuses",), refuses=refuses)


def resuming(at: Desk) -> Callable[[Row], Act]:
    def work(tx: Transaction, box: Mailbox) -> None:
        at.house.mailboxes.set_state(tx, box.id, BoxState.ACTIVE, at.now)
        if box.state is BoxState.CLOSED and box.kind is not BoxKind.CIT:
            publish(at, tx, box)

    return lambda row: acting(at, life.Act.RESUME, row["address"], work, "Active : {address} // Active: {address}")


def closing(at: Desk, days: int) -> Callable[[Row], Act]:
    until = at.now + days * DAY
    text = (
        "Fermée : {address} ; son courrier est gardé scellé jusqu’au {kept_until}, puis sa clé est détruite // "
        "Closed: {address}; its mail is kept sealed until {kept_until}, then its key is destroyed"
    )

    def work(tx: Transaction, box: Mailbox) -> None:
        at.house.mailboxes.close(tx, box.id, at.now, until)

    return lambda row: acting(at, life.Act.CLOSE, row["address"], work, text, ("kept_until",), kept_until=moment(until))


# -------------------------------------------------------------------- what is said of it
def changing_holder(at: Desk, address: str, changes: dict[str, str]) -> Act:
    """`changes`: of the fields of `Holder`, those that change."""

    def work(tx: Transaction, box: Mailbox) -> None:
        old = box.holder
        values = {name: getattr(old, name) for name in old.__dataclass_fields__} | changes
        if why := life.passes_to(box.kind, old.holder_id, values["holder_id"]):
            raise refusal(box.address.text, why)
        if isinstance(fault := holder_id(box.kind, values["holder_id"]), Invalid):
            raise Refused("{address} : {why} // {address}: {why}", address=box.address.text, why=at.said(fault.why))
        at.house.mailboxes.set_holder(tx, box.id, Holder(**values))
        now_is = at.house.mailboxes.get(tx.conn, box.id)
        assert now_is is not None
        publish(at, tx, now_is)

    text = "Titulaire changé : {address} // Holder changed: {address}"
    return acting(at, life.Act.HOLDER, address, work, text, ("fields",), fields=sorted(changes))


SAID_OF_HOLDER = {  # word of the command, column of its files -> field of `Holder`
    "name": "display_name",
    "holder_id": "holder_id",
    "profession": "profession",
    "town": "town",
    "phone": "phone",
}


def changing_holders(at: Desk) -> Callable[[Row], Act]:
    """Of a file: what a line says nothing of stays."""

    def plan(row: Row) -> Act:
        changes = {field: row[word] for word, field in SAID_OF_HOLDER.items() if row[word]}
        if not changes:
            raise Refused("{address} : rien à changer // {address}: nothing to change", address=row["address"])
        return changing_holder(at, row["address"], changes)

    return plan


def private_address(at: Desk, email: str) -> None:
    """Refused when it is none, or one of ours: nothing would leave for it."""
    private = parse_address(email)
    if isinstance(private, Invalid) or at.house.operator.serves(private.domain):
        raise Refused(
            "{email} : il faut une adresse personnelle, hors de cette messagerie // "
            "{email}: a private address is needed, outside of this mail service",
            email=email,
        )


def telling_elsewhere(at: Desk, address: str, email: str) -> Act:
    """Where codes and notices of the person go; empty: nowhere. The address is in no trace."""
    if email:
        private_address(at, email)

    def work(tx: Transaction, box: Mailbox) -> dict[str, Any]:
        at.house.mailboxes.set_holder(tx, box.id, replace(box.holder, private_email=email))
        return {"known": bool(email)}

    text = (
        "{address} : les codes et les avis vont à {email} // {address}: codes and notices go to {email}"
        if email
        else "{address} : aucune adresse personnelle // {address}: no private address"
    )
    return acting(at, life.Act.PRIVATE_EMAIL, address, work, text, ("known",), email=email)


def red_listing(at: Desk, on: bool) -> Callable[[Row], Act]:
    text = (
        "En liste rouge : {address} // On the red list: {address}"
        if on
        else "Publiée dans l’annuaire : {address} // Published in the directory: {address}"
    )

    def work(tx: Transaction, box: Mailbox) -> None:
        at.house.mailboxes.set_red_list(tx, box.id, on)
        if not on:
            publish(at, tx, box)

    return lambda row: acting(at, life.Act.RED_LIST, row["address"], work, text, ("red_list",), red_list=on)


def setting_quota(at: Desk) -> Callable[[Row], Act]:
    def plan(row: Row) -> Act:
        limit = octets(row["quota"])

        def work(tx: Transaction, box: Mailbox) -> None:
            used, _ = at.house.mailboxes.quota(tx.conn, box.id)
            if used > limit:
                raise Refused(
                    "{address} : contient déjà {used} octets, rien n’est jamais effacé pour faire de la place // "
                    "{address}: holds {used} octets already, and nothing is ever deleted to make room",
                    address=box.address.text, used=used,
                )  # fmt: skip
            at.house.mailboxes.set_quota(tx, box.id, limit)

        text = "Quota de {address} : {octets} octets // Quota of {address}: {octets} octets"
        return acting(at, life.Act.QUOTA, row["address"], work, text, ("octets",), octets=limit)

    return plan


def binding(at: Desk, address: str, certificate: str) -> Act:
    """To the certificate of this DN; to none, when it is empty."""
    name = subject(certificate) if certificate else None
    text = (
        "Liée à son certificat : {address} // Bound to its certificate: {address}"
        if name
        else "Sans certificat : {address} // Without certificate: {address}"
    )

    def work(tx: Transaction, box: Mailbox) -> None:
        at.house.mailboxes.bind(tx, box.id, name)

    return acting(at, life.Act.CERTIFICATE, address, work, text, ("bound",), bound=name is not None)

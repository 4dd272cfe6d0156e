"""The FHIR server of the settings, and our mailboxes published there: those asked for, all, or those that changed."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from typing import Any

from cryptography import x509

from certs.contexts import fetch_context
from foundation.database import Transaction
from mssante.kinds import BoxKind
from mssante.mailbox import Mailbox
from mssante.registers.annuaire import Server, Unanswered
from mssante.registers.pace import Pace
from mssante.registers.publishing import NoIdentifier, Verb, begin, changed, publish, record, resource_of, to_withdraw
from runtime.command import Desk
from runtime.house import House
from runtime.mailbox_facts import all_boxes

SYSTEM = "system"  # the author of what nobody ordered


def server_of(house: House) -> Server:
    """One pace for all processes of this operator. Raises OSError or ValueError when the key or the anchors cannot be read."""
    own = house.settings.annuaire
    assert own.key is not None  # the settings saw to it
    if own.anchors is None:
        tls = ssl.create_default_context()
    else:
        tls = fetch_context(x509.load_pem_x509_certificates(own.anchors.read_bytes()))
    url = own.url.rstrip("/")
    return Server(
        url, own.key.read_text(encoding="ascii").strip(), tls, Pace(house.db, sha256(url.encode()).hexdigest())
    )


async def put(house: House, server: Server, box: Mailbox, author: str, rehearse: bool = False) -> Verb:
    """Published; what was done is in the audit trail. That something may be told is known before: who is killed meanwhile, or hears
    no answer, takes it away later all the same. Raises `NoIdentifier`, `Unanswered`."""
    resource_of(box)  # of nobody's mailbox it is never told
    if not rehearse:
        await house.db.write(begin, box)
    verb = await publish(server, box, rehearse)
    if not rehearse:
        await house.db.write(_record, house, box, verb, author)
    return verb


def _record(tx: Transaction, house: House, box: Mailbox, verb: Verb, author: str) -> None:
    record(tx, house.keys, box)
    if verb is not Verb.NOTHING:
        who = author if author == SYSTEM else "operator"
        house.audit.record(tx, f"{who}:directory:publish", author, {"box": box.id, "verb": verb.value})


async def those_changed(house: House, withdrawn_only: bool = False) -> AsyncIterator[Mailbox]:
    """Ours of which the Annuaire Santé was told otherwise, or only those of which it must be told no longer."""
    last, of_interest = 0, to_withdraw if withdrawn_only else changed
    while page := await house.db.read(house.mailboxes.every, last):
        ours = [box for box in page if box.kind is not BoxKind.CIT]
        for box in await house.db.read(of_interest, house.keys, ours):
            yield box
        last = page[-1].id


async def publishing(at: Desk, addresses: Sequence[str], every: bool) -> list[dict[str, Any]]:
    """One row for each mailbox: what was done, or why not. Of these addresses, of every mailbox, or of those that changed."""
    server, report = server_of(at.house), []
    async for text, box in _wanted(at, addresses, every):
        row = {"address": text, "done": "refused", "why": ""}
        if box is None or box.kind is BoxKind.CIT:
            report.append(row | {"why": at.said("pas une boîte d’ici // not a mailbox of ours")})
            continue
        try:
            verb = await put(at.house, server, box, at.author, at.dry_run)
        except (NoIdentifier, Unanswered) as fault:
            why = str(fault) or "titulaire sans RPPS, ADELI, FINESS ni SIRET // holder without an identifier"
            report.append(row | {"why": at.said(why)})
            continue
        report.append(row | {"done": verb.value})
    return report


async def _wanted(at: Desk, addresses: Sequence[str], every: bool) -> AsyncIterator[tuple[str, Mailbox | None]]:
    if addresses:
        for text in addresses:
            yield text, at.read(at.house.mailboxes.resolve, text)
    elif every:
        for box in all_boxes(at):
            if box.kind is not BoxKind.CIT:
                yield box.address.text, box
    else:
        async for box in those_changed(at.house):
            yield box.address.text, box

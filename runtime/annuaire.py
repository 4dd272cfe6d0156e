"""The FHIR server of the settings, and our mailboxes published there."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any

from cryptography import x509

from certs.contexts import fetch_context
from mssante.kinds import BoxKind
from mssante.mailboxes import Mailbox
from mssante.registers.annuaire import Server, Unanswered
from mssante.registers.publishing import NoIdentifier, Verb, publish
from runtime.command import Desk
from runtime.house import House
from runtime.mailbox_facts import all_boxes
from runtime.settings import Settings

SYSTEM = "system"  # the author of what nobody ordered


def server_of(settings: Settings) -> Server:
    """Raises OSError or ValueError when the key or the anchors cannot be read."""
    own = settings.annuaire
    assert own.key is not None  # the settings saw to it
    if own.anchors is None:
        tls = ssl.create_default_context()
    else:
        tls = fetch_context(x509.load_pem_x509_certificates(own.anchors.read_bytes()))
    return Server(own.url.rstrip("/"), own.key.read_text(encoding="ascii").strip(), tls)


async def put(house: House, server: Server, box: Mailbox, author: str, rehearse: bool = False) -> Verb:
    """Published; what was done is in the audit trail. Raises `NoIdentifier`, `Unanswered`."""
    verb = await publish(server, box, rehearse)
    if verb is not Verb.NOTHING and not rehearse:
        details = {"box": box.id, "verb": verb.value}
        who = author if author == SYSTEM else "operator"
        await house.db.write(house.audit.record, f"{who}:directory:publish", author, details)
    return verb


async def publishing(at: Desk, addresses: Sequence[str] | None) -> list[dict[str, Any]]:
    """One row for each mailbox: what was done, or why not. None: all of ours."""
    server, report = server_of(at.house.settings), []
    ours = [] if addresses is not None else [box for box in all_boxes(at) if box.kind is not BoxKind.CIT]
    boxes: list[tuple[str, Mailbox | None]] = [(box.address.text, box) for box in ours]
    boxes += [(text, at.read(at.house.mailboxes.resolve, text)) for text in addresses or ()]
    for text, box in boxes:
        if box is None or box.kind is BoxKind.CIT:
            report.append(
                {"address": text, "done": "refused", "why": at.said("pas une boîte d’ici // not a mailbox of ours")}
            )
            continue
        try:
            verb = await put(at.house, server, box, at.author, at.dry_run)
        except (NoIdentifier, Unanswered) as fault:
            why = at.said(str(fault) or "titulaire sans RPPS, ADELI, FINESS ni SIRET // holder without an identifier")
            report.append({"address": text, "done": "refused", "why": why})
            continue
        report.append({"address": text, "done": verb.value, "why": ""})
    return report

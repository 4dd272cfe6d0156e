"""Our mailboxes published in the Annuaire Santé by its FHIR server: FHIR Patch, as its guide drafts it (2026; not open yet).

A mailbox on the red list, or closed, is never sent; where it was published before, it is taken away. Address and kind never change.
What was told of each last is known by a keyed hash, so that only what changed is told again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from sqlalchemy import Connection, select, update

from foundation.database import Transaction
from foundation.keys import KeyRing
from mssante.identity import Adeli, Finess, Invalid, Rpps, Siret, parse_adeli, parse_finess, parse_rpps, parse_siret
from mssante.kinds import BoxKind, BoxState
from mssante.mailbox import Mailbox
from mssante.registers.annuaire import Server
from mssante.registers.fhir import METADATA, PERSON, STRUCTURE
from mssante.tables import mailboxes


class Verb(Enum):
    INSERT = "insert"
    REPLACE = "replace"
    DELETE = "delete"
    NOTHING = "nothing"  # not to be shown, and not there


_VERBS = {  # (to be shown, there already)
    (True, True): Verb.REPLACE,
    (True, False): Verb.INSERT,
    (False, True): Verb.DELETE,
    (False, False): Verb.NOTHING,
}


class NoIdentifier(Exception):
    """The holder has no identifier of the registers: nobody to attach the mailbox to."""


async def publish(server: Server, box: Mailbox, rehearse: bool = False) -> Verb:
    """What was done, or with `rehearse` would be. Raises `NoIdentifier`, `annuaire.Unanswered`."""
    kind, identifier = resource_of(box)
    there = await server.mailbox(kind, box.address.key)
    verb = _VERBS[shown(box), there is not None]
    if verb is not Verb.NOTHING and not rehearse:
        await server.patch(kind, identifier, patch(kind, box, verb, there or {}))
    return verb


def changed(conn: Connection, keys: KeyRing, boxes: Sequence[Mailbox]) -> list[Mailbox]:
    """Those of which the Annuaire Santé was told otherwise, or nothing; of one not to be shown it is not even asked, unless it was
    told of it.
    """
    last = _told_last(conn, boxes)
    of_interest = (box for box in boxes if shown(box) or last[box.id] is not None)
    return [box for box in of_interest if last[box.id] != told(keys, box)]


def to_withdraw(conn: Connection, keys: KeyRing, boxes: Sequence[Mailbox]) -> list[Mailbox]:
    """Those that it was told of, and that are no longer to be shown."""
    return [box for box in changed(conn, keys, boxes) if not shown(box)]


def begin(tx: Transaction, box: Mailbox) -> None:
    """Before it is told of this mailbox: it may take what we never hear that it took. An empty hash, like no other."""
    if shown(box):
        unknown = (mailboxes.c.id == box.id, mailboxes.c.published.is_(None))
        tx.execute(update(mailboxes).where(*unknown).values(published=b""))


def record(tx: Transaction, keys: KeyRing, box: Mailbox) -> None:
    """It was told of this mailbox as it is here."""
    tx.execute(update(mailboxes).where(mailboxes.c.id == box.id).values(published=told(keys, box)))


def told(keys: KeyRing, box: Mailbox) -> bytes:
    """Keyed hash of what is to be known of it there."""
    said = json.dumps([box.holder.holder_id, _telecom(box)]) if shown(box) else ""
    return keys.lookup("published", said)


def _told_last(conn: Connection, boxes: Sequence[Mailbox]) -> dict[int, bytes | None]:
    columns = select(mailboxes.c.id, mailboxes.c.published)
    return {row.id: row.published for row in conn.execute(columns.where(mailboxes.c.id.in_([box.id for box in boxes])))}


def shown(box: Mailbox) -> bool:
    return not box.red_list and box.state is not BoxState.CLOSED and box.kind is not BoxKind.CIT


def resource_of(box: Mailbox) -> tuple[str, str]:
    """(type, `system|value`) of who holds the mailbox. Raises `NoIdentifier`."""
    number = box.holder.holder_id
    if box.kind in (BoxKind.PER, BoxKind.CAB):
        person: Rpps | Adeli | Invalid = parse_rpps(number)
        if isinstance(person, Invalid):
            person = parse_adeli(number)
        if isinstance(person, Invalid):
            raise NoIdentifier
        return "Practitioner", f"{PERSON}|{'0' if isinstance(person, Adeli) else '8'}{person.value}"
    structure: Finess | Siret | Invalid = parse_finess(number)
    if isinstance(structure, Invalid):
        structure = parse_siret(number)
    if isinstance(structure, Invalid):
        raise NoIdentifier
    return "Organization", f"{STRUCTURE}|{'1' if isinstance(structure, Finess) else '3'}{structure.value}"


def patch(kind: str, box: Mailbox, verb: Verb, there: Mapping[str, Any]) -> dict[str, Any]:
    """The Parameters of a FHIR Patch (FHIR R4 3.1.0.10). `there`: the mailbox as it stands; what we say nothing of is kept."""
    escaped = box.address.key.replace("\\", "\\\\").replace("'", "\\'")
    path = f"{kind}.telecom" if verb is Verb.INSERT else f"{kind}.telecom.where(value = '{escaped}')"
    parts: list[dict[str, Any]] = [{"name": "type", "valueCode": verb.value}, {"name": "path", "valueString": path}]
    if verb is Verb.INSERT:
        parts.append({"name": "index", "valueInteger": 0})
    if verb is not Verb.DELETE:
        parts.append({"name": "value", "valueContactPoint": _kept(there, _telecom(box))})
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}


def _telecom(box: Mailbox) -> dict[str, Any]:
    said: list[dict[str, Any]] = [
        {"url": "type", "valueCode": box.kind.value},
        {"url": "listeRouge", "valueBoolean": False},
    ]
    if box.kind is not BoxKind.PER and box.holder.display_name:
        said.append({"url": "description", "valueString": box.holder.display_name})
    if box.holder.phone:
        said.append({"url": "phone", "valueString": box.holder.phone})
    return {"system": "email", "value": box.address.key, "extension": [{"url": METADATA, "extension": said}]}


_OURS = ("type", "listeRouge", "description", "phone")  # of the metadata


def _kept(there: Mapping[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """`rank`, « dématérialisation », « service de rattachement »… are others' to say: whoever replaces says all of it."""
    [metadata] = ours["extension"]
    extensions = _parts(there)
    said = (part for one in extensions if one.get("url") == METADATA for part in _parts(one))
    others = [part for part in said if part.get("url") not in _OURS]
    beside = [one for one in extensions if one.get("url") != METADATA]
    whole = {"url": METADATA, "extension": [*metadata["extension"], *others]}
    return dict(there) | ours | {"extension": [*beside, whole]}


def _parts(holder: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = holder.get("extension")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

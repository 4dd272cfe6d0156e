"""What is said of a mailbox on the command line, and in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.command import Desk, moment, plain

if TYPE_CHECKING:
    from mssante.mailbox import Mailbox

COLUMNS = {
    "address": "adresse // address",
    "kind": "type // kind",
    "state": "état // state",
    "name": "titulaire // holder",
    "red_list": "liste rouge // red list",
    "used_percent": "occupée // used",
    "kept_until": "gardée jusqu’au // kept until",
}
MORE = {
    "refuses": "refuse le courrier // refuses mail",
    "holder_id": "identifiant // identifier",
    "profession": "profession // profession",
    "phone": "téléphone // telephone",
    "town": "commune // town",
    "private_email": "adresse personnelle // private address",
    "sector": "secteur // sector",
    "used_octets": "octets occupés // octets used",
    "quota_octets": "quota, octets // quota, octets",
    "certificate": "certificat // certificate",
    "members": "accès actifs // active sign-ins",
    "created_at": "créée // created",
    "closed_at": "fermée // closed",
}


def all_boxes(at: Desk) -> list[Mailbox]:
    """Every mailbox, a page at a time."""
    boxes: list[Mailbox] = []
    while page := at.read(at.house.mailboxes.every, boxes[-1].id if boxes else 0):
        boxes += page
    return boxes


def facts_of(at: Desk, box: Mailbox) -> dict[str, Any]:
    used, limit = at.read(at.house.mailboxes.quota, box.id)
    return {
        "address": box.address.text,
        "kind": box.kind.value,
        "state": "erased" if box.erased else box.state.value,
        "refuses": box.refuses,
        "name": box.holder.display_name,
        "red_list": box.red_list,
        "sector": box.sector,
        "used_percent": round(100 * used / limit) if limit else 100,
        "used_octets": used,
        "quota_octets": limit,
        "certificate": box.certificate,
        "created_at": moment(box.created_at),
        "closed_at": moment(box.closed_at),
        "kept_until": moment(box.kept_until),
    }


def cell(at: Desk, key: str, value: Any) -> str:
    from runtime.mailbox_words import STATES

    if key == "state":
        return at.said(STATES[value])
    if key == "used_percent":
        return f"{value} %" if at.lang == "fr" else f"{value}%"
    return plain(value, at.lang)

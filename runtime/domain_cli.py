"""`mssante domain list|show`: the mail domains served here, and what lives in them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.command import Desk, Refused, lists, looks, plain, table

if TYPE_CHECKING:
    from mssante.mailbox import Mailbox

domain = typer.Typer(no_args_is_help=True, help="Domaines de messagerie servis ici. // Mail domains served here.")

_COLUMNS = {
    "domain": "domaine // domain",
    "citizens": "usagers // citizens",
    "in_trust_list": "liste de confiance // trust list",
    "active": "actives // active",
    "suspended": "suspendues // suspended",
    "closed": "fermées // closed",
}
_MORE = {
    "PER": "PER // PER", "CAB": "CAB // CAB", "ORG": "ORG // ORG", "APP": "APP // APP", "CIT": "CIT // CIT",
    "red_list": "liste rouge // red list",
}  # fmt: skip


@domain.command("list")
@lists
def list_(at: Desk) -> None:
    """Chaque domaine : ses boîtes par état, et s’il est dans la liste de confiance.

    // Each domain: its mailboxes by state, and whether it is in the trust list.
    """
    at.listed(_all(at), _COLUMNS, "Aucun domaine. // No domain.")


@domain.command()
@looks
def show(at: Desk, name: Annotated[str, typer.Argument(help="Nom du domaine. // Name of the domain.")]) -> None:
    """Un domaine : ses boîtes par état et par type.

    // One domain: its mailboxes by state and kind.
    """
    facts = next((one for one in _all(at) if one["domain"] == name.lower()), None)
    if facts is None:
        raise Refused("{name} : pas servi ici // {name}: not served here", name=name)
    names = _COLUMNS | _MORE
    at.shown(facts, table([(at.said(names[key]), plain(facts[key], at.lang)) for key in names]))


def _all(at: Desk) -> list[dict[str, Any]]:
    """Counted in one pass over the mailboxes: their domains are sealed with their addresses."""
    from mssante.trust_list import TrustList
    from runtime.mailbox_facts import all_boxes
    from runtime.trust import read_trust_list

    trust = read_trust_list(at.house.settings)
    counts: dict[str, Counter[str]] = {name: Counter() for name in sorted(at.house.operator.domains)}
    for box in all_boxes(at):
        counts.setdefault(box.address.domain, Counter()).update(_marks(box))
    keys = ("active", "suspended", "closed", *_MORE)
    return [
        {
            "domain": name,
            "citizens": name == at.house.settings.operator.citizen_domain,
            "in_trust_list": isinstance(trust, TrustList) and trust.has(name),
        }
        | {key: count[key] for key in keys}
        for name, count in counts.items()
    ]


def _marks(box: Mailbox) -> list[str]:
    return [box.state.value, box.kind.value, *(["red_list"] if box.red_list else [])]

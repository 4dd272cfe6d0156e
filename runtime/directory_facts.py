"""An entry of the directory as `mssante directory search` and `show` give it, with what the registers say of its person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mssante.directory import Entry
from mssante.registers.facts import Dated
from mssante.registers.nomenclatures import professions, sectors
from runtime.command import Desk

COLUMNS = {
    "display_name": "nom // name",
    "address": "adresse // address",
    "kind": "type // kind",
    "profession": "profession",
    "speciality": "spécialité // speciality",
    "organisation": "structure",
    "postcode": "code postal // postcode",
    "town": "commune // town",
    "sector": "secteur // sector",
}
_MORE = {
    "service": "service",
    "title": "civilité // title",
    "given_name": "prénom // given name",
    "family_name": "nom d’exercice // family name",
    "person_id": "identifiant de la personne // person's identifier",
    "structure_id": "FINESS ou SIRET // FINESS or SIRET",
    "phone": "téléphone // telephone",
    "hours": "horaires // hours",
}
_FACTS = {
    "activity": "activité // activity",
    "skill": "savoir-faire // skill",
    "diploma": "diplôme ou autorisation // diploma or authorisation",
}


def facts_of(entry: Entry) -> dict[str, Any]:
    return asdict(entry) | {"kind": entry.kind.value, "speciality": ", ".join(entry.specialities)}


def all_of(entry: Entry, register: Sequence[Dated]) -> dict[str, Any]:
    """`register`: what the registers say of its person."""
    facts = facts_of(entry) | {"register": [_fact(one) for one in register]}
    if sector := sectors().get(entry.sector or ""):
        facts["sector"] = f"{sector.code} {sector.label}"
    return facts


def lines(at: Desk, facts: dict[str, Any], register: Sequence[Dated]) -> list[tuple[str, str]]:
    names = COLUMNS | _MORE
    own = [(at.said(names[key]), str(facts[key] or "-")) for key in names]
    return own + [(at.said(_FACTS[one.fact.kind.value]), _sentence(at, one)) for one in register]


def _fact(one: Dated) -> dict[str, Any]:
    until = None if one.until is None else one.until.isoformat()
    return asdict(one.fact) | {"kind": one.fact.kind.value, "since": one.since.isoformat(), "until": until}


def _sentence(at: Desk, one: Dated) -> str:
    fact = one.fact
    profession, sector = professions().get(fact.profession), sectors().get(fact.sector)
    words = [
        profession.label if profession else "",
        fact.label or fact.code,
        sector.label if sector else fact.sector,
        fact.place,
        fact.town,
    ]
    dates = at.said(
        "depuis le {since} // since {since}"
        if one.until is None
        else "du {since} au {until} // from {since} to {until}",
        {"since": one.since, "until": one.until},
    )
    return f"{', '.join(filter(None, words))} ({dates})"

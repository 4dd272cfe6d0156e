"""Resources of the Annuaire Santé (FHIR R4), read to entries of the directory.

A mailbox is a `telecom` with the extension `as-ext-mailbox-mss-metadata`: on a Practitioner, a PractitionerRole (a person at a
place) or an Organization. Whatever a server answers gives entries, or nothing: a field that is not as specified is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mssante.address import address_key
from mssante.directory import SEVERAL, Entry
from mssante.identity import Invalid, parse_finess, parse_person_id, parse_siret, parse_structure_id
from mssante.kinds import BoxKind
from mssante.registers.extraction import given_name, titled
from mssante.registers.nomenclatures import Concept, professions, sectors, specialities

METADATA = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-mailbox-mss-metadata"
ROLE_NAME = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-practitionerrole-name"
TYPES = ("Organization", "Practitioner", "PractitionerRole")
INCLUDED = {"PractitionerRole": ("PractitionerRole:practitioner", "PractitionerRole:organization")}
PERSON, RPPS = "urn:oid:1.2.250.1.71.4.2.1", "https://rpps.esante.gouv.fr"  # of any person: 8 and RPPS, 0 and ADELI
FINESS, SIRET = "https://finess.esante.gouv.fr", "https://sirene.fr"
STRUCTURE = "urn:oid:1.2.250.1.71.4.2.2"  # of any: 1 and FINESS, 3 and SIRET
_KINDS = {kind.value: kind for kind in BoxKind if kind is not BoxKind.CIT}

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """What one resource says: its mailboxes to show, and its addresses on the red list; others are no longer its own. One that was
    deleted stays for 30 days, without anything but its id and that it is not active."""

    resource: str  # "Organization/123"
    entries: tuple[Entry, ...] = ()
    red_list: frozenset[str] = frozenset()
    number: str = ""  # of the person or the structure, which entries of roles repeat

    @property
    def addresses(self) -> set[str]:
        return {entry.address for entry in self.entries} | self.red_list


@dataclass(frozen=True, slots=True)
class Page:
    held: tuple[Held, ...]
    next: str  # address of the following page; empty: the last one


def page(bundle: Any) -> Page | None:
    """None: not a Bundle of a search (FHIR R4 3.1.1)."""
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        return None
    found = [(_text(one, "search", "mode"), one.get("resource")) for one in _dicts(bundle.get("entry"))]
    whole = [(mode, one) for mode, one in found if isinstance(one, dict) and one.get("resourceType") in TYPES]
    by_name = {_name(one): one for _, one in whole}
    held = tuple(_held(one, by_name) for mode, one in whole if mode != "include" and _text(one, "id"))
    links = (one for one in _dicts(bundle.get("link")) if one.get("relation") == "next")
    return Page(held, next((_text(one, "url") for one in links), ""))


def telecom(bundle: Any, address: str) -> dict[str, Any] | None:
    """The mailbox of this address in a Bundle, as it stands there."""
    resources = (one.get("resource") for one in _dicts(bundle.get("entry")))
    found = (one for resource in resources if isinstance(resource, dict) for one in _telecoms(resource))
    return next((one for one, _ in found if address_key(_text(one, "value")) == address), None)


def _held(resource: Resource, by_name: Mapping[str, Resource]) -> Held:
    if resource.get("active") is False:
        return Held(_name(resource))
    boxes = list(_mailboxes(resource))
    red = frozenset(box.address for box in boxes if box.said.get("listeRouge") is True)
    made = (_entry(box, resource, by_name) for box in boxes if box.address not in red)
    number = {"Practitioner": _person, "Organization": _structure}.get(resource["resourceType"], _nobody)(resource)
    return Held(_name(resource), tuple(entry for entry in made if entry is not None), red, number)


def _nobody(_resource: Resource) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class _Box:
    address: str
    said: Mapping[str, Any]  # of the metadata: url -> value


def _mailboxes(resource: Resource) -> Iterator[_Box]:
    for one, metadata in _telecoms(resource):
        said = {_text(part, "url"): _value(part) for part in _dicts(metadata.get("extension"))}
        key = address_key(_text(one, "value"))
        if not isinstance(key, Invalid):
            yield _Box(key, said)


def _telecoms(resource: Resource) -> Iterator[tuple[dict[str, Any], Resource]]:
    """Those that are mailboxes, each with its metadata."""
    for one in _dicts(resource.get("telecom")):
        for extension in _dicts(one.get("extension")):
            if extension.get("url") == METADATA and one.get("system", "email") == "email":
                yield one, extension


def _entry(box: _Box, resource: Resource, by_name: Mapping[str, Resource]) -> Entry | None:
    kind = _KINDS.get(str(box.said.get("type", "")))
    if kind is None:
        return None
    person, place = resource, resource
    if resource["resourceType"] == "PractitionerRole":
        person = by_name.get(_text(resource, "practitioner", "reference"), {})
        place = by_name.get(_text(resource, "organization", "reference"), {})
    elif resource["resourceType"] == "Practitioner":
        place = {}
    else:
        person = {}
    who, where = _of_person(person, resource), _of_place(place)
    service = str(box.said.get("service") or box.said.get("description") or "")
    label = _full_name(who) or ", ".join(filter(None, (service, where["organisation"])))
    return Entry(
        address=box.address,
        kind=kind,
        display_name=label or box.address.partition("@")[0],
        profession=next(_labels("G15", professions(), person, resource), ""),
        phone=str(box.said.get("phone", ""))[:32],
        speciality=SEVERAL.join(_labels("R38", specialities(), resource, person)),
        service=service,
        **who,
        **where,
    )


def _of_person(person: Resource, role: Resource) -> dict[str, Any]:
    """By the name under which they practise in this role, when it says one. `suffix` is the « civilité d’exercice » (DR, PR),
    `prefix` the ordinary one.
    """
    said = (one.get("valueHumanName") for one in _dicts(role.get("extension")) if one.get("url") == ROLE_NAME)
    own = next(_dicts(person.get("name")), {})
    name = next((one for one in said if isinstance(one, dict) and _text(one, "family")), own)
    titles = (_texts(one.get(part)) for part in ("suffix", "prefix") for one in (name, own))
    return {
        "title": titled(next(filter(None, titles), "")),
        "given_name": given_name(_texts(name.get("given"))),
        "family_name": _text(name, "family"),
        "person_id": _person(person),
    }


def _full_name(said: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (said["title"], said["given_name"], said["family_name"].upper())))


def _of_place(resource: Resource) -> dict[str, Any]:
    where = next(iter(_dicts(resource.get("address"))), {})
    return {
        "organisation": _text(resource, "name"),
        "town": _text(where, "city"),
        "postcode": _text(where, "postalCode")[:10],
        "sector": next((code for code in _codes(resource.get("type"), "R02") if code in sectors()), None),
        "structure_id": _structure(resource),
    }


def _labels(name: str, table: Mapping[str, Concept], *resources: Resource) -> Iterator[str]:
    """Of codes of this table, in qualifications of a person or specialities of a role; each once."""
    parts: list[Any] = []
    for whole in resources:
        parts += [one.get("code") for one in _dicts(whole.get("qualification"))]
        parts += _list(whole.get("code")) + _list(whole.get("specialty"))
    return iter(dict.fromkeys(table[code].label for code in _codes(parts, name) if code in table))


def _codes(concepts: Any, table: str = "") -> Iterator[str]:
    """Of this table (`G15`: TRE_G15), or of one that is not named: « 10 » is a profession, and other things."""
    for concept in _dicts(concepts):
        for coding in _dicts(concept.get("coding")):
            system = _text(coding, "system")
            if not table or "TRE_" not in system or f"TRE_{table}" in system:
                yield _text(coding, "code")


def _identifiers(resource: Resource, system: str) -> Iterator[str]:
    for one in _dicts(resource.get("identifier")):
        if one.get("system") == system:
            yield _text(one, "value")


def _person(resource: Resource) -> str:
    texts = (*_identifiers(resource, PERSON), *(f"8{text}" for text in _identifiers(resource, RPPS)))
    return next((text for text in texts if not isinstance(parse_person_id(text), Invalid)), "")


def _structure(resource: Resource) -> str:
    parsers = ((FINESS, parse_finess), (SIRET, parse_siret), (STRUCTURE, parse_structure_id))
    for system, parse in parsers:
        for text in _identifiers(resource, system):
            if not isinstance(parsed := parse(text), Invalid):
                return parsed.value
    return ""


# -------------------------------------------------------------------- what may be anything
def _name(resource: Resource) -> str:
    return f"{_text(resource, 'resourceType')}/{_text(resource, 'id')}"[:128]


def _value(extension: Resource) -> Any:
    """`valueString`, `valueBoolean`, `valueCode`, or the code of a `valueCodeableConcept`."""
    for name, value in extension.items():
        if name == "valueCodeableConcept":
            return next(_codes([value]), "")
        if name.startswith("value"):
            return _clean(value) if isinstance(value, str) else value
    return ""


def _text(holder: Any, *path: str) -> str:
    for name in path:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return _clean(holder) if isinstance(holder, str) else ""


def _clean(text: str) -> str:
    """Without what no database takes (NUL, half a character), moves a terminal's cursor or turns a line round."""
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def _texts(value: Any) -> str:
    return _clean(" ".join(one for one in _list(value) if isinstance(one, str)))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    return (one for one in _list(value) if isinstance(one, dict))

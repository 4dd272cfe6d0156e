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
from mssante.identity import Invalid, parse_finess, parse_person_id, parse_siret
from mssante.kinds import BoxKind
from mssante.registers.extraction import titled
from mssante.registers.nomenclatures import Concept, professions, sectors, specialities

METADATA = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-mailbox-mss-metadata"
TYPES = ("Organization", "Practitioner", "PractitionerRole")
INCLUDED = {"PractitionerRole": ("PractitionerRole:practitioner", "PractitionerRole:organization")}
PERSON = "urn:oid:1.2.250.1.71.4.2.1"
FINESS, SIRET = "https://finess.esante.gouv.fr", "https://sirene.fr"
_KINDS = {kind.value: kind for kind in BoxKind if kind is not BoxKind.CIT}

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What a person's or a place's own resource says, which the entries of roles repeat; `by`: the field of these that has its
    `number`. `also`: specialities of the person, beside those of the role.
    """

    by: str
    number: str
    said: Mapping[str, Any]
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """What one resource says: its mailboxes to show, and its addresses on the red list; others are no longer its own. One that was
    deleted stays for 30 days, without anything but its id and that it is not active."""

    resource: str  # "Organization/123"
    entries: tuple[Entry, ...] = ()
    red_list: frozenset[str] = frozenset()
    told: Told | None = None

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


def _held(resource: Resource, by_name: Mapping[str, Resource]) -> Held:
    if resource.get("active") is False:
        return Held(_name(resource))
    boxes = list(_mailboxes(resource))
    red = frozenset(box.address for box in boxes if box.said.get("listeRouge") is True)
    made = (_entry(box, resource, by_name) for box in boxes if box.address not in red)
    return Held(_name(resource), tuple(entry for entry in made if entry is not None), red, _told(resource))


def _told(resource: Resource) -> Told | None:
    """None: nothing that a role would repeat, or nobody knows of whom."""
    match resource["resourceType"]:
        case "Practitioner":
            by, said, also = "person_id", _of_person(resource), tuple(_labels("R38", specialities(), resource))
            said |= {"display_name": _full_name(said)}
            if profession := next(_labels("G15", professions(), resource), ""):
                said["profession"] = profession
        case "Organization":
            by, said, also = "structure_id", _of_place(resource), ()
        case _:
            return None
    number = said.pop(by)
    return Told(by, number, said, also) if number and said.get("display_name", number) else None


@dataclass(frozen=True, slots=True)
class _Box:
    address: str
    said: Mapping[str, Any]  # of the metadata: url -> value


def _mailboxes(resource: Resource) -> Iterator[_Box]:
    for telecom in _dicts(resource.get("telecom")):
        for extension in _dicts(telecom.get("extension")):
            if extension.get("url") == METADATA and telecom.get("system", "email") == "email":
                said = {_text(one, "url"): _value(one) for one in _dicts(extension.get("extension"))}
                key = address_key(_text(telecom, "value"))
                if not isinstance(key, Invalid):
                    yield _Box(key, said)


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
    who, where = _of_person(person), _of_place(place)
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


def _of_person(resource: Resource) -> dict[str, Any]:
    names = next(iter(_dicts(resource.get("name"))), {})
    given, titles = _list(names.get("given")), _list(names.get("prefix"))
    return {
        "title": titled(next((one for one in titles if isinstance(one, str)), "")),
        "given_name": " ".join(one for one in given if isinstance(one, str)),
        "family_name": _text(names, "family"),
        "person_id": _person(resource),
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


def _identifiers(resource: Resource, *systems: str) -> Iterator[str]:
    for one in _dicts(resource.get("identifier")):
        if one.get("system") in systems:
            yield _text(one, "value")


def _person(resource: Resource) -> str:
    known = (text for text in _identifiers(resource, PERSON) if not isinstance(parse_person_id(text), Invalid))
    return next(known, "")


def _structure(resource: Resource) -> str:
    for text in _identifiers(resource, FINESS, SIRET):
        for parsed in (parse_finess(text), parse_siret(text)):
            if not isinstance(parsed, Invalid):
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
            return value
    return ""


def _text(holder: Any, *path: str) -> str:
    for name in path:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return " ".join(holder.split()) if isinstance(holder, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    return (one for one in _list(value) if isinstance(one, dict))

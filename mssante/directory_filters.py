"""Conditions on entries of the directory, as the mail clients' protocols put them (LDAP's filters, CardDAV's queries).

Attributes are LDAP's, in lower case (RFC 4519, RFC 2798). Matching is that of the directory, not of octets: by words and their
beginnings, without case or accents, despite a typing error. So a condition on a name is true of an entry that the search finds by
it; what a filter denies is looked at word by word. Where an address is completed and nobody has that name, the words are looked for
in all fields: « cardiologue Lyon ».
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

from sqlalchemy import Connection

from mssante import directory
from mssante.address import Address, parse_address
from mssante.directory import Entry
from mssante.directory_search import LONGEST_TEXT, Search
from mssante.directory_words import folded

MOST = 32  # combinations of alternatives
MOST_SEARCHES = 8
NOTHING = Search()
CLASSES = ("top", "person", "organizationalPerson", "inetOrgPerson")
_CLASSES = {name.lower() for name in CLASSES}

# attribute, in lower case -> field of the search
FIELDS = {
    **dict.fromkeys(("cn", "commonname", "displayname", "sn", "surname", "givenname", "gn", "name", "uid"), "name"),
    **dict.fromkeys(
        ("o", "organizationname", "ou", "organizationalunitname", "company", "mail", "rfc822mailbox"), "name"
    ),
    **dict.fromkeys(("title", "description", "businesscategory", "profession"), "profession"),
    **dict.fromkeys(("l", "localityname", "postalcode"), "town"),
}
MAIL = ("mail", "rfc822mailbox")
WHOLE_NAME = ("cn", "commonname", "displayname", "name")


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Filter


@dataclass(frozen=True, slots=True)
class Equal:
    """Equality, or about equal."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Parts:
    """Substrings, in their order."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Present:
    name: str


@dataclass(frozen=True, slots=True)
class Undefined:
    """An order or a matching rule: there are none here, so that it is neither true nor false (RFC 4511 4.5.1.7)."""


Filter = And | Or | Not | Equal | Parts | Present | Undefined


def attributes_of(entry: Entry) -> dict[str, Sequence[str]]:
    """An inetOrgPerson. `cn` and `sn` are never empty (RFC 4519 3.12)."""
    values: dict[str, Sequence[str]] = {
        "objectClass": CLASSES,
        "cn": (entry.display_name,),
        "displayName": (entry.display_name,),
        "sn": (entry.family_name or entry.display_name,),
        "givenName": (entry.given_name,),
        "mail": (entry.address,),
        "o": (entry.organisation,),
        "ou": (entry.service,),
        "title": (entry.profession,),
        "description": entry.specialities,
        "l": (entry.town,),
        "postalCode": (entry.postcode,),
        "telephoneNumber": (entry.phone,),
    }
    return {name: value for name, value in values.items() if any(value)}


def matching(conn: Connection, wanted: Filter, limit: int, asker: str = "") -> list[Entry]:
    """At most `limit` entries that the filter is true of; of more, those near to the mailbox `asker` first."""
    near = directory.postcode_of(conn, asker) if asker else ""
    found: dict[str, Entry] = {}
    for one in asked(wanted):
        doubtful = denies(wanted) or bool(one.address)  # an address was looked up whatever else is asked
        for entry in _entries(conn, replace(one, search=replace(one.search, near=near)), limit):
            if entry.address not in found and (not doubtful or true_of(wanted, entry)):
                found[entry.address] = entry
    if not found and (text := spoken(wanted)):
        return directory.search(conn, Search(text, near=near), limit)
    return list(found.values())[:limit]


def _entries(conn: Connection, asked: Asked, limit: int) -> Iterator[Entry]:
    if not asked.address:
        yield from directory.search(conn, asked.search, limit)
        return
    address = parse_address(asked.address)
    entry = directory.get(conn, address) if isinstance(address, Address) else None
    if entry is not None:
        yield entry
        return
    begun, local = (
        asked.address.casefold(),
        folded(asked.address.partition("@")[0]),
    )  # Apple sends what is typed so far as equality
    for one in directory.search(conn, Search(name=local), limit) if local else ():
        if one.address.startswith(begun):
            yield one


def spoken(wanted: Filter) -> str:
    """What somebody typed to whom a whole name would be completed, and nothing else was asked; else empty."""
    if denies(wanted) or any(one.address or one.search != Search(name=one.search.name) for one in asked(wanted)):
        return ""
    return next(_typed(wanted), "")


def _typed(wanted: Filter) -> Iterator[str]:
    match wanted:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _typed(part)
        case Equal(name, text) if name in WHOLE_NAME:
            yield text
        case Parts(name, values) if name in WHOLE_NAME:
            yield " ".join(values)


def true_of(wanted: Filter, entry: Entry) -> bool:
    return holds(wanted, {name.lower(): values for name, values in attributes_of(entry).items()}) is True


# -------------------------------------------------------------------- what is asked of the directory
@dataclass(frozen=True, slots=True)
class Asked:
    """One search, or one `address` looked up; both empty: any entry."""

    search: Search = NOTHING
    address: str = ""


def asked(wanted: Filter) -> list[Asked]:
    """Searches that together find all that the filter can be true of; empty: it is true of nothing. More than `MOST_SEARCHES`
    alternatives: the first ones.
    """
    return list(dict.fromkeys(_alternatives(wanted)))[:MOST_SEARCHES]


def _alternatives(wanted: Filter) -> list[Asked]:
    match wanted:
        case Or(parts):
            return list(dict.fromkeys(one for part in parts for one in _alternatives(part)))
        case And(parts):
            found = [Asked()]
            for part in parts:
                more = _alternatives(part)
                found = list(dict.fromkeys(_both(*pair) for pair in islice(product(found, more), MOST)))
            return found
        case Not() | Present():
            return [Asked()]
        case Equal("objectclass", value):
            return [Asked()] if value.lower() in _CLASSES else []
        case Equal(name, value) if name in MAIL and "@" in value:
            return [Asked(address=value)]
        case Equal(name, value):
            return _by_words(name, value)
        case Parts(name, values):
            return _by_words(name, " ".join(values))
    return []


def _by_words(name: str, text: str) -> list[Asked]:
    text = text.partition("@")[0] if name in MAIL else text
    field, words = FIELDS.get(name), folded(text[:LONGEST_TEXT])
    return [] if field is None or not words else [Asked(_search({field: words}))]


def _both(one: Asked, other: Asked) -> Asked:
    def joined(field: str) -> str:
        texts = (getattr(one.search, field), getattr(other.search, field))
        return " ".join(dict.fromkeys(" ".join(texts).split()))[:LONGEST_TEXT]  # a search reads no more of it

    return Asked(_search({field: joined(field) for field in FIELDS.values()}), one.address or other.address)


def _search(words: Mapping[str, str]) -> Search:
    return Search(name=words.get("name", ""), profession=words.get("profession", ""), town=words.get("town", ""))


# -------------------------------------------------------------------- what is denied
def denies(wanted: Filter) -> bool:
    """Whether any part says « not »: then each entry found is looked at."""
    match wanted:
        case And(parts) | Or(parts):
            return any(map(denies, parts))
        case Not():
            return True
    return False


def holds(wanted: Filter, attributes: Mapping[str, Iterable[str]]) -> bool | None:
    """Of an entry with these `attributes` (names in lower case); None: undefined."""
    match wanted:
        case And(parts):
            found = [holds(part, attributes) for part in parts]
            return False if False in found else None if None in found else True
        case Or(parts):
            found = [holds(part, attributes) for part in parts]
            return True if True in found else None if None in found else False
        case Not(part):
            inner = holds(part, attributes)
            return None if inner is None else not inner
        case Present(name):
            return name in attributes
        case Equal(name, value):
            return _is_there(attributes.get(name, ()), value)
        case Parts(name, values):
            return _is_there(attributes.get(name, ()), " ".join(values))
    return None


def _is_there(values: Iterable[str], text: str) -> bool:
    """Each word of `text` begins a word of one value."""
    wanted = folded(text[:LONGEST_TEXT]).split()
    return any(all(f" {word}" in f" {folded(value)}" for word in wanted) for value in values)

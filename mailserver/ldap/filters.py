"""Filters of LDAP (RFC 4511 4.5.1.7) and what they ask of the directory.

Matching is that of the directory, not of octets: by words and their beginnings, without case or accents, despite a typing error. So
a condition on a name is true of an entry that the search finds by it; what a filter denies is looked at word by word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from mailserver.ldap import ber
from mailserver.ldap.ber import OCTET_STRING, Malformed
from mssante.directory_search import Search
from mssante.directory_words import folded

DEEPEST, MOST = 16, 100  # nested filters; conditions of one
MOST_SEARCHES = 8
NOTHING = Search()

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


def read_filter(tag: int, content: bytes) -> Filter:
    """Raises `Malformed`, also for a filter too deep or too long."""
    return _Reader().read(tag, content, DEEPEST)


class _Reader:
    def __init__(self) -> None:
        self._left = MOST

    def read(self, tag: int, content: bytes, depth: int) -> Filter:
        self._left -= 1
        if not depth or not self._left:
            raise Malformed("filter too large")
        if tag in (0xA0, 0xA1):
            parts = tuple(self.read(*part, depth - 1) for part in ber.elements(content))
            return And(parts) if tag == 0xA0 else Or(parts)
        if tag == 0xA2:
            [part] = _exactly(content, 1)
            return Not(self.read(*part, depth - 1))
        if tag in (0xA3, 0xA8):
            name, value = _exactly(content, 2)
            return Equal(_name(*name), ber.text(value[1]))
        if tag == 0xA4:
            return _substrings(content)
        if tag == 0x87:
            return Present(ber.text(content).lower())
        if tag in (0xA5, 0xA6, 0xA9):
            return Undefined()
        raise Malformed("filter")


def _substrings(content: bytes) -> Parts:
    name, values = _exactly(content, 2)
    parts = list(ber.elements(values[1]))
    if not parts or any(tag not in (0x80, 0x81, 0x82) for tag, _ in parts):
        raise Malformed("substrings")
    return Parts(_name(*name), tuple(ber.text(value) for _, value in parts))


def _exactly(content: bytes, count: int) -> list[tuple[int, bytes]]:
    found = list(ber.elements(content))
    if len(found) != count:
        raise Malformed("filter")
    return found


def _name(tag: int, content: bytes) -> str:
    if tag != OCTET_STRING:
        raise Malformed("attribute")
    return ber.text(content).lower()


# -------------------------------------------------------------------- what is asked of the directory
@dataclass(frozen=True, slots=True)
class Asked:
    """One search, or one `address` looked up; both empty: any entry."""

    search: Search = NOTHING
    address: str = ""


def asked(wanted: Filter, classes: Iterable[str]) -> list[Asked]:
    """Searches that together find all that the filter can be true of; empty: it is true of nothing. `classes`: object classes of
    an entry, in lower case. More than `MOST_SEARCHES` alternatives: the first ones.
    """
    return list(dict.fromkeys(_alternatives(wanted, frozenset(classes))))[:MOST_SEARCHES]


def _alternatives(wanted: Filter, classes: frozenset[str]) -> list[Asked]:
    match wanted:
        case Or(parts):
            return list(dict.fromkeys(one for part in parts for one in _alternatives(part, classes)))
        case And(parts):
            found = [Asked()]
            for part in parts:
                more = _alternatives(part, classes)
                found = list(dict.fromkeys(_both(*pair) for pair in product(found, more)))[:MOST]
            return found
        case Not() | Present():
            return [Asked()]
        case Equal("objectclass", value):
            return [Asked()] if value.lower() in classes else []
        case Equal(name, value) if name in MAIL and "@" in value:
            return [Asked(address=value)]
        case Equal(name, value):
            return _by_words(name, value)
        case Parts(name, values):
            return _by_words(name, " ".join(values))
    return []


def _by_words(name: str, text: str) -> list[Asked]:
    text = text.partition("@")[0] if name in MAIL else text
    field, words = FIELDS.get(name), folded(text)
    return [] if field is None or not words else [Asked(_search({field: words}))]


def _both(one: Asked, other: Asked) -> Asked:
    def joined(field: str) -> str:
        texts = (getattr(one.search, field), getattr(other.search, field))
        return " ".join(dict.fromkeys(" ".join(texts).split()))

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
    wanted = folded(text).split()
    return any(all(f" {word}" in f" {folded(value)}" for word in wanted) for value in values)

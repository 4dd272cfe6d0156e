"""What a REPORT asks (RFC 6352 8.6, 8.7, 10): read from XML to a condition on entries, and what of each card is wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from care_desk.carddav.vcard import VERSIONS
from mssante.directory_filters import And, Equal, Filter, Not, Or, Parts, Present, Undefined

DAV, CARDDAV = "DAV:", "urn:ietf:params:xml:ns:carddav"
COLLATIONS = ("i;ascii-casemap", "i;unicode-casemap")
MOST_CONDITIONS = 50
MOST_ADDRESSES = 250

# property of a card -> attributes of the entry (mssante.directory_filters)
PROPERTIES = {
    "FN": ("cn",),
    "N": ("sn", "givenname"),
    "NICKNAME": ("cn",),
    "EMAIL": ("mail",),
    "ORG": ("o", "ou"),
    "TITLE": ("title",),
    "ROLE": ("description",),
    "ADR": ("l", "postalcode"),
    "TEL": ("telephonenumber",),
}


class NotUnderstood(Exception):
    """The condition that is broken, as an element's name (RFC 6352 8.6); empty: the request is none at all."""

    def __init__(self, condition: str = "") -> None:
        super().__init__(condition)
        self.condition = condition


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of each card: which WebDAV properties (None: all), which version, which of its own properties (empty: all)."""

    properties: tuple[str, ...] | None = None
    version: str = "3.0"
    only: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Question:
    """addressbook-query: `limit` 0: none of the client's."""

    filter: Filter
    limit: int
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Named:
    """addressbook-multiget."""

    hrefs: tuple[str, ...]
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Sync:
    """sync-collection (RFC 6578 3.2): what changed since `token`, empty: all. `limit` 0: none."""

    token: str
    limit: int
    wanted: Wanted


def report(root: etree._Element) -> Question | Named | Sync:
    """Raises `NotUnderstood`."""
    if root.tag == _c("addressbook-query"):
        return Question(_filter(root), _limit(root, _c("limit"), _c("nresults")), wanted(root))
    if root.tag == _c("addressbook-multiget"):
        hrefs = tuple((href.text or "").strip() for href in root.findall(_d("href")))
        if len(hrefs) > MOST_ADDRESSES:
            raise NotUnderstood("max-resource-size")
        return Named(hrefs, wanted(root))
    if root.tag == _d("sync-collection"):
        token = root.findtext(_d("sync-token"), "").strip()
        return Sync(token, _limit(root, _d("limit"), _d("nresults")), wanted(root))
    raise NotUnderstood("supported-report")


def wanted(root: etree._Element) -> Wanted:
    """Of a REPORT or a PROPFIND."""
    prop = root.find(_d("prop"))
    if prop is None:
        return Wanted()
    names = tuple(child.tag for child in prop if isinstance(child.tag, str))
    data = prop.find(_c("address-data"))
    if data is None:
        return Wanted(names)
    version = data.get("version", "3.0")
    if version not in VERSIONS or data.get("content-type", "text/vcard") != "text/vcard":
        raise NotUnderstood("supported-address-data")
    return Wanted(names, version, frozenset(one.get("name", "").upper() for one in data.findall(_c("prop"))))


def _limit(root: etree._Element, *path: str) -> int:
    text = root.findtext("/".join(path), "0").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotUnderstood
    return int(text)


def _filter(root: etree._Element) -> Filter:
    found = root.find(_c("filter"))
    if found is None:
        raise NotUnderstood
    if len(list(found.iter(_c("text-match"), _c("prop-filter")))) > MOST_CONDITIONS:
        raise NotUnderstood("supported-filter")
    parts = [_property(one) for one in found.findall(_c("prop-filter"))]
    return _joined(parts, found.get("test", "anyof")) if parts else And(())


def _property(one: etree._Element) -> Filter:
    name = one.get("name", "").rpartition(".")[2].upper()
    attributes = PROPERTIES.get(name, ())
    if one.find(_c("is-not-defined")) is not None:
        return Not(Or(tuple(map(Present, attributes)))) if attributes else And(())
    parts = [_text(match, attributes) for match in one.findall(_c("text-match"))]
    parts += [Undefined() for _ in one.findall(_c("param-filter"))]  # a card's parameters say nothing of a person
    return _joined(parts, one.get("test", "anyof")) if parts else Or(tuple(map(Present, attributes)))


def _text(match: etree._Element, attributes: Iterable[str]) -> Filter:
    if match.get("collation", "i;unicode-casemap") not in COLLATIONS:
        raise NotUnderstood("supported-collation")
    text, kind = match.text or "", match.get("match-type", "contains")
    if kind not in ("equals", "contains", "starts-with", "ends-with"):
        raise NotUnderstood
    found = Or(tuple(Equal(name, text) if kind == "equals" else Parts(name, (text,)) for name in attributes))
    return Not(found) if match.get("negate-condition") == "yes" else found


def _joined(parts: list[Filter], test: str) -> Filter:
    return And(tuple(parts)) if test == "allof" else Or(tuple(parts))


def _c(name: str) -> str:
    return f"{{{CARDDAV}}}{name}"


def _d(name: str) -> str:
    return f"{{{DAV}}}{name}"

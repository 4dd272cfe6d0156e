"""Multistatus answers (RFC 4918 13, RFC 6352): the home, the principal, the address book, cards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from urllib.parse import quote

from lxml import etree
from lxml.builder import ElementMaker

from care_desk.carddav.query import CARDDAV, COLLATIONS, DAV, Wanted
from care_desk.carddav.vcard import VERSIONS, etag, vcard
from mssante.directory import Entry

HOME, PRINCIPAL = "/carddav/", "/carddav/moi/"
WHOLE, MINE = "/carddav/annuaire/", "/carddav/correspondants/"
BOOKS = (WHOLE, MINE)
NAME, MINE_NAME = "Annuaire MSSanté", "Correspondants MSSanté"
CALENDARSERVER = "http://calendarserver.org/ns/"
D = ElementMaker(namespace=DAV, nsmap={"D": DAV, "C": CARDDAV})
C = ElementMaker(namespace=CARDDAV)
LARGEST_CARD = 16_384
Properties = Mapping[str, etree._Element]
READ = ("read", "read-current-user-privilege-set")


def multistatus(responses: Iterable[etree._Element]) -> bytes:
    return etree.tostring(D.multistatus(*responses), xml_declaration=True, encoding="utf-8")


def token(state: int) -> str:
    """Another one for each state of the book: a URI (RFC 6578 3.8)."""
    return f"data:,{state}"


def state_in(text: str) -> int:
    """0: no token of ours."""
    digits = text.removeprefix("data:,")
    return int(digits) if digits != text and digits.isascii() and digits.isdigit() and len(digits) < 19 else 0


def sync_token(state: int) -> etree._Element:
    return D("sync-token", token(state))


def resource(path: str, state: int = 0) -> Properties | None:
    """Properties of what stands at `path`; None: nothing, or a card. `state`: of MINE."""
    mine = (
        D("current-user-principal", D.href(PRINCIPAL)),
        D("current-user-privilege-set", *(D.privilege(D(name)) for name in READ)),
    )
    if path == HOME:
        return _named(D.resourcetype(D.collection()), D.displayname(NAME), *mine)
    if path == PRINCIPAL:
        return _named(
            D.resourcetype(D.collection(), D.principal()),
            D.displayname(NAME),
            D("principal-URL", D.href(PRINCIPAL)),
            C("addressbook-home-set", D.href(HOME)),
            C("directory-gateway", D.href(WHOLE)),  # found by questions only: draft-daboo-carddav-directory-gateway
            *mine,
        )
    if path == WHOLE:
        kind = D.resourcetype(D.collection(), C.addressbook(), C.directory())
        return _named(kind, *_book(NAME, "Professionnels de l’espace de confiance, par recherche", QUESTIONS), *mine)
    if path == MINE:
        kind = D.resourcetype(D.collection(), C.addressbook())
        description = "Ceux avec qui vous correspondez, et tout l’annuaire par recherche"
        changed = etree.Element(f"{{{CALENDARSERVER}}}getctag")
        changed.text = token(state)
        reports = (*QUESTIONS, D("sync-collection"))
        return _named(kind, *_book(MINE_NAME, description, reports), sync_token(state), changed, *mine)
    return None


QUESTIONS = (C("addressbook-query"), C("addressbook-multiget"))


def _book(name: str, description: str, reports: Iterable[etree._Element]) -> Iterable[etree._Element]:
    yield D.displayname(name)
    yield C("addressbook-description", description)
    types = (C("address-data-type", {"content-type": "text/vcard", "version": one}) for one in VERSIONS)
    yield C("supported-address-data", *types)
    yield C("supported-collation-set", *(C("supported-collation", one) for one in COLLATIONS))
    yield C("max-resource-size", str(LARGEST_CARD))
    yield D("supported-report-set", *(D("supported-report", D.report(deepcopy(one))) for one in reports))


def card(entry: Entry, wanted: Wanted) -> Properties:
    return _named(
        D.resourcetype(),
        D.getetag(etag(entry)),
        D.getcontenttype("text/vcard; charset=utf-8"),
        C("address-data", vcard(entry, wanted.version, wanted.only)),
    )


def href_of(address: str, book: str) -> str:
    return f"{book}{quote(address, safe='@')}.vcf"


def found(path: str, properties: Properties, wanted: Wanted) -> etree._Element:
    """A response: what was asked for and is here, and what is not (RFC 4918 9.1). Of all properties, not the card itself."""
    names = wanted.properties
    if names is None:
        names = tuple(name for name in properties if name != f"{{{CARDDAV}}}address-data")
    here = [properties[name] for name in names if name in properties]
    absent = [etree.Element(name) for name in names if name not in properties]
    stats = [_propstat(here, "200 OK")] if here or not absent else []
    stats += [_propstat(absent, "404 Not Found")] if absent else []
    return D.response(D.href(path), *stats)


def gone(path: str) -> etree._Element:
    return D.response(D.href(path), D.status("HTTP/1.1 404 Not Found"))


def truncated(book: str) -> etree._Element:
    """RFC 6352 8.6.2."""
    return D.response(
        D.href(book),
        D.status("HTTP/1.1 507 Insufficient Storage"),
        D.error(D("number-of-matches-within-limits")),
    )


def error(condition: str) -> bytes:
    maker = D if condition in _OF_DAV else C
    return etree.tostring(D.error(maker(condition)), xml_declaration=True, encoding="utf-8")


_OF_DAV = (
    "supported-report",
    "need-privileges",
    "propfind-finite-depth",
    "valid-sync-token",
    "number-of-matches-within-limits",
)


def _propstat(properties: Iterable[etree._Element], status: str) -> etree._Element:
    return D.propstat(D.prop(*properties), D.status(f"HTTP/1.1 {status}"))


def _named(*properties: etree._Element) -> Properties:
    return {str(one.tag): one for one in properties}

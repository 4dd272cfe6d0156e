"""Multistatus answers (RFC 4918 13, RFC 6352): the home, the principal, the address book, cards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from lxml import etree
from lxml.builder import ElementMaker

from care_desk.carddav.query import CARDDAV, COLLATIONS, DAV, Wanted
from care_desk.carddav.vcard import VERSIONS, etag, vcard
from mssante.directory import Entry

HOME, PRINCIPAL, BOOK = "/carddav/", "/carddav/moi/", "/carddav/annuaire/"
NAME = "Annuaire MSSanté"
D = ElementMaker(namespace=DAV, nsmap={"D": DAV, "C": CARDDAV})
C = ElementMaker(namespace=CARDDAV)
LARGEST_CARD = 16_384
Properties = Mapping[str, etree._Element]
READ = ("read", "read-current-user-privilege-set")


def multistatus(responses: Iterable[etree._Element]) -> bytes:
    return etree.tostring(D.multistatus(*responses), xml_declaration=True, encoding="utf-8")


def resource(path: str) -> Properties | None:
    """Properties of what stands at `path`; None: nothing, or a card."""
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
            C("directory-gateway", D.href(BOOK)),  # found by questions only: draft-daboo-carddav-directory-gateway
            *mine,
        )
    if path == BOOK:
        reports = ("addressbook-query", "addressbook-multiget")
        return _named(
            D.resourcetype(D.collection(), C.addressbook(), C.directory()),
            D.displayname(NAME),
            C("addressbook-description", "Professionnels de l’espace de confiance, par recherche"),
            C(
                "supported-address-data",
                *(C("address-data-type", {"content-type": "text/vcard", "version": one}) for one in VERSIONS),
            ),
            C("supported-collation-set", *(C("supported-collation", one) for one in COLLATIONS)),
            C("max-resource-size", str(LARGEST_CARD)),
            D("supported-report-set", *(D("supported-report", D.report(C(one))) for one in reports)),
            *mine,
        )
    return None


def card(entry: Entry, wanted: Wanted) -> Properties:
    return _named(
        D.resourcetype(),
        D.getetag(etag(entry)),
        D.getcontenttype("text/vcard; charset=utf-8"),
        C("address-data", vcard(entry, wanted.version, wanted.only)),
    )


def href_of(entry: Entry) -> str:
    return f"{BOOK}{quote(entry.address, safe='@')}.vcf"


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


def truncated() -> etree._Element:
    """RFC 6352 8.6.2."""
    return D.response(
        D.href(BOOK),
        D.status("HTTP/1.1 507 Insufficient Storage"),
        D.error(D("number-of-matches-within-limits")),
    )


def error(condition: str) -> bytes:
    maker = D if condition in ("supported-report", "need-privileges") else C
    return etree.tostring(D.error(maker(condition)), xml_declaration=True, encoding="utf-8")


def _propstat(properties: Iterable[etree._Element], status: str) -> etree._Element:
    return D.propstat(D.prop(*properties), D.status(f"HTTP/1.1 {status}"))


def _named(*properties: etree._Element) -> Properties:
    return {str(one.tag): one for one in properties}

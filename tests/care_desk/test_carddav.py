"""The directory as an address book, over a real socket: what Apple's Contacts and others ask, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from starlette.applications import Starlette

from care_desk.carddav.app import Deps, routes
from care_desk.carddav.query import NotUnderstood, report
from care_desk.carddav.vcard import vcard
from foundation.clock import DAY
from foundation.database import Database, metadata
from foundation.keys import KeyRing
from mailserver.sign_in import SignedIn
from mssante import directory
from mssante.directory import Entry
from mssante.kinds import BoxKind
from mssante.mailbox import NewMailbox
from mssante.mailboxes import Mailboxes
from tests.support.people import People
from tests.support.web import serving

NS = {"D": "DAV:", "C": "urn:ietf:params:xml:ns:carddav"}
BOOK, MINE = "/carddav/annuaire/", "/carddav/correspondants/"
ROCHE = Entry(
    "camille.roche@medecins.example", BoxKind.PER, "Dr Camille ROCHE", "Médecin", "Villefleur", "99100", given_name="Camille",
    family_name="ROCHE", title="Dr", speciality="Cardiologie", skills="cardiologie; Rythmologie",
    organisation="Cabinet, des Tilleuls", phone="01 99 00 10 10",
)  # fmt: skip
MARCHE = Entry("officine@pharmacie.example", BoxKind.ORG, "Pharmacie du Marché", "", "Villefleur", "99100", "SA33")
OWN = Entry("dr@a.example", BoxKind.PER, "Dr A", town="Montclair", postcode="98000")
NEAR = Entry("anne@loin.example", BoxKind.PER, "Anne Zola", town="Zonville", postcode="98200")
MANY = [Entry(f"anne{n}@a.example", BoxKind.PER, f"Anne Petit{n}") for n in range(105)]
PEOPLE = People({
    "dr": ("pw", SignedIn(1, "dr@a.example", member=1)),
    "other": ("pw2", SignedIn(2, "other@a.example", member=2)),
    "helper": ("pw3", SignedIn(1, "dr@a.example", member=3)),  # reads less of it
})  # fmt: skip
LETTERS: dict[int, list[str]] = {}  # member -> whom the mailbox corresponds with, as far as they may read


NOW = [0]


async def correspondents(who: SignedIn) -> list[str]:
    return LETTERS[who.member]


@pytest_asyncio.fixture(loop_scope="session")
async def origin(tmp_path: Path) -> AsyncIterator[str]:
    db = Database(f"sqlite:///{tmp_path}/book.db")
    metadata.create_all(db.engine)
    keys = KeyRing(b"k" * 32)
    mailboxes = Mailboxes(keys)
    for address in ("dr@a.example", "other@a.example"):
        await db.write(mailboxes.create, NewMailbox(address, BoxKind.PER), 1)
    for entry in (ROCHE, MARCHE, OWN, NEAR, *MANY):
        await db.write(directory.add, keys, entry)
    LETTERS.update({1: ["nobody@a.example", ROCHE.address, "officine@pharmacie.example"], 2: [MANY[0].address], 3: []})
    NOW[0] = 2_000_000_000_000
    deps = Deps(db, mailboxes, PEOPLE, correspondents, https=True, clock=lambda: NOW[0])
    async with serving(Starlette(routes=routes(deps))) as found:
        yield found
    await db.close()


class Answer:
    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def all(self, path: str) -> list[str]:
        return [str(one) for one in etree.fromstring(self.body).xpath(path, namespaces=NS)]


async def ask(origin: str, method: str, path: str, body: str = "", user: str = "dr:pw", **headers: str) -> Answer:
    def work() -> Answer:
        connection = http.client.HTTPConnection(urlsplit(origin).netloc, timeout=20)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if user:
            sent["authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
        connection.request(method, path, body.encode() or None, sent)
        answer = connection.getresponse()
        found = Answer(answer.status, answer.headers, answer.read())
        connection.close()
        return found

    return await asyncio.to_thread(work)


def query(conditions: str, test: str = "anyof", data: str = "", more: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><C:addressbook-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">'
        f"<D:prop><D:getetag/><C:address-data{data}</D:prop>"
        f'<C:filter test="{test}">{conditions}</C:filter>{more}</C:addressbook-query>'
    ).replace("<C:address-data<", "<C:address-data/><")


def match(name: str, text: str, kind: str = "contains", more: str = "") -> str:
    found = f'<C:text-match collation="i;unicode-casemap" match-type="{kind}"{more}>{text}</C:text-match>'
    return f'<C:prop-filter name="{name}">{found}</C:prop-filter>'


# -------------------------------------------------------------------- how a client finds the book
async def test_from_a_domain_to_the_book(origin: str) -> None:
    PEOPLE.arrivals.clear()
    first = await ask(origin, "PROPFIND", "/.well-known/carddav")
    assert (first.status, first.headers["location"]) == (301, "/carddav/")
    principal = '<D:propfind xmlns:D="DAV:"><D:prop><D:current-user-principal/></D:prop></D:propfind>'
    home = await ask(origin, "PROPFIND", "/carddav/", principal, depth="0")
    assert (home.status, home.all("//D:current-user-principal/D:href/text()")) == (207, ["/carddav/moi/"])
    body = (
        '<D:propfind xmlns:D="DAV:"><D:prop><C:addressbook-home-set xmlns:C="urn:ietf:params:xml:ns:carddav"/>'
        '<C:directory-gateway xmlns:C="urn:ietf:params:xml:ns:carddav"/><D:nothing/></D:prop></D:propfind>'
    )
    mine = await ask(origin, "PROPFIND", "/carddav/moi/", body, depth="0")
    assert mine.all("//C:addressbook-home-set/D:href/text()") == ["/carddav/"]
    assert mine.all("//C:directory-gateway/D:href/text()") == [BOOK]
    assert mine.all(
        "//D:propstat[D:status='HTTP/1.1 404 Not Found']/D:prop/*/text()|//D:nothing/../../D:status/text()"
    ) == ["HTTP/1.1 404 Not Found"]
    books = await ask(origin, "PROPFIND", "/carddav/", depth="1")
    assert books.all("//D:response[D:propstat/D:prop/D:resourcetype/C:addressbook]/D:href/text()") == [MINE]
    assert {name for _, _, name in PEOPLE.arrivals} == {""}
    await ask(origin, "PROPFIND", BOOK, depth="0", user_agent="DAVx5/4.5 (dav4jvm)")
    assert PEOPLE.arrivals[-1][2] == "DAVx5"
    listed = await ask(origin, "PROPFIND", BOOK, depth="1")
    assert listed.all("//D:response/D:href/text()") == [BOOK]  # the whole country is not listed
    options = await ask(origin, "OPTIONS", BOOK, user="")
    assert options.headers["dav"] == "1, 3, addressbook"


@pytest.mark.parametrize(
    ("conditions", "test", "found"),
    [
        (match("FN", "roche"), "anyof", [ROCHE]),
        (match("FN", "rohce"), "anyof", [ROCHE]),  # a typing error
        (match("EMAIL", "camille.ro", "starts-with") + match("FN", "marche"), "anyof", [ROCHE, MARCHE]),
        (match("FN", "marché") + match("ADR", "villefleur"), "allof", [MARCHE]),
        (match("N", "camille") + match("ADR", "montclair"), "allof", []),
        (match("ADR", "villefleur") + match("FN", "pharmacie", more=' negate-condition="yes"'), "allof", [ROCHE]),
        (match("ADR", "99100") + '<C:prop-filter name="TEL"><C:is-not-defined/></C:prop-filter>', "allof", [MARCHE]),
        (match("EMAIL", "officine@pharmacie.example", "equals"), "anyof", [MARCHE]),
        (match("ROLE", "rythmologue") + match("ADR", "villefleur"), "allof", [ROCHE]),
        (match("X-UNKNOWN", "roche"), "anyof", []),
        (match("item1.FN", "roche"), "anyof", [ROCHE]),
    ],
)
async def test_query(origin: str, conditions: str, test: str, found: list[Entry]) -> None:
    answer = await ask(origin, "REPORT", BOOK, query(conditions, test), depth="1")
    assert answer.status == 207
    assert sorted(answer.all("//D:href/text()")) == sorted(f"{BOOK}{entry.address}.vcf" for entry in found)


# -------------------------------------------------------------------- the book of one's own correspondents
PROPERTIES = (
    '<D:propfind xmlns:D="DAV:" xmlns:S="http://calendarserver.org/ns/"><D:prop><D:getetag/><S:getctag/><D:sync-token/>'
    "<D:resourcetype/></D:prop></D:propfind>"
)


def sync(token: str, more: str = "") -> str:
    return (
        f'<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>{more}'
        "<D:prop><D:getetag/></D:prop></D:sync-collection>"
    )


async def test_correspondents_are_members_as_far_as_the_directory_knows_them(origin: str) -> None:
    listed = await ask(origin, "PROPFIND", MINE, PROPERTIES, depth="1")
    cards = [f"{MINE}{ROCHE.address}.vcf", f"{MINE}{MARCHE.address}.vcf"]
    assert listed.all("//D:response/D:href/text()") == [MINE, *cards]
    etags = listed.all("//D:getetag/text()")
    assert etags == [(await ask(origin, "GET", card)).headers["etag"] for card in cards]
    assert (await ask(origin, "PROPFIND", MINE, depth="0")).all("//D:response/D:href/text()") == [MINE]
    other = await ask(origin, "PROPFIND", MINE, PROPERTIES, user="other:pw2", depth="1")
    assert other.all("//D:response/D:href/text()") == [MINE, f"{MINE}{MANY[0].address}.vcf"]


async def test_a_question_to_it_reaches_the_whole_directory(origin: str) -> None:
    answer = await ask(origin, "REPORT", MINE, query(match("FN", "petit104")), depth="1")
    assert answer.all("//D:href/text()") == [f"{MINE}anne104@a.example.vcf"]


class Reader:
    """A client that copies the book: what it holds after each report, by token."""

    def __init__(self, origin: str, user: str = "dr:pw") -> None:
        self._origin, self._user, self.token, self.held = origin, user, "", dict[str, str]()

    async def comes(self) -> tuple[list[str], list[str]]:
        """(hrefs of cards that came or changed, of those that went)."""
        said = await ask(self._origin, "REPORT", MINE, sync(self.token), self._user)
        assert said.status == 207, said.body
        came = said.all("//D:response[D:propstat]/D:href/text()")
        went = said.all("//D:response[D:status='HTTP/1.1 404 Not Found']/D:href/text()")
        self.held |= dict(zip(came, said.all("//D:getetag/text()"), strict=True))
        for href in went:
            self.held.pop(href, None)
        [self.token] = said.all("/D:multistatus/D:sync-token/text()")
        return came, went


def card(entry: Entry) -> str:
    return f"{MINE}{entry.address}.vcf"


async def test_its_tokens_change_with_its_members(origin: str) -> None:
    """RFC 6578 3.2: nothing new; what came, changed and went; a token that is none of ours."""

    async def tokens() -> tuple[list[str], list[str]]:
        found = await ask(origin, "PROPFIND", MINE, PROPERTIES, depth="0")
        return found.all("//*[local-name()='getctag']/text()"), found.all("//D:sync-token/text()")

    reader = Reader(origin)
    assert await reader.comes() == ([card(ROCHE), card(MARCHE)], [])
    assert await tokens() == ([reader.token], [reader.token])
    before = reader.token
    assert (await reader.comes(), reader.token) == (([], []), before)
    NOW[0] += 80 * DAY
    LETTERS[1] = [MANY[3].address, MARCHE.address]
    assert await reader.comes() == ([card(MANY[3])], [card(ROCHE)])
    assert reader.token != before
    assert await tokens() == ([reader.token], [reader.token])
    LETTERS[1] = [ROCHE.address, MARCHE.address]
    assert await reader.comes() == ([card(ROCHE)], [card(MANY[3])])
    late = Reader(origin)
    late.token, late.held = before, dict.fromkeys((card(ROCHE), card(MARCHE)), "old")
    assert await late.comes() == ([card(ROCHE)], [card(MANY[3])])  # a card that it never had: passed over
    few = await ask(origin, "REPORT", MINE, sync("", "<D:limit><D:nresults>1</D:nresults></D:limit>"))
    assert (few.status, b"number-of-matches-within-limits" in few.body) == (403, True)


async def test_a_token_of_ninety_days_gets_the_difference_an_older_one_none(origin: str) -> None:
    reader, weekly = Reader(origin), Reader(origin)
    await reader.comes()
    await weekly.comes()
    for people in ([ROCHE], [ROCHE, MANY[1]], [ROCHE, MANY[2]], [MANY[4]]):
        NOW[0] += 44 * DAY
        LETTERS[1] = [one.address for one in people]
        await weekly.comes()
    assert list(weekly.held) == [card(MANY[4])]
    stale = await ask(origin, "REPORT", MINE, sync(reader.token))
    assert (stale.status, b"valid-sync-token" in stale.body) == (400, True)  # Thunderbird asks anew after a 400 only
    NOW[0] += 400 * DAY
    assert await weekly.comes() == ([], [])  # nothing changed since: whatever its age


@pytest.mark.parametrize(
    "token", ["data:,1", "data:,99999999999999", "data:,x", "data:,", "http://a.example/1", "data:,²"]
)
async def test_a_token_that_is_none_of_ours(origin: str, token: str) -> None:
    await Reader(origin).comes()
    answer = await ask(origin, "REPORT", MINE, sync(token))
    assert (answer.status, b"valid-sync-token" in answer.body) == (400, True)


async def test_what_went_is_told_to_those_who_had_it(origin: str) -> None:
    """Nobody else's book says with whom the mailbox wrote: of the same mailbox neither."""
    readers = [Reader(origin, user) for user in ("dr:pw", "other:pw2", "helper:pw3")]
    for reader in readers:
        await reader.comes()
    LETTERS[1] = []
    assert [(await reader.comes())[1] for reader in readers] == [[card(ROCHE), card(MARCHE)], [], []]
    strange = await ask(origin, "REPORT", MINE, sync(readers[0].token), "other:pw2")
    assert (strange.status, b"roche" in strange.body) == (400, False)


async def test_a_card_is_the_same_by_query_multiget_and_get(origin: str) -> None:
    href = f"{BOOK}{ROCHE.address}.vcf"
    [by_query] = (await ask(origin, "REPORT", BOOK, query(match("FN", "roche")))).all("//C:address-data/text()")
    multiget = (
        '<C:addressbook-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><D:getetag/><C:address-data/>'
        f"</D:prop><D:href>{href}</D:href><D:href>{BOOK}nobody@a.example.vcf</D:href><D:href>/etc/passwd</D:href></C:addressbook-multiget>"
    )
    many = await ask(origin, "REPORT", BOOK, multiget)
    assert many.all("//C:address-data/text()") == [by_query]
    assert many.all("//D:response/D:status/text()") == ["HTTP/1.1 404 Not Found"] * 2
    card = await ask(origin, "GET", href)
    assert card.body.decode().replace("\r\n", "\n") == by_query.replace("\r\n", "\n")
    assert many.all("//D:getetag/text()") == [card.headers["etag"]]
    assert (await ask(origin, "GET", href, if_none_match=card.headers["etag"])).status == 304
    assert "VERSION:4.0" in (await ask(origin, "GET", href, accept="text/vcard; version=4.0")).body.decode()
    assert (await ask(origin, "GET", f"{BOOK}nobody@a.example.vcf")).status == 404


def test_what_a_card_says() -> None:
    lines = vcard(ROCHE).replace("\r\n ", "").split("\r\n")
    for line in (
        "FN:Dr Camille ROCHE", "N:ROCHE;Camille;;Dr;", "EMAIL;TYPE=INTERNET,WORK:camille.roche@medecins.example",
        "ORG:Cabinet\\, des Tilleuls", "ROLE:Cardiologie\\, Rythmologie", "TEL;TYPE=WORK,VOICE:01 99 00 10 10",
        "ADR;TYPE=WORK:;;;Villefleur;;99100;",
    ):  # fmt: skip
        assert line in lines
    assert "KIND:org" in vcard(MARCHE, "4.0")


@given(st.text(), st.text())
def test_any_text_stays_in_its_line(name: str, town: str) -> None:
    entry = Entry("a@b.example", BoxKind.PER, name, town=town)
    lines = vcard(entry).encode("utf-8", "replace").split(b"\r\n")
    assert all(len(line) <= 75 for line in lines)
    assert [line for line in lines if line.startswith((b"END", b"BEGIN"))] == [b"BEGIN:VCARD", b"END:VCARD"]


async def test_only_what_is_asked_of_a_card(origin: str) -> None:
    data = '><C:prop name="FN"/><C:prop name="EMAIL"/></C:address-data>'
    [card] = (await ask(origin, "REPORT", BOOK, query(match("FN", "roche"), data=data))).all("//C:address-data/text()")
    assert "EMAIL" in card
    assert "TEL" not in card


async def test_answers_are_bounded(origin: str) -> None:
    answer = await ask(origin, "REPORT", BOOK, query(match("FN", "anne")))
    assert len(answer.all("//C:address-data/text()")) == 100
    assert answer.all("//D:response/D:status/text()") == ["HTTP/1.1 507 Insufficient Storage"]
    few = query(match("FN", "anne"), more="<C:limit><C:nresults>7</C:nresults></C:limit>")
    assert len((await ask(origin, "REPORT", BOOK, few)).all("//C:address-data/text()")) == 7


async def test_of_many_namesakes_those_near_to_who_asks(origin: str) -> None:
    few = query(match("FN", "anne"), more="<C:limit><C:nresults>3</C:nresults></C:limit>")
    for user, first in (("dr:pw", f"{BOOK}{NEAR.address}.vcf"), ("other:pw2", f"{BOOK}anne0@a.example.vcf")):
        assert (await ask(origin, "REPORT", BOOK, few, user)).all("//D:response/D:href/text()")[0] == first


@pytest.mark.parametrize("user", ["", "dr:no", "other:pw", "nobody:pw", "dr", ":"])
async def test_strangers_see_nothing(origin: str, user: str) -> None:
    for method, path in (("PROPFIND", "/carddav/"), ("GET", f"{BOOK}{ROCHE.address}.vcf"), ("REPORT", BOOK)):
        answer = await ask(origin, method, path, query(match("FN", "roche")), user=user)
        assert (answer.status, answer.headers["www-authenticate"][:5], answer.body) == (401, "Basic", b"")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "condition"),
    [
        ("PUT", f"{BOOK}x@a.example.vcf", "BEGIN:VCARD", 403, "need-privileges"),
        ("DELETE", f"{BOOK}{ROCHE.address}.vcf", "", 403, "need-privileges"),
        ("PROPPATCH", BOOK, "<x/>", 403, "need-privileges"),
        ("MKCOL", "/carddav/mine/", "", 403, "need-privileges"),
        ("REPORT", BOOK, "", 400, ""),
        ("REPORT", BOOK, "not XML", 400, ""),
        ("REPORT", BOOK, '<!DOCTYPE x [<!ENTITY e "e">]><x>&e;</x>', 400, ""),
        ("REPORT", BOOK, "<x>" + "y" * 70_000 + "</x>", 400, ""),
        ("REPORT", BOOK, '<D:sync-collection xmlns:D="DAV:"/>', 403, "supported-report"),
        ("REPORT", "/carddav/", query(match("FN", "roche")), 403, "supported-report"),
        ("REPORT", BOOK, query(match("FN", "x") * 60), 403, "supported-filter"),
        ("REPORT", BOOK, query(match("FN", "x")).replace("i;unicode-casemap", "i;octet"), 403, "supported-collation"),
        ("REPORT", BOOK, query(match("FN", "x"), data=' version="2.1"/>'), 403, "supported-address-data"),
        ("REPORT", BOOK, query(match("FN", "x", "like")), 400, ""),
        ("PROPFIND", BOOK, "", 403, "propfind-finite-depth"),
        ("PROPFIND", "/carddav/elsewhere", "", 403, "propfind-finite-depth"),
    ],
)
async def test_what_cannot_be_done(origin: str, method: str, path: str, body: str, status: int, condition: str) -> None:
    answer = await ask(origin, method, path, body)
    assert (answer.status, condition.encode() in answer.body) == (status, True)


@given(st.recursive(st.sampled_from(["C:filter", "C:prop-filter", "C:text-match", "D:prop", "C:limit", "D:href"]),
                    lambda inner: st.tuples(inner, inner), max_leaves=8))  # fmt: skip
def test_any_shape_of_a_report_is_a_question_or_not_understood(shape: Any) -> None:
    def xml(one: Any) -> str:
        if isinstance(one, tuple):
            return f"<C:filter>{xml(one[0])}</C:filter>{xml(one[1])}"
        return f"<{one} name='FN'>x</{one}>"

    for name in ("addressbook-query", "addressbook-multiget"):
        root = etree.fromstring(
            f'<C:{name} xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">{xml(shape)}</C:{name}>'.encode()
        )
        with contextlib.suppress(NotUnderstood):
            assert report(root)

"""The address book's methods over HTTP: signed in to as to the mailbox (Basic, inside TLS), read-only, answers bounded.

Two books. The whole directory is not listed: it holds the country; clients that search on the server find people there, and it is
named to them as a gateway. The other one lists those with whom the mailbox corresponds, as far as they are in the directory, for
clients that copy whole address books; a question to it reaches the whole directory too. What of it was told last is kept for
months (`mssante.books`), so that a client that comes back is told the difference.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from lxml import etree
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from care_desk.carddav import answers
from care_desk.carddav.answers import BOOKS, HOME, MINE, PRINCIPAL
from care_desk.carddav.query import Named, NotUnderstood, Sync, Wanted, report, wanted
from care_desk.carddav.vcard import etag, vcard
from foundation.clock import Clock, system_clock
from foundation.database import Database
from mailserver.sign_in import Refused, SignedIn, SignIn
from mssante import books, directory
from mssante.address import Address, parse_address
from mssante.books import Book
from mssante.directory import Entry
from mssante.directory_filters import matching
from mssante.mailboxes import Mailboxes
from mssante.signed_xml import XmlRefused, parse

MOST = 100  # cards of one answer to a question
MEMBERS = 200  # of the book that is listed
LONGEST = 65_536  # octets of a question
METHODS = ("OPTIONS", "GET", "HEAD", "PROPFIND", "REPORT")
CHANGES = ("PUT", "DELETE", "POST", "PATCH", "PROPPATCH", "MKCOL", "MOVE", "COPY", "LOCK", "UNLOCK", "ACL")
XML = "application/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Deps:
    """`correspondents`: addresses, the latest first; `https`: the client's side is encrypted."""

    db: Database
    mailboxes: Mailboxes
    sign_in: SignIn
    correspondents: Callable[[SignedIn], Awaitable[Sequence[str]]]
    https: bool
    clock: Clock = system_clock


@dataclass(frozen=True, slots=True)
class Mine:
    """The book that is listed: who is in it, and how it was told before."""

    members: Sequence[Entry]
    book: Book


def routes(deps: Deps) -> list[Route]:
    async def book(request: Request) -> Response:
        return await _answer(request, deps)

    async def found_here(_request: Request) -> Response:
        return RedirectResponse(HOME, 301)  # RFC 6764 5

    every = [*METHODS, *CHANGES]
    return [
        Route("/.well-known/carddav", found_here, methods=every),
        Route(HOME, book, methods=every),
        Route(HOME + "{rest:path}", book, methods=every),
    ]


async def _answer(request: Request, deps: Deps) -> Response:
    if not deps.https and not _is_loopback(request):
        return Response("TLS only\n", 403)
    if request.method == "OPTIONS":
        return Response(headers={"dav": "1, 3, addressbook", "allow": ", ".join(METHODS)})
    who = await _signed_in(request, deps)
    if who is None:
        return Response(status_code=401, headers={"www-authenticate": 'Basic realm="MSSante", charset="UTF-8"'})
    if request.method in CHANGES:
        return Response(answers.error("need-privileges"), 403, media_type=XML)
    if request.method in ("GET", "HEAD"):
        return await _card(request, deps)
    try:
        body = await _body(request)
        return await (_propfind if request.method == "PROPFIND" else _report)(request, deps, who, body)
    except NotUnderstood as fault:
        content = answers.error(fault.condition) if fault.condition else b""
        forbidden = fault.condition not in ("", "valid-sync-token")  # Thunderbird asks anew after a 400 only
        return Response(content, 403 if forbidden else 400, media_type=XML)


# -------------------------------------------------------------------- methods
async def _card(request: Request, deps: Deps) -> Response:
    entry = await deps.db.read(_at, request.url.path)
    if entry is None:
        return Response(status_code=404)
    version = "4.0" if "version=4.0" in request.headers.get("accept", "").replace(" ", "").replace('"', "") else "3.0"
    headers = {"etag": etag(entry), "vary": "accept"}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(vcard(entry, version), headers=headers, media_type="text/vcard; charset=utf-8")


async def _propfind(request: Request, deps: Deps, who: SignedIn, root: etree._Element | None) -> Response:
    path, asked = request.url.path, Wanted() if root is None else wanted(root)
    depth = request.headers.get("depth", "infinity")
    if depth not in ("0", "1"):
        return Response(answers.error("propfind-finite-depth"), 403, media_type=XML)
    listed = depth == "1"
    mine = await _mine(deps, who) if path == MINE or (path == HOME and listed) else Mine((), Book())
    own = answers.resource(path, mine.book.changed)
    if own is None:
        entry = await deps.db.read(_at, path)
        if entry is None:
            return Response(status_code=404)
        own = answers.card(entry, asked)
    responses = [answers.found(path, own, asked)]
    if listed and path == HOME:
        responses += [
            answers.found(one, answers.resource(one, mine.book.changed) or {}, asked) for one in (PRINCIPAL, MINE)
        ]
    if listed and path == MINE:
        responses += [_found(entry, asked, MINE) for entry in mine.members]
    return _multistatus(responses)


async def _report(request: Request, deps: Deps, who: SignedIn, root: etree._Element | None) -> Response:
    if root is None:
        raise NotUnderstood
    asked, book = report(root), request.url.path
    if book not in BOOKS or (isinstance(asked, Sync) and book != MINE):
        raise NotUnderstood("supported-report")
    if isinstance(asked, Named):
        return _multistatus(await deps.db.read(_named, asked))
    if isinstance(asked, Sync):
        return _multistatus(_changes(await _mine(deps, who), asked))
    limit = min(asked.limit or MOST, MOST)
    entries = await deps.db.read(matching, asked.filter, limit + 1, who.address)
    responses = [_found(entry, asked.wanted, book) for entry in entries[:limit]]
    return _multistatus([*responses, answers.truncated(book)] if len(entries) > limit else responses)


def _changes(mine: Mine, asked: Sync) -> list[etree._Element]:
    """Since the token, or all. One so old that not all that went is known any more is none: the client asks anew (RFC 6578 3.2)."""
    state = answers.state_in(asked.token)
    if asked.token and not mine.book.knows(state):
        raise NotUnderstood("valid-sync-token")
    here, went = mine.book.since(state)
    if asked.limit and len(here) + len(went) > asked.limit:
        raise NotUnderstood("number-of-matches-within-limits")
    changed = [_found(entry, asked.wanted, MINE) for entry in mine.members if entry.address in here]
    gone = [answers.gone(answers.href_of(address, MINE)) for address in sorted(went)]
    return [*changed, *gone, answers.sync_token(mine.book.changed)]


def _multistatus(responses: list[etree._Element]) -> Response:
    return Response(answers.multistatus(responses), 207, media_type=XML)


# -------------------------------------------------------------------- parts
async def _mine(deps: Deps, who: SignedIn) -> Mine:
    """Those with whom the mailbox corresponds and who are in the directory."""
    addresses = await deps.correspondents(who)
    members = (await deps.db.read(directory.some, addresses))[:MEMBERS] if addresses else []
    marks, theirs = {entry.address: etag(entry) for entry in members}, (deps.mailboxes, who.box_id, who.member)
    book = await deps.db.read(books.kept, *theirs)
    if not book.changed or not book.says(marks):
        book = await deps.db.write(books.bring_up, *theirs, marks, deps.clock())
    return Mine(members, book)


def _named(conn: Connection, asked: Named) -> list[etree._Element]:
    entries = ((href, _at(conn, unquote(urlsplit(href).path))) for href in asked.hrefs)
    return [
        answers.gone(href) if entry is None else answers.found(href, answers.card(entry, asked.wanted), asked.wanted)
        for href, entry in entries
    ]


def _found(entry: Entry, asked: Wanted, book: str) -> etree._Element:
    return answers.found(answers.href_of(entry.address, book), answers.card(entry, asked), asked)


def _at(conn: Connection, path: str) -> Entry | None:
    """The entry whose card stands at `path` (decoded), in either book."""
    book = next((one for one in BOOKS if path.startswith(one)), None)
    if book is None or not path.endswith(".vcf"):
        return None
    address = parse_address(path.removeprefix(book).removesuffix(".vcf"))
    return directory.get(conn, address) if isinstance(address, Address) else None


async def _signed_in(request: Request, deps: Deps) -> SignedIn | None:
    """RFC 7617; a wrong password waits."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        login, _, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    client_ip = request.client.host if request.client else ""
    answer = await deps.sign_in.by_password(login, password, client_ip)
    if isinstance(answer, Refused):
        await asyncio.sleep(answer.wait_ms / 1000)
        return None
    deps.sign_in.came(answer, client_ip, request.headers.get("user-agent", "").partition("/")[0])
    return answer


async def _body(request: Request) -> etree._Element | None:
    """None: empty. Raises `NotUnderstood`."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST:
            raise NotUnderstood
    try:
        return parse(body) if body else None
    except XmlRefused:
        raise NotUnderstood from None


def _is_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False

"""One LDAP connection: signing in, then searching; no transport. Requests are answered one after the other.

Before sign-in only the root entry is shown. Answers are bounded: `MOST` entries, then « size limit exceeded » with what was found.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from foundation.database import Database, is_away
from mailserver.ldap import ber, entries, messages
from mailserver.ldap.ber import Malformed
from mailserver.ldap.messages import Bind, Code, Extended, Request, Scope, SearchRequest, Unbind
from mailserver.sasl import Desk, Exchange
from mailserver.scram import Fault
from mailserver.sign_in import Refused, SignedIn, SignIn
from mssante import directory
from mssante.address import Address, parse_address
from mssante.directory import Entry
from mssante.directory_filters import attributes_of, holds, matching, true_of

log = structlog.get_logger()

MOST = 100  # entries of one answer
LONGEST = 65_536  # octets of a request
LONGEST_STRANGER = 16_384  # before sign-in: a token fits
EXTENSIONS = (messages.WHO_AM_I,)


@dataclass
class Inbox:
    """What came in; `on_hungry` is called when the session waits for the client."""

    on_hungry: Callable[[], None] = lambda: None
    octets: bytearray = field(default_factory=bytearray)
    waiter: asyncio.Future[None] | None = None

    def receive(self, data: bytes) -> None:
        self.octets += data
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def more(self) -> None:
        self.on_hungry()
        self.waiter = asyncio.get_running_loop().create_future()
        await self.waiter


@dataclass
class Context:
    """What the transport tells: always TLS; `bind` is the channel's, for SCRAM-SHA-256-PLUS."""

    inbox: Inbox = field(default_factory=Inbox)
    tls: bool = True
    bind: Any = None
    certificate: Any = None  # of a program: the directory asks for none


class LdapSession:
    def __init__(
        self,
        db: Database,
        sign_in: SignIn,
        client_ip: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.context = Context()
        self.receive = self.context.inbox.receive
        self.at_rest = True
        self._db, self._sign_in, self._client_ip, self._sleep = db, sign_in, client_ip, sleep
        self._who: SignedIn | None = None
        self._doubtful = False  # something of who is signed in changed
        self._unwatch: Callable[[], None] = lambda: None
        self._exchange: tuple[str, Exchange] | None = None  # a sign-in of several steps

    @property
    def signed_in(self) -> bool:
        return self._who is not None

    @property
    def backlog(self) -> int:
        return len(self.context.inbox.octets)

    def farewell(self, text: str) -> bytes:
        """RFC 4511 4.4.1."""
        return messages.extended(0, Code.UNWILLING_TO_PERFORM, text, messages.NOTICE_OF_DISCONNECTION)

    def tls_started(self) -> None:
        """Never: TLS is there from the first octet."""

    async def run(self) -> AsyncGenerator[bytes]:
        """Everything to be sent, until the session ends."""
        try:
            while True:
                request = messages.read(await self._message())
                if isinstance(request.operation, Unbind):
                    return
                self.at_rest = False
                for piece in await self._answered_at_all(request):
                    yield piece
                self.at_rest = True
        except Malformed as fault:
            text = f"malformed request: {fault}"
            yield messages.extended(0, Code.PROTOCOL_ERROR, text, messages.NOTICE_OF_DISCONNECTION)
        finally:
            self._unwatch()

    async def _message(self) -> bytes:
        octets = self.context.inbox.octets
        while True:
            if octets and octets[0] != ber.SEQUENCE:
                raise Malformed("message")
            whole = ber.size(octets)
            if whole is not None and whole > (LONGEST if self._who else LONGEST_STRANGER):
                raise Malformed("too long")
            if whole is not None and len(octets) >= whole:
                taken = bytes(octets[:whole])
                del octets[:whole]
                return taken
            await self.context.inbox.more()

    async def _answered_at_all(self, request: Request) -> Sequence[bytes]:
        """While the database is away, the client is told so, and stays."""
        try:
            return await self._answered(request)
        except Exception as error:
            if not is_away(error):
                raise
            log.error("ldap_unavailable", error=type(error).__name__)
            tag, text = messages.answer_tag(request.operation), "the directory cannot be reached for the moment"
            return (messages.result(request.number, tag, Code.UNAVAILABLE, text),)

    async def _answered(self, request: Request) -> Sequence[bytes]:
        number, operation = request.number, request.operation
        if isinstance(operation, messages.Abandon):
            return ()  # what it names is answered already
        tag = messages.answer_tag(operation)
        if request.critical:
            text = f"no control {request.critical} here"
            return (messages.result(number, tag, Code.UNAVAILABLE_CRITICAL_EXTENSION, text),)
        if isinstance(operation, Bind):
            return (await self._bind(number, operation),)
        if self._doubtful and self._who is not None:
            self._doubtful = False
            self._who = await self._sign_in.standing(self._who)  # who may be here no longer is a stranger from here on
        if isinstance(operation, SearchRequest):
            return [piece async for piece in self._search(number, operation)]
        if isinstance(operation, Extended):
            return (self._extended(number, operation),)
        return (messages.result(number, tag, Code.UNWILLING_TO_PERFORM, "this directory is read-only"),)

    def _extended(self, number: int, operation: Extended) -> bytes:
        if operation.name == messages.START_TLS:  # RFC 4511 4.14.1: the session goes on
            return messages.extended(number, Code.OPERATIONS_ERROR, "TLS is there already", messages.START_TLS)
        if operation.name != messages.WHO_AM_I:
            return messages.extended(number, Code.PROTOCOL_ERROR, "unknown extended operation")
        return messages.extended(number, Code.SUCCESS, value="" if self._who is None else f"u:{self._who.address}")

    # ---------------------------------------------------------------- signing in
    async def _bind(self, number: int, asked: Bind) -> bytes:
        """A new bind forgets the one before, whatever becomes of it (RFC 4511 4.2.1)."""
        self._unwatch()
        self._who, self._doubtful = None, False
        if asked.version != 3:
            return messages.bound(number, Code.PROTOCOL_ERROR, "LDAP version 3 only")
        if asked.mechanism is not None:
            return await self._sasl(number, asked)
        self._exchange = None
        if not asked.password:  # RFC 4513 5.1.2: a name without a password is a client's mistake, never a sign-in
            code = Code.UNWILLING_TO_PERFORM if asked.name else Code.SUCCESS
            return messages.bound(number, code, "a password is missing" if asked.name else "")
        try:
            password = asked.password.decode()
        except UnicodeDecodeError:
            return messages.bound(number, Code.INVALID_CREDENTIALS)
        login = entries.address_in(asked.name)
        return await self._ended(number, await self._sign_in.by_password(login, password, self._client_ip))

    async def _sasl(self, number: int, asked: Bind) -> bytes:
        begun, self._exchange = self._exchange, None
        if begun is not None and begun[0] == asked.mechanism:
            exchange = begun[1]
            step = await exchange.asend(asked.credentials or b"")
        else:
            desk = Desk(self._sign_in, self._client_ip, self.context.bind)
            started = desk.begin(asked.mechanism or "")
            if started is None:
                return messages.bound(number, Code.AUTH_METHOD_NOT_SUPPORTED)
            exchange, step = started, await anext(started)
            if asked.credentials is not None:  # it speaks first: the empty challenge is not sent
                step = await exchange.asend(asked.credentials)
        if isinstance(step, bytes):
            self._exchange = (asked.mechanism or "", exchange)
            return messages.bound(number, Code.SASL_BIND_IN_PROGRESS, challenge=step)
        return await self._ended(number, step)

    async def _ended(self, number: int, answer: SignedIn | Refused | Fault) -> bytes:
        if isinstance(answer, SignedIn):
            self._who, self._unwatch = answer, self._sign_in.watch(answer, self._doubt)
            self._sign_in.came(answer, self._client_ip, "")
            return messages.bound(number, Code.SUCCESS)
        if isinstance(answer, Refused):
            await self._sleep(answer.wait_ms / 1000)
        text = answer.value if isinstance(answer, Fault) else ""
        return messages.bound(number, Code.INVALID_CREDENTIALS, text)

    def _doubt(self) -> None:
        self._doubtful = True

    # ---------------------------------------------------------------- searching
    async def _search(self, number: int, asked: SearchRequest) -> AsyncGenerator[bytes]:
        here = entries.below_base(asked.base)
        if asked.scope is Scope.BASE and not asked.base:
            desk = Desk(self._sign_in, self._client_ip, self.context.bind)
            for piece in self._known(number, "", entries.root(desk.mechanisms, EXTENSIONS), asked):
                yield piece
            yield messages.result(number, messages.SEARCH_DONE, Code.SUCCESS)
            return
        code, text = Code.SUCCESS, ""
        if self._who is None:
            code, text = Code.INSUFFICIENT_ACCESS_RIGHTS, "sign in first"
        elif here is None:
            code = Code.NO_SUCH_OBJECT
        elif here and asked.scope is Scope.BASE:
            for piece in self._known(number, entries.BASE, entries.base(), asked):
                yield piece
        else:
            limit = min(asked.size_limit or MOST, MOST)
            found = await self._db.read(_found, asked, here, limit + 1, self._who.address)
            for entry in found[:limit]:
                yield self._entry(number, entries.dn_of(entry), attributes_of(entry), asked)
            if here is False and not found:
                code = Code.NO_SUCH_OBJECT
            if len(found) > limit:
                code, text = Code.SIZE_LIMIT_EXCEEDED, "more entries match: ask for more words"
        yield messages.result(number, messages.SEARCH_DONE, code, text)

    def _known(
        self, number: int, dn: str, attributes: dict[str, Sequence[str]], asked: SearchRequest
    ) -> Iterator[bytes]:
        """The root or the base, if the filter is true of it."""
        if holds(asked.filter, {name.lower(): values for name, values in attributes.items()}):
            yield self._entry(number, dn, attributes, asked)

    def _entry(self, number: int, dn: str, attributes: dict[str, Sequence[str]], asked: SearchRequest) -> bytes:
        return messages.entry(number, dn, entries.chosen(attributes, asked.attributes, asked.types_only))


def _found(conn: Any, asked: SearchRequest, everywhere: bool, limit: int, asker: str) -> list[Entry]:
    """At most `limit` entries for which the filter holds."""
    if everywhere:
        return matching(conn, asked.filter, limit, asker)
    address = None if asked.scope is Scope.ONE else parse_address(entries.address_in(asked.base))
    entry = directory.get(conn, address) if isinstance(address, Address) else None
    return [entry] if entry is not None and true_of(asked.filter, entry) else []

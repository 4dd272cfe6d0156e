"""One SMTP conversation with another operator (RFC 5321) over mutual TLS: connect, judge the peer, hand the message over.

STARTTLS is required and our certificate shown; the peer's is judged before anything of the message is said. Every recipient gets
one result: `Accepted`, or a `Problem` that says whether to try again. Connections are kept for a short while for the next message,
within the limits that the peer announces (RFC 9422).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from OpenSSL import SSL

from certs.tls_session import TlsError
from foundation.clock import Clock, system_clock
from mailserver.delivery.api import Recipient, Terms
from mailserver.outbound import peer
from mailserver.outbound.client import Client, Lost, Reply, connect
from mailserver.outbound.content import Content, wire_form
from mailserver.outbound.peer import Judge, Problem
from mssante.operators import Route

LAST_STEP = 180.0  # for the reply to the message itself
TOTAL = 240.0  # for all of it: below the job's lease (5 minutes), so that two workers never send the same message
TOGETHER = 100  # recipients in one transaction: what every server takes (RFC 5321 4.5.3.1.8)
KEEP = 20.0  # seconds an idle connection is kept
KEPT = 2  # idle connections kept for one server


_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message for recipients of one `domain`."""

    reverse_path: str
    recipients: tuple[Recipient, ...]
    domain: str
    content: Content
    envid: str | None = None
    ret: str | None = None
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True, slots=True)
class Accepted:
    """`reports`: the peer does DSN, so it owes the success report that was asked for (RFC 3461 5.2.7). `deliver_by`: it knows the
    deadline, if there is one.
    """

    host: str
    reports: bool
    deliver_by: bool = False


Result = Accepted | Problem


class Courier:
    """`name`: our host, said in EHLO; `context()`: the TLS context in force (`certs.contexts.relay_context`)."""

    def __init__(
        self, name: str, context: Callable[[], SSL.Context], judge: Judge, clock: Clock = system_clock
    ) -> None:
        self._name = name
        self._clock = clock
        self._context = context
        self._judge = judge
        self._idle: dict[Route, list[Client]] = {}

    async def deliver(self, routes: Sequence[Route], parcel: Parcel) -> dict[str, Result]:
        """Address -> result; the next route is tried only when a server could not be reached, recognised or bound to the terms."""
        problems: list[Problem] = []
        results: dict[str, Result] = {}
        try:
            async with asyncio.timeout(TOTAL):
                for route in routes:
                    problem = await self._by(route, parcel, results)
                    if problem is None:
                        break
                    problems.append(replace(problem, host=route.host))
        except TimeoutError:
            problems = [peer.CUT]
        # final only when every server said so
        problem = min(reversed(problems), key=lambda one: one.permanent, default=peer.NO_ROUTE)
        return {one.address: results.get(one.address, problem) for one in parcel.recipients}

    async def close(self) -> None:
        for clients in self._idle.values():
            for client in clients:
                client.leave()
        self._idle.clear()

    async def _by(self, route: Route, parcel: Parcel, results: dict[str, Result]) -> Problem | None:
        """As many connections as the peer's limits ask for; a problem when nobody there can take the message."""
        while left := tuple(one for one in parcel.recipients if one.address not in results):
            client = await self._open(route, parcel)
            if isinstance(client, Problem):
                return client
            await self._converse(client, route, replace(parcel, recipients=left), results)
        return None

    # ---------------------------------------------------------------- connection
    async def _open(self, route: Route, parcel: Parcel) -> Client | Problem:
        """A connection whose peer may receive mail for the domain, and promises what the sender demands."""
        client = await self._reuse(route) or await self._connect(route)
        if isinstance(client, Problem):
            return client
        problem = await self._judge(client.tls, parcel.domain) if client.tls is not None else peer.NO_TLS
        if problem is not None:
            client.leave()
            return problem
        # RFC 8689 4.2.1; a notice goes all the same (5): here its path is encrypted in any case
        if parcel.terms.require_tls and parcel.reverse_path and "requiretls" not in client.extensions:
            self._keep(route, client)
            return peer.NO_REQUIRETLS
        return client

    async def _connect(self, route: Route) -> Client | Problem:
        try:
            client, greeting = await connect(route.host, route.port)
        except (Lost, OSError):
            return peer.UNREACHABLE
        problem: Problem | None = peer.UNREACHABLE
        try:
            problem = await self._greet(client, greeting, route)
        except TlsError as error:
            problem = peer.TLS_FAILED if isinstance(error.__cause__, SSL.Error) else peer.UNREACHABLE
        except (Lost, OSError, ValueError):
            problem = peer.UNREACHABLE
        finally:
            if problem is not None:
                client.close()
        return problem or client

    async def _greet(self, client: Client, greeting: Reply, route: Route) -> Problem | None:
        """EHLO, STARTTLS and EHLO again: what was said before TLS is forgotten (RFC 3207 4.2)."""
        if greeting.code != 220:
            return peer.turned_away(greeting.code, greeting.text, route.host)
        reply = await client.hello(self._name)
        if reply.code != 250:
            return peer.turned_away(reply.code, reply.text, route.host)
        if "starttls" not in client.extensions:
            return peer.NO_TLS
        [reply] = await client.ask([b"STARTTLS"])
        if reply.code != 220:
            return peer.turned_away(reply.code, reply.text, route.host)
        await client.start_tls(self._context(), route.host)
        reply = await client.hello(self._name)
        return None if reply.code == 250 else peer.turned_away(reply.code, reply.text, route.host)

    async def _reuse(self, route: Route) -> Client | None:
        """RSET shows whether a kept connection still lives, before a message depends on it. One begun under a certificate that we
        renewed since is not gone on with.
        """
        while clients := self._idle.get(route):
            client = clients.pop()
            try:
                current = client.context is self._context()
                if current and client.is_open and (await client.ask([b"RSET"]))[0].code == 250:
                    return client
            except Lost:
                pass
            client.close()
        return None

    def _keep(self, route: Route, client: Client) -> None:
        clients = self._idle.setdefault(route, [])
        if len(clients) >= KEPT or not client.may_go_on:
            client.leave()
            return
        clients.append(client)
        asyncio.get_running_loop().call_later(KEEP, self._drop, route, client)

    def _drop(self, route: Route, client: Client) -> None:
        if client in self._idle.get(route, ()):
            self._idle[route].remove(client)
            client.leave()

    # ---------------------------------------------------------------- conversation
    async def _converse(self, client: Client, route: Route, parcel: Parcel, results: dict[str, Result]) -> None:
        """Fills `results` for one recipient at least; whoever is missing at the end must wait for another connection."""
        unfit = _unfit(client, parcel, self._clock())
        if unfit is not None:
            results.update((one.address, replace(unfit, host=route.host)) for one in parcel.recipients)
            self._keep(route, client)
            return
        kept = False
        try:
            together = min(TOGETHER, client.limit("RCPTMAX"))
            for start in range(0, len(parcel.recipients), together):
                if not client.may_go_on and start:
                    break
                part = replace(parcel, recipients=parcel.recipients[start : start + together])
                await _transaction(client, route, part, self._clock(), results)
            self._keep(route, client)
            kept = True
        except (Lost, OSError):
            for one in parcel.recipients:
                results.setdefault(one.address, replace(peer.CUT, host=route.host))
        finally:
            if not kept:
                client.close()


async def _transaction(client: Client, route: Route, parcel: Parcel, now: int, results: dict[str, Result]) -> None:
    """MAIL and RCPT for each, then the message: replies become results; only a lost connection raises."""
    path, recipients = f"MAIL FROM:<{parcel.reverse_path}>", parcel.recipients
    mail = " ".join([path, *_mail_options(client, parcel, now)]).encode()
    rcpts = [
        " ".join([f"RCPT TO:<{one.address}>", *_rcpt_options(client, one, parcel.terms, now)]).encode()
        for one in recipients
    ]
    client.mails += 1
    replies = await client.ask([mail, *rcpts])
    if replies[0].code != 250:
        replies[1:] = [replies[0]] * len(recipients)  # what is said to RCPT without MAIL says nothing
    accepted = []
    for one, reply in zip(recipients, replies[1:], strict=True):
        if reply.code in (250, 251):
            accepted.append(one.address)
        else:
            results[one.address] = peer.answered(reply.code, reply.text, route.host)
    end = await _message(client, parcel.content) if accepted else None
    if end is not None and end.code == 250:
        taken = Accepted(route.host, "dsn" in client.extensions, "deliverby" in client.extensions)
        results.update((address, taken) for address in accepted)
        return
    if end is not None:
        problem = peer.answered(end.code, end.text, route.host)
        results.update((address, problem) for address in accepted)
    await client.ask([b"RSET"])


async def _message(client: Client, content: Content) -> Reply:
    """The message and the reply that decides: BDAT (RFC 3030) when the peer takes it, else DATA."""
    if "chunking" in client.extensions:
        await client.send(f"BDAT {content.size} LAST\r\n".encode())
        pieces = content.pieces()
    else:
        [start] = await client.ask([b"DATA"])
        if start.code != 354:
            return start
        pieces = wire_form(content)
    async for piece in pieces:
        await client.send(piece)
    return await client.reply(LAST_STEP)


def _unfit(client: Client, parcel: Parcel, now: int) -> Problem | None:
    """What this server says in advance that it cannot take."""
    limit = client.extensions.get("size", "")
    if limit.isdecimal() and 0 < int(limit) < parcel.content.size:  # 0: no limit (RFC 1870 section 4)
        return peer.TOO_LARGE
    if parcel.terms.returns:
        left = _seconds_left(parcel.terms, now)
        least = client.extensions.get("deliverby", "").partition(",")[0]
        if left <= 0:
            return peer.TOO_LATE
        if "deliverby" not in client.extensions or (least.isdecimal() and left < int(least)):
            return peer.NO_DELIVERBY  # RFC 2852 4.1.4.1
    if _is_international(parcel) and "smtputf8" not in client.extensions:
        return peer.NO_UTF8
    if not parcel.content.is_ascii and "8bitmime" not in client.extensions:
        return peer.NO_8BIT
    return None


def _is_international(parcel: Parcel) -> bool:
    return not (parcel.reverse_path.isascii() and all(one.address.isascii() for one in parcel.recipients))


def _seconds_left(terms: Terms, now: int) -> int:
    """Below zero once the deadline passed (RFC 2852 4.1.4)."""
    return (terms.deadline - now) // 1000


def _mail_options(client: Client, parcel: Parcel, now: int) -> list[str]:
    options = []
    if "size" in client.extensions:
        options.append(f"SIZE={parcel.content.size}")
    if not parcel.content.is_ascii:
        options.append("BODY=8BITMIME")
    if _is_international(parcel):
        options.append("SMTPUTF8")
    if parcel.terms.require_tls and "requiretls" in client.extensions:
        options.append("REQUIRETLS")
    if parcel.terms.deadline and "deliverby" in client.extensions:
        mode, trace = "R" if parcel.terms.returns else "N", "T" if parcel.terms.traced else ""
        options.append(f"BY={_seconds_left(parcel.terms, now)};{mode}{trace}")
    if "mt-priority" in client.extensions:
        options.append(f"MT-PRIORITY={parcel.terms.priority}")  # RFC 6710 4.2: always, 0 is one too
    if "dsn" in client.extensions:
        if parcel.ret:
            options.append(f"RET={parcel.ret}")
        if parcel.envid:
            options.append(f"ENVID={xtext(parcel.envid)}")
    return options


def _rcpt_options(client: Client, recipient: Recipient, terms: Terms, now: int) -> list[str]:
    """The wishes go with the message to whoever takes it over (RFC 3461 5.2.1); who knows no deadline shall tell of a delay."""
    options = []
    if "dsn" in client.extensions:
        notify = recipient.notify
        if "deliverby" not in client.extensions and terms.deadline > now and "NEVER" not in notify:
            notify = (notify or frozenset({"FAILURE"})) | {"DELAY"}  # RFC 2852 4.1.4.2
        if notify:
            options.append(f"NOTIFY={','.join(sorted(notify))}")
        kind, semicolon, address = (recipient.orcpt or "").partition(";")
        if semicolon:
            options.append(f"ORCPT={kind};{xtext(address)}")
    return options


def xtext(value: str) -> str:
    """RFC 3461 section 4: `+`, `=`, space and controls as `+XX`; what is not ASCII as RFC 6533 writes it."""
    plain = "".join(sign if sign.isascii() else f"\\x{{{ord(sign):X}}}" for sign in value)
    return _NOT_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", plain)

"""One SMTP conversation with another operator (RFC 5321) over mutual TLS: connect, judge the peer, hand the message over.

STARTTLS is required and our certificate shown; the peer's is judged before anything of the message is said. Every recipient gets
one result: `Accepted`, or a `Problem` that says whether to try again. Connections are kept for a short while for the next message.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import aiosmtplib

from mailserver.delivery.api import Recipient
from mailserver.outbound import peer
from mailserver.outbound.peer import Judge, Problem
from mssante.operators import Route

STEP = 60.0  # seconds for one command and its reply
LAST_STEP = 180.0  # for the reply to the message itself
TOTAL = 240.0  # for all of it: below the job's lease (5 minutes), so that two workers never send the same message
TOGETHER = 100  # recipients in one transaction: what every server takes (RFC 5321 4.5.3.1.8)
KEEP = 20.0  # seconds an idle connection is kept
KEPT = 2  # idle connections kept for one server

HEAVY = 256 * 1024  # octets: above, the wire form is made in a thread

_LINE_END = re.compile(rb"\r\n|\n|\r")
_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message for recipients of one `domain`."""

    reverse_path: str
    recipients: tuple[Recipient, ...]
    domain: str
    content: bytes
    envid: str | None = None
    ret: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """`reports`: the peer does DSN, so it owes the success report that was asked for (RFC 3461 5.2.7)."""

    host: str
    reports: bool


Result = Accepted | Problem


class Courier:
    """`name`: our host, said in EHLO; `context()`: the TLS context in force (`certs.contexts.relay_context`)."""

    def __init__(self, name: str, context: Callable[[], ssl.SSLContext], judge: Judge) -> None:
        self._name = name
        self._context = context
        self._judge = judge
        self._idle: dict[Route, list[aiosmtplib.SMTP]] = {}

    async def deliver(self, routes: Sequence[Route], parcel: Parcel) -> dict[str, Result]:
        """Address -> result; the next route is tried only when a server could not be reached or recognised."""
        problem: Problem = peer.NO_ROUTE
        results: dict[str, Result] = {}
        try:
            async with asyncio.timeout(TOTAL):
                for route in routes:
                    found = await self._open(route, parcel.domain)
                    if isinstance(found, Problem):
                        problem = replace(found, host=route.host)
                        continue
                    await self._converse(found, route, parcel, results)
                    break
        except TimeoutError:
            problem = peer.CUT
        return {one.address: results.get(one.address, problem) for one in parcel.recipients}

    async def close(self) -> None:
        for clients in self._idle.values():
            for client in clients:
                client.close()
        self._idle.clear()

    # ---------------------------------------------------------------- connection
    async def _open(self, route: Route, domain: str) -> aiosmtplib.SMTP | Problem:
        """A connection whose peer may receive mail for `domain`."""
        client = await self._reuse(route) or await self._connect(route)
        if isinstance(client, Problem):
            return client
        connection = client.get_transport_info("ssl_object")
        problem = self._judge(connection, domain) if connection is not None else peer.NO_TLS
        if problem is not None:
            client.close()
            return problem
        return client

    async def _connect(self, route: Route) -> aiosmtplib.SMTP | Problem:
        client = aiosmtplib.SMTP(
            hostname=route.host, port=route.port, local_hostname=self._name, start_tls=False, timeout=STEP
        )
        try:
            await client.connect()
            await client.ehlo()
            if not client.supports_extension("starttls"):
                client.close()
                return peer.NO_TLS
            await client.starttls(tls_context=self._context())
            await client.ehlo()
        except ssl.SSLError as error:
            client.close()
            return peer.bad_handshake(error)
        except aiosmtplib.SMTPResponseException as error:
            client.close()
            return peer.turned_away(error.code, error.message, route.host)
        except (aiosmtplib.SMTPException, OSError, ValueError):
            client.close()
            return peer.UNREACHABLE
        return client

    async def _reuse(self, route: Route) -> aiosmtplib.SMTP | None:
        while clients := self._idle.get(route):
            client = clients.pop()
            try:
                if client.is_connected:
                    await client.rset()
                    return client
            except (aiosmtplib.SMTPException, OSError):
                pass
            client.close()
        return None

    def _keep(self, route: Route, client: aiosmtplib.SMTP) -> None:
        clients = self._idle.setdefault(route, [])
        if len(clients) >= KEPT:
            client.close()
            return
        clients.append(client)
        asyncio.get_running_loop().call_later(KEEP, self._drop, route, client)

    def _drop(self, route: Route, client: aiosmtplib.SMTP) -> None:
        if client in self._idle.get(route, ()):
            self._idle[route].remove(client)
            client.close()

    # ---------------------------------------------------------------- conversation
    async def _converse(
        self, client: aiosmtplib.SMTP, route: Route, parcel: Parcel, results: dict[str, Result]
    ) -> None:
        """Fills `results`; whoever is missing at the end was cut off."""
        unfit = _unfit(client, parcel)
        if unfit is not None:
            results.update((one.address, replace(unfit, host=route.host)) for one in parcel.recipients)
            self._keep(route, client)
            return
        heavy = len(parcel.content) > HEAVY
        wire = await asyncio.to_thread(wire_form, parcel.content) if heavy else wire_form(parcel.content)
        kept = False
        try:
            for start in range(0, len(parcel.recipients), TOGETHER):
                await _transaction(client, route, parcel, parcel.recipients[start : start + TOGETHER], wire, results)
            self._keep(route, client)
            kept = True
        except (aiosmtplib.SMTPException, OSError):
            for one in parcel.recipients:
                results.setdefault(one.address, replace(peer.CUT, host=route.host))
        finally:
            if not kept:
                client.close()


async def _transaction(
    client: aiosmtplib.SMTP,
    route: Route,
    parcel: Parcel,
    recipients: Sequence[Recipient],
    wire: bytes,
    results: dict[str, Result],
) -> None:
    """MAIL, RCPT for each, DATA: replies become results; only a lost connection raises."""
    encoding = "utf-8" if _is_international(parcel) else "ascii"
    accepted = []
    try:
        await client.mail(parcel.reverse_path, options=_mail_options(client, parcel), encoding=encoding)
        for one in recipients:
            try:
                await client.rcpt(one.address, options=_rcpt_options(client, one), encoding=encoding)
                accepted.append(one.address)
            except aiosmtplib.SMTPResponseException as error:
                results[one.address] = peer.answered(error.code, error.message, route.host)
        if not accepted:
            await client.rset()
            return
        await _data(client, wire)
    except aiosmtplib.SMTPResponseException as error:
        problem = peer.answered(error.code, error.message, route.host)
        results.update((one.address, problem) for one in recipients if one.address not in results)
        await client.rset()
    else:
        reports = client.supports_extension("dsn")
        results.update((address, Accepted(route.host, reports)) for address in accepted)


async def _data(client: aiosmtplib.SMTP, wire: bytes) -> None:
    """DATA with octets made ready by `wire_form`: aiosmtplib's own method holds the loop for a second on 25 MB."""
    start = await client.execute_command(b"DATA")
    if start.code != 354:
        raise aiosmtplib.SMTPDataError(start.code, start.message)
    if client.protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("connection lost")
    client.protocol.write(wire)
    end = await client.protocol.read_response(timeout=LAST_STEP)
    if end.code != 250:
        raise aiosmtplib.SMTPDataError(end.code, end.message)


def wire_form(content: bytes) -> bytes:
    """Line ends CRLF, dots doubled at line starts, the final dot (RFC 5321 4.5.2)."""
    lines = content.count(b"\r\n")
    if content.count(b"\n") != lines or content.count(b"\r") != lines:
        content = _LINE_END.sub(b"\r\n", content)
    if content.startswith(b"."):
        content = b"." + content
    end = b".\r\n" if content.endswith(b"\n") or not content else b"\r\n.\r\n"
    return content.replace(b"\n.", b"\n..") + end


def _unfit(client: aiosmtplib.SMTP, parcel: Parcel) -> Problem | None:
    """What this server says in advance that it cannot take."""
    limit = client.esmtp_extensions.get("size", "").strip()
    if limit.isdecimal() and 0 < int(limit) < len(parcel.content):  # 0: no limit (RFC 1870 section 4)
        return peer.TOO_LARGE
    if _is_international(parcel) and not client.supports_extension("smtputf8"):
        return peer.NO_UTF8
    if not parcel.content.isascii() and not client.supports_extension("8bitmime"):
        return peer.NO_8BIT
    return None


def _is_international(parcel: Parcel) -> bool:
    return not (parcel.reverse_path.isascii() and all(one.address.isascii() for one in parcel.recipients))


def _mail_options(client: aiosmtplib.SMTP, parcel: Parcel) -> list[str]:
    options = []
    if client.supports_extension("size"):
        options.append(f"SIZE={len(parcel.content)}")
    if not parcel.content.isascii():
        options.append("BODY=8BITMIME")
    if _is_international(parcel):
        options.append("SMTPUTF8")
    if client.supports_extension("dsn"):
        if parcel.ret:
            options.append(f"RET={parcel.ret}")
        if parcel.envid:
            options.append(f"ENVID={xtext(parcel.envid)}")
    return options


def _rcpt_options(client: aiosmtplib.SMTP, recipient: Recipient) -> list[str]:
    """The wishes go with the message to whoever takes it over (RFC 3461 5.2.1)."""
    options = []
    if client.supports_extension("dsn"):
        if recipient.notify:
            options.append(f"NOTIFY={','.join(sorted(recipient.notify))}")
        kind, semicolon, address = (recipient.orcpt or "").partition(";")
        if semicolon:
            options.append(f"ORCPT={kind};{xtext(address)}")
    return options


def xtext(value: str) -> str:
    """RFC 3461 section 4: `+`, `=`, space and controls as `+XX`; what is not ASCII as RFC 6533 writes it."""
    plain = "".join(sign if sign.isascii() else f"\\x{{{ord(sign):X}}}" for sign in value)
    return _NOT_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", plain)

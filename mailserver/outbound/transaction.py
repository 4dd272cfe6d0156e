"""A message handed over on a connection that was judged: what is said in MAIL and RCPT, and what became of each recipient.

Every recipient gets one result: `Accepted`, or a `Problem` that says whether to try again.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from mailserver.delivery.api import Recipient, Terms
from mailserver.outbound import peer
from mailserver.outbound.client import Client, Reply
from mailserver.outbound.content import Content, wire_form
from mailserver.outbound.peer import Problem
from mssante.address import in_ascii
from mssante.operators import Route

LAST_STEP = 180.0  # for the reply to the message itself

_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message for recipients of one `domain`. `international`: it came with SMTPUTF8, and its header is in UTF-8.

    `seven_bit` makes its content for a server without 8BITMIME; None when that cannot be.
    """

    reverse_path: str
    recipients: tuple[Recipient, ...]
    domain: str
    content: Content
    envid: str | None = None
    ret: str | None = None
    terms: Terms = field(default_factory=Terms)
    international: bool = False
    seven_bit: Callable[[], Awaitable[Content | None]] | None = None

    @property
    def needs_utf8(self) -> bool:
        """Of the next server too (RFC 6531 3.4)."""
        return self.international or not self.addresses_are_ascii

    @property
    def addresses_are_ascii(self) -> bool:
        return self.reverse_path.isascii() and all(one.address.isascii() for one in self.recipients)


@dataclass(frozen=True, slots=True)
class Accepted:
    """`reports`: the peer does DSN, so it owes the success report that was asked for (RFC 3461 5.2.7). `deliver_by`: it knows the
    deadline, if there is one.
    """

    host: str
    reports: bool
    deliver_by: bool = False


Result = Accepted | Problem


async def transact(client: Client, route: Route, parcel: Parcel, now: int, results: dict[str, Result]) -> None:
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


async def fitted(client: Client, parcel: Parcel) -> Parcel:
    """In seven bits where the server takes no others (RFC 6152 3), if that can be."""
    if parcel.content.is_ascii or "8bitmime" in client.extensions or parcel.seven_bit is None:
        return parcel
    return replace(parcel, content=await parcel.seven_bit() or parcel.content)


def unfit(client: Client, parcel: Parcel, now: int) -> Problem | None:
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
    if parcel.needs_utf8 and "smtputf8" not in client.extensions:
        return peer.NO_UTF8_HEADER if parcel.addresses_are_ascii else peer.NO_UTF8
    if not parcel.content.is_ascii and "8bitmime" not in client.extensions:
        return peer.NO_8BIT
    return None


def _seconds_left(terms: Terms, now: int) -> int:
    """Below zero once the deadline passed (RFC 2852 4.1.4)."""
    return (terms.deadline - now) // 1000


def _mail_options(client: Client, parcel: Parcel, now: int) -> list[str]:
    options = []
    if "size" in client.extensions:
        options.append(f"SIZE={parcel.content.size}")
    if not parcel.content.is_ascii:
        options.append("BODY=8BITMIME")
    if parcel.needs_utf8:
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
    return _NOT_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", in_ascii(value))

"""A foreign operator: aiosmtpd behind STARTTLS with certificates of a development authority, replies of our choice."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session

from certs import crl
from certs.authority import Authority, Issued
from certs.contexts import Identity, relay_context
from certs.names import of_name
from certs.ocsp_client import OcspClient
from certs.profiles import OPERATOR, operator_subject
from certs.trust_store import TrustStore
from foundation.clock import DAY, system_clock
from mailserver.outbound.courier import Courier
from mailserver.outbound.peer import peer_judge
from mssante.operators import Route
from mssante.trust_list import TrustList

NOW = system_clock()
DOMAIN = "hopital.example"
_DSN = re.compile(r" (?:RET|ENVID|NOTIFY|ORCPT)=\S+")


class DsnSmtp(SMTP):
    """aiosmtpd knows no DSN: the parameters are noted and taken away."""

    async def smtp_MAIL(self, arg: str | None) -> None:
        self.event_handler.parameters += _DSN.findall(arg or "")
        await super().smtp_MAIL(_DSN.sub("", arg or ""))

    async def smtp_RCPT(self, arg: str | None) -> None:
        self.event_handler.parameters += _DSN.findall(arg or "")
        await super().smtp_RCPT(_DSN.sub("", arg or ""))


def pytest_asyncio_loop_factories(
    config: object, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Conversations run on the product's loop and on asyncio's: their TLS is not the same code."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    return factories | ({"asyncio": asyncio.new_event_loop} if "courier" in item.nodeid else {})


@dataclass
class Peer:
    """What the peer answers, and what it got. `replies`: recipient -> reply; `on_data`: reply to the message."""

    replies: dict[str, str] = field(default_factory=dict)
    on_mail: str | None = None
    on_data: str = "250 2.0.0 OK"
    dsn: bool = False
    parameters: list[str] = field(default_factory=list)
    got: list[Envelope] = field(default_factory=list)
    connections: int = 0
    offered: list[str] = field(default_factory=list)
    before_data: Callable[[SMTP], Awaitable[None]] | None = None
    route: Route = field(default_factory=lambda: Route("127.0.0.1", 0))

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, host: str, responses: list[str]
    ) -> list[str]:
        session.host_name = host
        hidden = ("250-8BITMIME",) if "no8bit" in self.offered else ()
        extra = ["250-DSN"] if self.dsn else []
        return [*(line for line in responses[:-1] if line not in hidden), *extra, responses[-1]]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.on_mail:
            return self.on_mail
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.replies.get(address, "250 2.1.5 OK")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.before_data is not None:
            await self.before_data(server)
        if self.on_data.startswith("250"):
            self.got.append(envelope)
        return self.on_data

    @property
    def reached(self) -> list[str]:
        return [address for envelope in self.got for address in envelope.rcpt_tos]


@dataclass
class Space:
    """Two operators of one authority, and a stranger's."""

    authority: Authority
    stranger: Authority
    own: Issued
    theirs: Issued
    folder: Path

    def server_context(self, issued: Issued | None = None) -> ssl.SSLContext:
        """The peer insists on a client certificate of the authority, as the space asks."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(issued or self.theirs).write(self.folder, f"peer-{id(issued)}"))
        context.load_verify_locations(cadata=_pem(self.authority))
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def courier(self, listed: Issued | None = None) -> Courier:
        identity = Identity(*self.own.write(self.folder, "own"))
        store = TrustStore((self.authority.root.certificate,), crl.from_x509(self.authority.crls(NOW)))
        name = of_name((listed or self.theirs).certificate.subject)
        trust_list = TrustList(NOW, {DOMAIN: frozenset({name})})
        context = relay_context(identity)
        return Courier(
            "mx.cabinet.example",
            lambda: context,
            peer_judge(lambda: store, lambda: trust_list, OcspClient(lambda: NOW)),
            lambda: NOW,
        )


def _pem(authority: Authority) -> str:
    return authority.root.certificate_pem().decode() + authority.intermediate.certificate_pem().decode()


def subject(host: str) -> Any:
    return operator_subject(host, "344368557300034", "OPÉRATEUR", "Bouches-du-Rhône (13)")


@pytest.fixture(scope="session")
def space(tmp_path_factory: pytest.TempPathFactory) -> Space:
    ours, stranger = Authority.create(NOW - 30 * DAY), Authority.create(NOW - 30 * DAY)
    return Space(
        ours,
        stranger,
        ours.issue(OPERATOR, subject("mx.cabinet.example"), NOW),
        ours.issue(OPERATOR, subject("mx.hopital.example"), NOW),
        tmp_path_factory.mktemp("outbound"),
    )


Start = Callable[..., Awaitable[Peer]]


@pytest.fixture
async def start(space: Space) -> AsyncIterator[Start]:
    """Starts peers on free ports; stops them after the test."""
    servers: list[asyncio.Server] = []

    async def run(tls: ssl.SSLContext | bool = True, size: int = 1_000_000, **answers: Any) -> Peer:
        peer = Peer(**answers)
        context = space.server_context() if tls is True else tls or None

        def make() -> SMTP:
            peer.connections += 1
            kind = DsnSmtp if peer.dsn else SMTP
            return kind(
                peer, hostname="mx.hopital.example", tls_context=context, require_starttls=bool(context),
                data_size_limit=size, enable_SMTPUTF8="noutf8" not in peer.offered,
            )  # fmt: skip

        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
        servers.append(server)
        peer.route = Route("127.0.0.1", server.sockets[0].getsockname()[1])
        return peer

    yield run
    for server in servers:
        server.close()

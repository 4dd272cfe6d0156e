"""Opens the doors of one process on its listening sockets, and closes them without losing mail."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from OpenSSL import SSL
from starlette.applications import Starlette

from certs.chain import Trusted
from certs.contexts import Identity, TwistedContextFactory, asking_context, server_context, web_context
from certs.rotating import Rotating
from certs.staple import KeptStaple
from certs.tls_session import peer_certificate, peer_chain
from foundation.blob_receiver import Receiver
from foundation.clock import HOUR, MINUTE, Clock, system_clock
from foundation.dn import DistinguishedName
from mailserver.delivery.api import Acceptor
from mailserver.imap.context import Settings as ImapSettings
from mailserver.imap.crowd import Crowd
from mailserver.imap.factory import ImapFactory, over_tls
from mailserver.imap.protocol import Judge, Vouch
from mailserver.imap.sending import prompt
from mailserver.imap.session import ImapSession
from mailserver.imap.shelf import Shelf
from mailserver.ldap.factory import LdapFactory
from mailserver.ldap.session import LdapSession
from mailserver.sign_in import Provider
from mailserver.signatures.checking import Checker
from mailserver.smtp import doors as smtp
from mailserver.smtp.limits import Limits as SmtpLimits
from mailserver.smtp.ports import BENCH, MX, SUBMISSION, SUBMISSIONS, DoorRules, StartTls
from mailserver.smtp.ports import House as SmtpHouse
from mailserver.smtp.rates import Gauge, Rates
from mssante import credentials, mailboxes
from mssante.devices import Door
from runtime.house import House, Trust, postmaster_of
from runtime.revocation import staple_of
from runtime.settings import Role, Settings
from runtime.sign_in import MailSignIn
from runtime.signing import records_of
from runtime.web_connection import WebConnection

Close = Callable[[], Awaitable[None]]

# door -> role that plays it
ROLE_OF: dict[str, Role | None] = {
    "metrics": None,  # whatever a process plays
    "mx": "mx",
    "bench": "mx",
    "submission": "submission",
    "submissions": "submission",
    "imap": "imap",
    "imaps": "imap",
    "ldaps": "imap",  # goes with reading mail
    "web": "web",
}


def doors_of(settings: Settings) -> dict[str, str]:
    """name -> host:port of the doors that this process opens."""
    wanted: dict[str, str] = settings.doors.model_dump()
    return {name: door for name, door in wanted.items() if door and ROLE_OF[name] in (None, *settings.roles)}


class Certificates:
    """Our own certificate, for operators and for mail clients; both follow the files without a restart."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        identity = Identity(settings.tls.certificate, settings.tls.key)
        kept = KeptStaple(staple_of(settings), clock)
        self.mx: Rotating[SSL.Context] = Rotating(identity.files, lambda: asking_context(identity, kept), clock)
        for_clients = asking_context if settings.tls.ask_clients else server_context
        self.clients: Rotating[SSL.Context] = Rotating(identity.files, lambda: for_clients(identity, kept), clock)


def _sign_in(house: House, scope: str, door: Door) -> MailSignIn:
    provider = None
    if house.tokens is not None:
        provider = Provider(house.tokens.provider.configuration, house.settings.openid.scope)
    seen, parts = house.activity.seen, (house.db, house.credentials, house.mailboxes, house.clock)
    return MailSignIn(*parts, scope, house.tokens, provider, seen, (house.devices, door))


def _client_judge(trust: Trust, clock: Clock) -> Judge:
    def judge(channel: SSL.Connection) -> DistinguishedName | None:
        leaf = peer_certificate(channel)
        verdict = None if leaf is None else trust.store.get().judge(leaf, peer_chain(channel), clock())
        return verdict.dn if isinstance(verdict, Trusted) else None

    return judge


def _client_voucher(trust: Trust) -> Vouch:
    """Asks the responder of the certificate's authority (OCSP), as submission does at its handshake."""

    def vouch(channel: SSL.Connection) -> Callable[[], Awaitable[bool]] | None:
        leaf, sent = peer_certificate(channel), peer_chain(channel)

        async def vouched() -> bool:
            return isinstance(await trust.ocsp.judge(trust.store.get(), leaf, sent), Trusted)

        return None if leaf is None else vouched

    return vouch


def _aliases(settings: Settings) -> dict[str, str]:
    """RFC 5321 4.5.1: the postmaster without a domain, and that of the citizens' domain, where nobody else may be called so."""
    citizens = settings.operator.citizen_domain
    names = ["postmaster", *([f"postmaster@{citizens}"] if citizens else [])]
    return dict.fromkeys(names, postmaster_of(settings))


async def open_smtp(
    house: House, trust: Trust, certificates: Certificates, acceptor: Acceptor, sockets: dict[str, socket.socket]
) -> list[Close]:
    settings, limits = house.settings, house.settings.limits
    rates = Rates(  # of all doors together
        peer=Gauge(limits.peer_messages_per_minute, MINUTE),
        account=Gauge(limits.account_recipients_per_hour, HOUR),
        recipient=Gauge(limits.recipient_messages_per_hour, HOUR),
        pair=Gauge(limits.pair_messages_per_hour, HOUR),
        peer_pair=Gauge(limits.peer_pair_messages_per_hour, HOUR),
    )

    by_certificate = smtp.by_certificate(trust.store.get, trust.ocsp)

    checker = None
    if settings.dkim.verify:
        others = records_of(settings.dkim, house.clock)
        checker = Checker(settings.operator.host, others, house.signature_pool, house.clock)

    def smtp_house(start_tls: StartTls | None) -> SmtpHouse:
        return SmtpHouse(
            hostname=settings.operator.host,
            acceptor=acceptor,
            new_writer=partial(Receiver, house.blobs),
            aliases=_aliases(settings),
            start_tls=start_tls,
            sign_in=_sign_in(house, credentials.SUBMISSION, Door.SUBMISSION),
            judge_peer=by_certificate,
            judge_client=by_certificate if settings.tls.ask_clients else None,
            trust=trust.trust_list,
            limits=SmtpLimits(
                message_octets=limits.message_bytes,
                recipients=limits.recipients,
                messages=limits.messages_per_session,
                hold_s=limits.hold_days * 86_400,
                connections_per_address=limits.connections_per_address,
            ),
            rates=rates,
            checker=checker,
            tally=house.tally,
            clock=house.clock,
        )

    by_client = smtp.tls_by_openssl(certificates.clients.get)
    table: dict[str, tuple[DoorRules, StartTls | None]] = {
        "mx": (MX, smtp.tls_by_openssl(certificates.mx.get)),
        "submission": (replace(SUBMISSION, channel_binding=settings.tls.bind_submission), by_client),
        "submissions": (SUBMISSIONS, by_client),
        "bench": (BENCH, by_client),
    }
    return [
        (await smtp.open_door(rules, smtp_house(start_tls), sockets[name])).close
        for name, (rules, start_tls) in table.items()
        if name in sockets
    ]


def open_imap(house: House, trust: Trust, certificates: Certificates, sockets: dict[str, socket.socket]) -> list[Close]:
    sign_in = _sign_in(house, credentials.IMAP, Door.IMAP)
    limits = house.settings.limits
    settings = ImapSettings(limits.message_bytes, limits.holder_quota_bytes, house.settings.operator.name)
    tls, judge = TwistedContextFactory(certificates.clients.get), _client_judge(trust, house.clock)
    vouch = _client_voucher(trust)
    shelf, crowd = Shelf(), Crowd(house.settings.limits.imap_sessions)
    house.db.subscribe(mailboxes.TOPIC, shelf.forget)
    house.db.subscribe(mailboxes.TOPIC, house.store.forget)
    closers: list[Close] = []
    for name in ("imap", "imaps"):
        if name not in sockets:
            continue
        implicit = name == "imaps"

        def session(client_ip: str, name: str = name, implicit: bool = implicit) -> ImapSession:
            house.tally.count("connections", name)
            return ImapSession(house.store, sign_in, settings, client_ip, implicit, shelf=shelf, crowd=crowd)

        closers.append(
            _listening(sockets[name], ImapFactory(session, tls, judge=judge, vouch=vouch), tls if implicit else None)
        )
    return closers


def open_ldap(house: House, certificates: Certificates, sockets: dict[str, socket.socket]) -> list[Close]:
    if "ldaps" not in sockets:
        return []
    sign_in = _sign_in(house, credentials.IMAP, Door.LDAP)
    tls = TwistedContextFactory(certificates.clients.get)
    factory = LdapFactory(lambda client_ip: LdapSession(house.db, sign_in, client_ip))
    return [_listening(sockets["ldaps"], factory, tls)]


def _listening(sock: socket.socket, factory: ImapFactory, tls: TwistedContextFactory | None) -> Close:
    """`tls`: from the first octet."""
    from twisted.internet import reactor as installed  # the loop put ours there (runtime.loop)

    reactor: Any = installed
    port = prompt(
        reactor.adoptStreamPort(sock.fileno(), sock.family, factory if tls is None else over_tls(factory, tls))
    )
    sock.close()  # Twisted has its own duplicate

    async def close() -> None:
        stopped = port.stopListening()
        if stopped is not None:
            await stopped.asFuture(asyncio.get_running_loop())
        await factory.shut_down()

    return close


def _following(identity: Identity, clock: Clock) -> ssl.SSLContext:
    """A context whose handshakes take the certificate in force: the callback runs at each hello, with a name or without."""
    current: Rotating[ssl.SSLContext] = Rotating(identity.files, lambda: web_context(identity), clock)

    def hello(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = current.get()

    listening = web_context(identity)
    listening.sni_callback = hello
    return listening


async def open_web(
    app: Starlette,
    sock: socket.socket,
    certificate: Path | None = None,
    key: Path | None = None,
    clock: Clock = system_clock,
) -> Close:
    """With a certificate and its key: over HTTPS; both are reread when they change."""
    config = uvicorn.Config(
        app,
        http=WebConnection,
        ws="none",
        log_config=None,
        access_log=False,  # addresses of pages are nobody's business
        server_header=False,
        date_header=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
        ssl_certfile=str(certificate) if certificate else None,
        ssl_keyfile=str(key) if key else None,
    )
    if certificate is not None and key is not None:
        config.load()
        config.ssl = _following(Identity(certificate, key), clock)
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # one owner: runtime.loop
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started and not task.done():  # noqa: ASYNC110  uvicorn has a flag, no event
        await asyncio.sleep(0.005)

    async def close() -> None:
        server.should_exit = True
        await task

    return close

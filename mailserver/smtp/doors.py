"""Opens the doors of `ports` (MX, submission, submissions, bench) on the running loop, and closes them without losing mail.

Each door has a class of sessions, in which stands what all of them share: aiosmtpd's constructor inspects itself by reflection, at
0.5 ms a connection, so it runs once a door, and a session is made with nothing but what is its own.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from OpenSSL import SSL

from certs.ocsp_client import OcspClient
from certs.tls_switch import start_tls_server
from certs.trust_store import TrustStore
from mailserver.delivery.api import Door
from mailserver.smtp.engine import SmtpSession
from mailserver.smtp.guard import Guard
from mailserver.smtp.link import OF_THE_PATTERN, Link
from mailserver.smtp.ports import ChainVerdict, DoorRules, House, JudgePeer, StartTls, Tls
from mailserver.smtp.replies import Reply

BACKLOG = 512


class Template:
    """Makes the sessions of one door."""

    def __init__(self, rules: DoorRules, house: House, loop: asyncio.AbstractEventLoop) -> None:
        pattern = SmtpSession(object(), hostname=house.hostname, enable_SMTPUTF8=True, loop=loop)
        self.live: set[Link] = set()
        shared = {name: value for name, value in vars(pattern).items() if name not in OF_THE_PATTERN}
        shared |= {"rules": rules, "house": house, "guard": Guard(house.limits), "live": self.live}
        shared["odd_path"] = pattern._getaddr
        shared["greeting"] = Reply(220, "", (f"{house.hostname} ESMTP",))
        self._kind: type[SmtpSession] = type("DoorSession", (SmtpSession,), shared)
        self._door, self._tally = rules.door.value, house.tally

    def __call__(self) -> SmtpSession:
        self._tally.count("connections", self._door)
        return self._kind.__new__(self._kind)


@dataclass(frozen=True, slots=True)
class OpenDoor:
    port: int
    _server: asyncio.Server
    _live: set[Link]

    async def close(self, grace_s: float = 10.0) -> None:
        """No new session; idle ones hear 421; those that store a message have `grace_s` to answer for it."""
        self._server.close()
        sessions = list(self._live)
        for session in sessions:
            session.stop()
        tasks = [session.task for session in sessions if session.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()


async def open_door(rules: DoorRules, house: House, sock: socket.socket) -> OpenDoor:
    """Takes over a bound socket (listening or not). Raises ValueError when the house lacks what the door demands."""
    if missing := _missing(rules, house, sock.getsockname()[0]):
        raise ValueError(f"door {rules.door.value}: {', '.join(missing)}")
    loop = asyncio.get_running_loop()
    template = Template(rules, house, loop)
    server = await loop.create_server(template, sock=sock, backlog=BACKLOG)
    return OpenDoor(sock.getsockname()[1], server, template.live)


def _missing(rules: DoorRules, house: House, host: str) -> list[str]:
    needs = [
        (rules.tls in (Tls.NONE, Tls.OFFERED) or house.start_tls is not None, "TLS is not set up"),
        (not rules.sign_in or house.sign_in is not None, "nobody checks passwords"),
        (not rules.peer_certificate or house.judge_peer is not None, "nobody judges certificates"),
        (not rules.peer_certificate or house.trust is not None, "there is no trust list"),
        (rules.door is not Door.BENCH or ip_address(host).is_loopback, "only on a loopback address"),
    ]
    return [why for met, why in needs if not met]


def tls_by_openssl(current: Callable[[], SSL.Context]) -> StartTls:
    """`current` gives the context in force. At the MX every client certificate passes the handshake, `by_certificate` judges it."""

    async def start(
        loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, protocol: asyncio.Protocol, hello: bytes
    ) -> asyncio.Transport:
        return await start_tls_server(loop, transport, protocol, current(), early=hello)

    return start


def by_certificate(store: Callable[[], TrustStore], ocsp: OcspClient) -> JudgePeer:
    """Judges what the client sent on a transport of `tls_by_openssl`."""

    async def judge(transport: asyncio.Transport) -> ChainVerdict:
        leaf = transport.get_extra_info("peercert_der")
        sent = () if leaf is None else transport.get_extra_info("peer_chain_der")
        return await ocsp.judge(store(), leaf, sent)

    return judge

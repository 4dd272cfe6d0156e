"""The Twisted transport of a session: bytes, TLS, timeouts, back-pressure, limits. Nothing of IMAP but the words for a full house.

Runs on Twisted's asyncio reactor; each connection is one task on that loop. Measured: Nagle's algorithm stalls a quarter of
the FETCHes 40 ms under Twisted, so TCP_NODELAY is set here; writes of 64 KB are the cheapest (session.WRITE).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar
from typing import Protocol as Interface

from OpenSSL import SSL
from twisted.internet import interfaces
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from certs.channel_binding import channel_binding
from foundation.dn import DistinguishedName
from mailserver.imap.deadline import Deadline
from mailserver.imap.responses import Bye
from mailserver.imap.sending import write
from mailserver.imap.session import StartTls

_log = logging.getLogger(__name__)

BACKLOG = 131072  # octets of commands waiting: more are left in the kernel


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and connections. A hospital sits behind one address: the limit per address is wide."""

    before_sign_in: float = 60  # in all, not between two bytes
    idle: float = 30 * 60  # RFC 3501 5.4: at least 30 minutes
    farewell: float = 10  # for a client that no longer reads
    connections: int = 20_000
    per_address: int = 1_000


class Session(Interface):
    """A conversation that this transport carries: IMAP's, LDAP's. `context` has `inbox.on_hungry`, `tls` and `bind`."""

    @property
    def context(self) -> Any: ...
    @property
    def signed_in(self) -> bool: ...
    @property
    def at_rest(self) -> bool: ...
    @property
    def backlog(self) -> int: ...
    def receive(self, data: bytes, /) -> None: ...
    def run(self) -> AsyncGenerator[Any]: ...
    def farewell(self, text: str, /) -> bytes: ...
    def tls_started(self) -> None: ...


# The name in the certificate that the client showed on this channel; None: none, or one that is not believed.
Judge = Callable[[SSL.Connection], DistinguishedName | None]
# What is asked when that certificate signs in: whether its authority still stands by it; None: nothing more.
Vouch = Callable[[SSL.Connection], Callable[[], Awaitable[bool]] | None]


class Door(Interface):
    """What a connection needs of its factory (`factory.ImapFactory`)."""

    limits: Limits
    tls: Any
    judge: Judge
    vouch: Vouch

    def new_session(self, address: str, /) -> Session: ...
    def admit(self, protocol: ImapProtocol) -> bool: ...
    def release(self, protocol: ImapProtocol) -> None: ...


@implementer(interfaces.IPushProducer, interfaces.IHandshakeListener)
class ImapProtocol(Protocol):
    transport: Any  # Twisted types it by an interface without setTcpNoDelay, startTLS or registerProducer

    full: ClassVar[bytes] = bytes(Bye("too many connections"))

    def __init__(self, door: Door) -> None:
        self.door = door
        self.address = ""
        self._deadline = Deadline(self._expired)

    def connectionMade(self) -> None:
        self.address = self.transport.getPeer().host
        self._task: asyncio.Task[None] | None = None
        self._resumed: asyncio.Future[None] | None = None
        self._reading = True
        self._lost = False
        self.transport.setTcpNoDelay(True)
        if not self.door.admit(self):
            self.transport.write(self.full)
            self.transport.loseConnection()
            return
        self.session = self.door.new_session(self.address)
        self.session.context.inbox.on_hungry = self._read_on
        self.transport.registerProducer(self, True)
        self._deadline.allow(self.door.limits.before_sign_in)
        if not self.session.context.tls:
            self._begin()

    def handshakeCompleted(self) -> None:
        """What is announced depends on the channel: under implicit TLS the greeting waits for it."""
        channel = self.transport.getHandle()
        self.session.context.bind = channel_binding(channel)
        self.session.context.certificate = self.door.judge(channel)
        self.session.context.vouched = self.door.vouch(channel)
        if self._task is None:
            self._begin()

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            async with aclosing(self.session.run()) as pieces:
                async for piece in pieces:
                    if isinstance(piece, StartTls):
                        self.session.tls_started()
                        self.transport.startTLS(self.door.tls)
                        continue
                    write(self.transport, piece)
                    self._alive()
                    if self._resumed is not None:
                        await self._resumed
        except Exception as error:
            _log.error("%s ended by %s", type(self.session).__name__, type(error).__name__)
        finally:
            self._close()

    def _close(self) -> None:
        if self._lost:
            return  # Twisted's transport has taken itself apart
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self._deadline.allow(self.door.limits.farewell)

    def _alive(self) -> None:
        if self.session.signed_in:
            self._deadline.allow(self.door.limits.idle)

    # ---------------------------------------------------------------- from the client
    def dataReceived(self, data: bytes) -> None:
        if self._task is None or self._task.done():
            return
        self._alive()
        self.session.receive(data)
        if self._reading and self.session.backlog > BACKLOG:
            self._reading = False
            self.transport.pauseProducing()

    def _read_on(self) -> None:
        if not self._reading:
            self._reading = True
            self.transport.resumeProducing()

    def connectionLost(self, reason: Any = None) -> None:
        self._lost = True
        self._deadline.cancel()
        self.door.release(self)
        if self._task is not None:
            self._task.cancel()

    def _expired(self) -> None:
        if self._task is None or self._task.done() or self._resumed is not None:
            self.transport.abortConnection()
        else:
            self.leave("idle for too long")

    def leave(self, text: str) -> None:
        """Ends the connection, telling the client why."""
        if self._task is None:
            self.transport.abortConnection()
            return
        if self.session.at_rest:  # elsewhere the words would land inside an answer
            self.transport.write(self.session.farewell(text))
        self._task.cancel()

    # ---------------------------------------------------------------- from the transport (IPushProducer)
    def pauseProducing(self) -> None:
        if self._resumed is None:
            self._resumed = asyncio.get_running_loop().create_future()

    def resumeProducing(self) -> None:
        resumed, self._resumed = self._resumed, None
        if resumed is not None and not resumed.done():
            resumed.set_result(None)

    def stopProducing(self) -> None:
        if self._task is not None:
            self._task.cancel()

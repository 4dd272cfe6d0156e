"""The Twisted transport of a session: bytes, TLS, timeouts, back-pressure, limits. No IMAP here.

Runs on Twisted's asyncio reactor; each connection is one task on that loop. Measured: Nagle's algorithm stalls a quarter of
the FETCHes 40 ms under Twisted, so TCP_NODELAY is set here; writes of 64 KB are the cheapest (session.WRITE).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from twisted.internet import interfaces
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.protocols.policies import TimeoutMixin
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from mailserver.imap.responses import Bye
from mailserver.imap.session import ImapSession, StartTls

_log = logging.getLogger(__name__)

BACKLOG = 131072  # octets of commands waiting: more are left in the kernel


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and connections. A hospital sits behind one address: the limit per address is wide."""

    before_sign_in: int = 60  # in all, not between two bytes
    idle: int = 30 * 60  # RFC 3501 5.4: at least 30 minutes
    farewell: int = 10  # for a client that no longer reads
    connections: int = 20_000
    per_address: int = 1_000


@implementer(interfaces.IPushProducer)
class ImapProtocol(Protocol, TimeoutMixin):
    factory: ImapFactory

    def connectionMade(self) -> None:
        self._address = self.transport.getPeer().host
        self._task: asyncio.Task[None] | None = None
        self._resumed: asyncio.Future[None] | None = None
        self._reading = True
        self.transport.setTcpNoDelay(True)
        if not self.factory.admit(self):
            self.transport.write(bytes(Bye("too many connections")))
            self.transport.loseConnection()
            return
        self.session = self.factory.new_session(self._address)
        self.session.context.inbox.on_hungry = self._read_on
        self.transport.registerProducer(self, True)
        self.setTimeout(self.factory.limits.before_sign_in)
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def address(self) -> str:
        return str(self._address)

    async def _run(self) -> None:
        try:
            async with aclosing(self.session.run()) as pieces:
                async for piece in pieces:
                    if isinstance(piece, StartTls):
                        self.session.tls_started()
                        self.transport.startTLS(self.factory.tls)
                        continue
                    self.transport.write(piece)
                    self._alive()
                    if self._resumed is not None:
                        await self._resumed
        except Exception as error:
            _log.error("imap session ended by %s", type(error).__name__)
        finally:
            self._close()

    def _close(self) -> None:
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self.setTimeout(self.factory.limits.farewell)

    def _alive(self) -> None:
        if self.session.signed_in:
            self.setTimeout(self.factory.limits.idle)

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
        self.setTimeout(None)
        self.factory.release(self)
        if self._task is not None:
            self._task.cancel()

    def timeoutConnection(self) -> None:
        if self._task is None or self._task.done() or self._resumed is not None:
            self.transport.abortConnection()
        else:
            self.leave("idle for too long")

    def leave(self, text: str) -> None:
        """Ends the connection, telling the client why."""
        self.transport.write(bytes(Bye(text)))
        if self._task is not None:
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


class ImapFactory(ServerFactory):
    """`new_session(client_ip)` makes the session of a connection; `tls` is the context factory for STARTTLS, read anew by
    Twisted at each handshake, so a rotated certificate serves the next one."""

    protocol = ImapProtocol
    noisy = False

    def __init__(
        self, new_session: Callable[[str], ImapSession], tls: Any = None, limits: Limits | None = None
    ) -> None:
        self.new_session = new_session
        self.tls = tls
        self.limits = limits or Limits()
        self._open: set[ImapProtocol] = set()
        self._per_address: Counter[str] = Counter()

    def __len__(self) -> int:
        """Connections open."""
        return len(self._open)

    def admit(self, protocol: ImapProtocol) -> bool:
        full = len(self._open) >= self.limits.connections
        if full or self._per_address[protocol.address] >= self.limits.per_address:
            return False
        self._open.add(protocol)
        self._per_address[protocol.address] += 1
        return True

    def release(self, protocol: ImapProtocol) -> None:
        if protocol in self._open:
            self._open.discard(protocol)
            self._per_address[protocol.address] -= 1
            if not self._per_address[protocol.address]:
                del self._per_address[protocol.address]

    async def shut_down(self, patience: float = 2.0) -> None:
        """Says BYE to everybody and waits, at most `patience` seconds, until they are gone."""
        for protocol in tuple(self._open):
            protocol.leave("the server is going down")
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._open:
                    await asyncio.sleep(0.01)


def over_tls(factory: ImapFactory, tls: Any) -> TLSMemoryBIOFactory:
    """The factory for port 993. The session batches its writes: Twisted's buffering TLS class would only add a timer."""
    wrapped = TLSMemoryBIOFactory(tls, False, factory)
    wrapped.protocol = TLSMemoryBIOProtocol
    return wrapped

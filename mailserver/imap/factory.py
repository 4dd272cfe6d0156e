"""Who is connected, and how many may be (Twisted factory); TLS for port 993 is put around it by `over_tls`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from foundation.places import place_of
from mailserver.imap.protocol import ImapProtocol, Judge, Limits, Session, Vouch
from mailserver.imap.sending import PromptTls


class ImapFactory(ServerFactory):
    """`new_session(client_ip)` makes the session of a connection; `tls` is the context factory for STARTTLS, read anew by
    Twisted at each handshake, so a rotated certificate serves the next one. `judge`: for clients that are asked
    for a certificate; `vouch`: what is asked once it signs in."""

    noisy = False
    protocol: type[ImapProtocol] = ImapProtocol

    def __init__(
        self,
        new_session: Callable[[str], Session],
        tls: Any = None,
        limits: Limits | None = None,
        judge: Judge = lambda _: None,
        vouch: Vouch = lambda _: None,
    ) -> None:
        self.new_session = new_session
        self.tls = tls
        self.judge, self.vouch = judge, vouch
        self.limits = limits or Limits()
        self._open: set[ImapProtocol] = set()
        self._per_address: Counter[str] = Counter()
        self._empty = asyncio.Event()

    def buildProtocol(self, addr: IAddress | None) -> ImapProtocol:
        return self.protocol(self)

    def __len__(self) -> int:
        """Connections open."""
        return len(self._open)

    def admit(self, protocol: ImapProtocol) -> bool:
        place = place_of(protocol.address)
        full = len(self._open) >= self.limits.connections
        if full or self._per_address[place] >= self.limits.per_address:
            return False
        self._open.add(protocol)
        self._per_address[place] += 1
        return True

    def release(self, protocol: ImapProtocol) -> None:
        if protocol in self._open:
            self._open.discard(protocol)
            place = place_of(protocol.address)
            self._per_address[place] -= 1
            if not self._per_address[place]:
                del self._per_address[place]
        if not self._open:
            self._empty.set()

    async def shut_down(self, patience: float = 2.0) -> None:
        """Says BYE to everybody and waits, at most `patience` seconds, until they are gone."""
        for protocol in tuple(self._open):
            protocol.leave("the server is going down")
        self._empty.clear()
        if self._open:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), patience)


def over_tls(factory: Any, tls: Any) -> TLSMemoryBIOFactory:
    """The factory for port 993. The session batches its writes: Twisted's buffering TLS class would only add a timer."""
    wrapped = TLSMemoryBIOFactory(tls, False, factory)
    wrapped.protocol = PromptTls
    return wrapped

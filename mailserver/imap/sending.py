"""Twisted's side of a connection, sending what is written when it is written.

Left to the reactor, each answer waits for a turn of the loop, and its wish to write costs three calls of epoll. Only what the
kernel does not take waits for the reactor; producers are paused and resumed by Twisted as ever.
"""

from __future__ import annotations

from typing import Any

from OpenSSL.SSL import Error, WantReadError
from twisted.internet.tcp import Server
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

RECORD = 16384  # octets, the most that one record of TLS holds
AROUND = 256  # octets, more than each record adds of its own (RFC 8446 5.2)


class PromptServer(Server):
    """`_tempDataLen` is a private name of Twisted (pinned): octets written since the last `doWrite`."""

    _held = False

    def startWriting(self) -> None:
        if self._held and self._tempDataLen:
            return
        fresh = self._tempDataLen and not self.dataBuffer
        if fresh and self.doWrite() is None and not self.dataBuffer:  # type: ignore[no-untyped-call]
            return
        super().startWriting()  # type: ignore[no-untyped-call]  # a fault, too, is the reactor's to meet

    def hold(self) -> None:
        """What is written until `send` leaves in one piece: TLS writes its records one by one."""
        self._held = True

    def send(self) -> None:
        self._held = False
        if self._tempDataLen:
            self.startWriting()


class PromptTls(TLSMemoryBIOProtocol):
    """TLS that hands its records on together; Twisted's own copies each one out and in by itself. Names that begin with `_` are
    private to Twisted (pinned)."""

    transport: Any  # Twisted types it by an interface without octets

    def _write(self, octets: bytes) -> None:
        if self._lostTLSConnection:
            return
        left = memoryview(octets)
        try:
            while left:
                left = left[self._tlsConnection.send(left) :]  # a record at a time
        except WantReadError:
            self._bufferedWrite(bytes(left))  # type: ignore[no-untyped-call]
        except Error:
            self._tlsShutdownFinished(Failure())  # type: ignore[no-untyped-call]
            return
        if len(left) < len(octets):
            # Room for the records' own octets, and for one of a handshake.
            room = len(octets) + RECORD + len(octets) // RECORD * AROUND
            self.transport.write(self._tlsConnection.bio_read(room))


def write(transport: Any, octets: bytes) -> None:
    """To a protocol's transport, TLS or not."""
    below = getattr(transport, "transport", transport)  # STARTTLS puts its layer inside
    if not isinstance(below, PromptServer):
        transport.write(octets)
        return
    below.hold()
    try:
        transport.write(octets)
    finally:
        below.send()


def prompt(port: Any) -> Any:
    """A listening `Port`; the connections it accepts from now on send so."""
    port.transport = PromptServer
    return port

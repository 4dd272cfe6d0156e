"""Twisted's side of a connection, sending what is written when it is written.

Left to the reactor, each answer waits for a turn of the loop, and its wish to write costs three calls of epoll. Only what the
kernel does not take waits for the reactor; producers are paused and resumed by Twisted as ever.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Server


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

"""uvicorn's HTTP/1.1 connection with the limits that it lacks: time and size of a request's head, time of its body, connections.

Without them one machine holds thousands of connections with half a request each, or sends a header without end, and the mail
doors of the same process starve with the pages.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_OCTETS = 300_000  # a browser's is under 10 KB; the loop reads up to 256 KB at once, body included
HEAD_SECONDS = 30.0
BODY_SECONDS = 600.0  # 20 MB at 35 KB a second
CONNECTIONS = 5_000


class WebConnection(HttpToolsProtocol):
    """For `uvicorn.Config(http=...)`."""

    _clock: asyncio.TimerHandle | None = None
    _in_head = False
    _head = 0  # octets of the unfinished head

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        else:
            self._allow(HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        at_rest = self.cycle is None or self.cycle.response_complete
        if self._clock is None and at_rest:
            self._allow(HEAD_SECONDS)
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > HEAD_OCTETS:
                self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head = True, 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False
        self._allow(BODY_SECONDS)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._stop_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def _allow(self, seconds: float) -> None:
        self._stop_clock()
        self._clock = self.loop.call_later(seconds, self.transport.abort)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

"""A TLS connection as asyncio's protocols see one, over `certs.tls_session`: the transport they are given, and the wire below it.

`get_extra_info` answers `"peercert_der"` (bytes or None), `"peer_chain_der"` (tuple of bytes, leaf excluded), `"stapled"`,
`"channel_binding"` and `"cipher"`; other names go to the socket's transport. Certificates are not judged here.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from OpenSSL import SSL

from certs.tls_session import TlsError, TlsSession

MAX_UNREAD = (
    1_000_000  # bytes; answers to key updates pile up when a hostile peer reads nothing, and no application is asked
)
CLOSE_SECONDS = 30.0  # a peer that reads nothing cannot keep a closed connection for longer


class TlsTransport(asyncio.Transport):
    """The face shown to the application's protocol."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        session = self._wire.session
        match name:
            case "peercert_der":
                return session.peer_certificate()
            case "peer_chain_der":
                return session.peer_chain()
            case "stapled":
                return session.stapled()
            case "channel_binding":
                return session.channel_binding()
            case "cipher":
                return session.cipher()
            case "ssl_object" | "sslcontext":
                return default
        return self._wire.raw.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._wire.write(data)

    def writelines(self, list_of_data: Any) -> None:
        self._wire.write(b"".join(list_of_data))  # one record for many small lines

    def close(self) -> None:
        self._wire.close()

    def abort(self) -> None:
        self._wire.raw.abort()

    def is_closing(self) -> bool:
        return self._wire.closing or self._wire.raw.is_closing()

    def can_write_eof(self) -> bool:
        return False

    def write_eof(self) -> None:
        raise NotImplementedError("TLS has no half-close here")

    def pause_reading(self) -> None:
        self._wire.pause_reading()

    def resume_reading(self) -> None:
        self._wire.resume_reading()

    def is_reading(self) -> bool:
        return not self._wire.paused and not self.is_closing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._wire.raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._wire.raw.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._wire.raw.get_write_buffer_limits()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        if not isinstance(protocol, asyncio.Protocol):
            raise TypeError("buffered protocols are not supported")
        self._wire.app = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._wire.app


class Wire(asyncio.Protocol):
    """The protocol on the socket's transport: handshake, then records both ways.

    `app_connected`: the application has had connection_made, so it must get connection_lost. `ready`: handshake over
    and delivery begun.
    """

    raw: asyncio.Transport

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: SSL.Context,
        app: asyncio.Protocol,
        done: asyncio.Future[None] | None,
        handshake_seconds: float,
        server_name: str | None = None,
    ) -> None:
        self.app = app
        self.session = TlsSession(context, server_name)
        self.face = TlsTransport(self)
        self.closing = self.paused = False
        self._loop, self._done, self._seconds = loop, done, handshake_seconds
        self._app_connected = done is not None
        self._shaken = self._ready = self._eof = self._eof_told = False
        self._timer: asyncio.TimerHandle | None = None

    # -- from the socket --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.raw = cast(asyncio.Transport, transport)  # uvloop's is one in behaviour only
        self._timer = self._loop.call_later(self._seconds, self._fail, TlsError("handshake timeout"))

    def data_received(self, data: bytes) -> None:
        if self.closing:
            return
        self.session.receive(data)
        if self._ready:
            self._deliver()
        elif not self._shaken:
            self._shake()

    def eof_received(self) -> bool:
        """True keeps the socket open for what the application still has to read and to say."""
        self._eof = True
        if not self._shaken:
            self._fail(TlsError("connection closed during handshake"))
        elif self._ready:
            self._deliver()
        return not self.closing

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.closing = True
        self._finish(exc if isinstance(exc, TlsError) else TlsError("connection lost during handshake"))
        if self._app_connected:
            self._app_connected = False
            self.app.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._app_connected:
            self.app.pause_writing()

    def resume_writing(self) -> None:
        if self._app_connected:
            self.app.resume_writing()

    # -- handshake --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The client speaks first."""
        self._shake()

    def _shake(self) -> None:
        try:
            self._shaken = self.session.handshake()
        except TlsError as error:
            self._fail(error)
            return
        self._flush()
        if self._shaken:
            self._stop_timer()
            self._finish(None)
            self._loop.call_soon(self._begin)  # after the task woken by _finish has run

    def _begin(self) -> None:
        if self.closing:
            return
        self._ready = True
        if not self._app_connected:
            self._app_connected = True
            self.app.connection_made(self.face)
        self._deliver()

    def _finish(self, error: TlsError | None) -> None:
        if self._done is None or self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)

    def _fail(self, error: TlsError) -> None:
        if self.closing:
            return
        self.closing = True
        self._stop_timer()
        self._flush()  # the alert
        self._finish(error)
        self._leave()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- reading ----------------------------------------------------------------------------------------------------

    def _deliver(self) -> None:
        """Hands decrypted data over until there is none, or the application pauses or closes."""
        while self._ready and not self.paused and not self.closing:
            try:
                data = self.session.read()
            except TlsError as error:
                self._fail(error)
                return
            if data:
                self.app.data_received(data)
                if self.session.dry and not self._eof:
                    break
                continue
            if data == b"" or self._eof:  # close_notify, or the socket's end: lines cut short end the same way
                self._end_of_input()
            break
        if not self.closing and self._flush() and self.raw.get_write_buffer_size() > MAX_UNREAD:
            self._fail(TlsError("too many key updates and nothing read"))

    def _end_of_input(self) -> None:
        if self._eof_told:
            return
        self._eof_told = True
        if not self.app.eof_received():
            self.close()

    def pause_reading(self) -> None:
        if not self.paused and not self.closing:
            self.paused = True
            if self.raw.is_reading():
                self.raw.pause_reading()

    def resume_reading(self) -> None:
        if self.paused and not self.closing:
            self.paused = False
            if not self._eof and not self.raw.is_closing():
                self.raw.resume_reading()
            self._loop.call_soon(self._deliver)

    # -- writing ----------------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.closing or not data:
            return
        if not self._shaken:
            raise RuntimeError("write before the end of the handshake")
        try:
            self.session.write(data)
        except TlsError as error:
            self._fail(error)
            return
        self._flush()

    def _flush(self) -> bool:
        """Sends what TLS has to say; True when there was something."""
        data = self.session.outgoing()
        if data and not self.raw.is_closing():
            self.raw.write(data)
        return bool(data)

    def close(self) -> None:
        """Says close_notify and closes once everything is sent; does not wait for the peer's (RFC 8446 6.1)."""
        if self.closing:
            return
        self.closing = True
        self._stop_timer()
        if self._shaken:
            self.session.close()
            self._flush()
        self._leave()

    def _leave(self) -> None:
        self.raw.close()
        self._timer = self._loop.call_later(CLOSE_SECONDS, self.raw.abort)

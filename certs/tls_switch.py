"""A plain connection becomes TLS: STARTTLS on both sides, and implicit TLS; clients may present any certificate, or none.

`start_tls_server` does what `loop.start_tls(..., server_side=True)` does, over `certs.tls_session` instead of the `ssl` module, on
uvloop and on plain asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from OpenSSL import SSL

from certs.tls_session import TlsError
from certs.tls_transport import TlsTransport, Wire

HANDSHAKE_SECONDS = 30.0


async def start_tls_server(
    loop: asyncio.AbstractEventLoop,
    transport: asyncio.Transport,
    protocol: asyncio.Protocol,
    context: SSL.Context,
    *,
    reply: bytes = b"",
    early: bytes = b"",
    handshake_seconds: float = HANDSHAKE_SECONDS,
) -> TlsTransport:
    """Turns a plain connection into TLS and returns the transport to use from now on; `protocol` gets no second
    connection_made.

    `reply` (the 220 of STARTTLS) is sent in clear after the switch, so that no byte of the client's hello can reach
    `protocol`. `early` is what was read already of the client's hello (implicit TLS). Data that came with the end of the
    handshake is delivered only after the caller has run. Raises TlsError: the connection is then closed, and
    `protocol.connection_lost` is called once, as for any loss.
    """
    done: asyncio.Future[None] = loop.create_future()
    wire = Wire(loop, context, protocol, done, handshake_seconds)

    def speak() -> None:
        if reply:
            transport.write(reply)
        if early:
            wire.data_received(early)

    return await _shaken(transport, wire, done, speak)


async def start_tls_client(
    loop: asyncio.AbstractEventLoop,
    transport: asyncio.Transport,
    protocol: asyncio.Protocol,
    context: SSL.Context,
    server_name: str,
    handshake_seconds: float = HANDSHAKE_SECONDS,
) -> TlsTransport:
    """As `start_tls_server`, from the other side: whose certificate it is must be judged before anything is said."""
    done: asyncio.Future[None] = loop.create_future()
    wire = Wire(loop, context, protocol, done, handshake_seconds, server_name)
    return await _shaken(transport, wire, done, wire.begin)


async def _shaken(
    transport: asyncio.Transport, wire: Wire, done: asyncio.Future[None], speak: Callable[[], None]
) -> TlsTransport:
    """The switch, in this order; `speak` is what this side has to do first."""
    if transport.is_closing():
        raise TlsError("connection closed")
    if transport.is_reading():
        transport.pause_reading()  # uvloop changes its read callbacks with the protocol only while paused
    transport.set_protocol(wire)
    wire.connection_made(transport)
    speak()
    if not transport.is_closing():
        transport.resume_reading()
    try:
        await done
    except asyncio.CancelledError:
        transport.abort()
        raise
    return wire.face


def tls_server_factory(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], asyncio.Protocol],
    current_context: Callable[[], SSL.Context],
    handshake_seconds: float = HANDSHAKE_SECONDS,
) -> Callable[[], asyncio.Protocol]:
    """For implicit TLS: give the result to `loop.create_server`; the inner protocol's `connection_made` comes after the
    handshake.

    `current_context` is asked for each connection (rotation without restart).
    """
    return lambda: Wire(loop, current_context(), protocol_factory(), None, handshake_seconds)

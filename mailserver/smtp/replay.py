"""TLS from the first octet on a connection that was already read from (port 465).

uvloop begins to read as soon as `connection_made` returns, whatever was asked there, so the client's hello may reach the session
before TLS is in place. It is handed on to the TLS protocol here, through the public methods of asyncio's protocols, before the
loop reads again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def hand_over(
    upgrade: Awaitable[asyncio.Transport], transport: asyncio.Transport, early: Callable[[], bytes]
) -> asyncio.Transport:
    """Runs `upgrade`, and gives what `early()` returns to the protocol that it puts on `transport`."""
    task = asyncio.ensure_future(upgrade)
    await asyncio.sleep(
        0
    )  # it runs up to its first wait: reading paused, TLS protocol in place, its connection_made scheduled
    await asyncio.sleep(0)  # that has run; the loop has not read since
    if not task.done() and (data := early()):
        feed(transport.get_protocol(), data)
    try:
        return await task
    except asyncio.CancelledError:
        task.cancel()
        raise


def feed(protocol: asyncio.BaseProtocol, data: bytes) -> None:
    """`data` as if it had just been read from the socket."""
    if isinstance(protocol, asyncio.Protocol):
        protocol.data_received(data)
        return
    view = memoryview(data)
    while view:
        room: memoryview = memoryview(protocol.get_buffer(len(view))).cast("B")  # type: ignore[attr-defined]
        size = min(len(room), len(view))
        room[:size] = view[:size]
        protocol.buffer_updated(size)  # type: ignore[attr-defined]
        view = view[size:]

"""INPROGRESS (RFC 9585): a word now and then while a command takes long, so that no client or firewall gives up on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from mailserver.imap.responses import Ok, Response, Untagged


async def reporting(responses: AsyncGenerator[Response], tag: bytes, every: float) -> AsyncGenerator[Response]:
    """`responses`, and before the first of them INPROGRESS each `every` seconds.

    Behind the first one nothing: it may be half a literal, and it shows that we are there.
    """
    first = asyncio.ensure_future(anext(responses))
    try:
        while not (await asyncio.wait({first}, timeout=every))[0]:
            yield Untagged(Ok("still at it", f'INPROGRESS ("{tag.decode("ascii")}" NIL NIL)'))
            yield b""  # sent at once
        yield first.result()
        async for response in responses:
            yield response
    finally:
        if not first.done():
            first.cancel()
            await asyncio.wait({first})
        await responses.aclose()

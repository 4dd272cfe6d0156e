"""What a session turns on: ENABLE (RFC 5161), COMPRESS (RFC 4978), IDLE (RFC 2177)."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from mailserver.imap import responses
from mailserver.imap.capabilities import ENABLEABLE, capabilities
from mailserver.imap.commands.auth import Compress, Enable, Idle
from mailserver.imap.context import Context
from mailserver.imap.framer import Frame, LiteralOffer
from mailserver.imap.responses import Bad, Continue, No, Ok, Response, Untagged


async def enable(ctx: Context, command: Enable) -> AsyncGenerator[Response]:
    """What is not announced is not enabled (Strato's empty mailboxes: IMAP4rev2 behind the client's back)."""
    known = [name for name in capabilities(ctx) if name in ENABLEABLE]
    names = tuple(name for name in known if name.upper().encode("ascii") in command.names)
    had_modseqs = ctx.condstore
    for name in names:
        for mode in ENABLEABLE[name]:
            setattr(ctx.modes, mode, True)
    yield responses.Enabled(names)
    if ctx.condstore and not had_modseqs and ctx.view is not None:
        yield Untagged(Ok("highest mod-sequence", f"HIGHESTMODSEQ {ctx.view.highest_modseq}"))
    yield Ok("ENABLE completed")


async def compress(ctx: Context, command: Compress) -> AsyncGenerator[Response]:
    if command.algorithm != b"DEFLATE":
        raise Bad("no such compression")
    if ctx.inbox.deflate is not None:
        raise No("compression is on already", "COMPRESSIONACTIVE")  # RFC 4978 3
    ctx.start_deflate = True
    yield Ok("DEFLATE active")


async def idle(ctx: Context, command: Idle) -> AsyncGenerator[Response]:
    """The watch runs since SELECT; one look after the continuation catches what its signal may have missed."""
    yield Continue(b"idling")
    if ctx.view is not None:
        await ctx.refresh()
    while True:
        async for response in ctx.news():
            yield response
        yield b""  # an empty response: send what is there, we may sleep for half an hour
        event = await ctx.inbox.event_or_wake()
        if event is None:
            ctx.inbox.woken = False
            if ctx.view is not None:
                await ctx.refresh()
        elif isinstance(event, Frame) and event.line.strip().upper() == b"DONE":
            yield Ok("IDLE completed")
            return
        else:
            if isinstance(event, LiteralOffer):
                ctx.inbox.framer.refuse()
            raise Bad("DONE expected")

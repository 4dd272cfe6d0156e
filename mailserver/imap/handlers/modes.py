"""What a session turns on: ENABLE (RFC 5161), COMPRESS (RFC 4978), IDLE (RFC 2177), NOTIFY (RFC 5465)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial

from mailserver.imap import responses
from mailserver.imap.capabilities import ENABLEABLE, capabilities
from mailserver.imap.commands.auth import Compress, Enable, Idle
from mailserver.imap.commands.notify import Notify
from mailserver.imap.context import Context
from mailserver.imap.framer import Frame, LiteralOffer
from mailserver.imap.notices import OVERFLOW, Notices, TooMany
from mailserver.imap.responses import Bad, Continue, No, Ok, Response, Untagged
from mailserver.imap.telling import untold


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


async def notify(ctx: Context, command: Notify) -> AsyncGenerator[Response]:
    """RFC 5465 3.1: what was not told yet is told first, as for NOOP; from then on only what is asked for."""
    visible = partial(ctx.folders, "lr")
    notices = Notices(ctx.store, ctx.seats, visible, command.groups, ctx.inbox.wake)
    news: list[Response] = []
    try:
        await notices.begin()
        if command.groups and ctx.view is not None:
            await ctx.refresh()
            news = [response async for response in untold(ctx)]
    except TooMany:
        raise No("too many folders to watch", OVERFLOW) from None
    except BaseException:
        notices.end()
        raise
    ctx.hear(notices)
    for response in news:
        yield response
    if command.status:
        for line in notices.statuses(ctx.view.folder.id if ctx.view is not None else None, ctx.modes):
            yield line
    yield Ok("NOTIFY completed")


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
    await ctx.catch_up_at_rest()
    while True:
        async for response in untold(ctx):
            yield response
        yield b""  # an empty response: send what is there, we may sleep for half an hour
        event = await ctx.inbox.event_or_wake()
        if event is None:
            await ctx.catch_up_at_rest()
        elif isinstance(event, Frame) and event.line.strip().upper() == b"DONE":
            yield Ok("IDLE completed")
            return
        else:
            if isinstance(event, LiteralOffer):
                ctx.inbox.framer.refuse()
            raise Bad("DONE expected")

"""APPEND and REPLACE: new messages, put together here when they come in pieces (RFC 4469)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from mailserver.imap.commands.append import Append, Appended, Piece, Replace, Url
from mailserver.imap.context import Context
from mailserver.imap.fetch_items import fields_of, span, window
from mailserver.imap.handlers.messages import chosen
from mailserver.imap.responses import Bad, No, Ok, Response, Untagged
from mailserver.imap.rights import permitted
from mailserver.imap.telling import untold
from mailserver.imap.urls import MessageUrl, parse_url
from mailserver.imap.wire import number_set
from mailserver.mime.fields import MAX_HEADER
from mailserver.store.api import Folder, NewMessage, Spool

PIECE = 262144  # octets of a stored message held at a time


async def append(ctx: Context, command: Append) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name, missing="TRYCREATE")
    messages: list[NewMessage] = []
    total = 0
    for message in command.messages:
        messages.append(await _message(ctx, folder, message))
        total += messages[-1].size
        if total > ctx.settings.command_limit:  # of URLs too, whose sizes the command does not say
            raise No(f"the messages of one command have at most {ctx.settings.command_limit} octets", "TOOBIG")
    uids = await ctx.store.append(folder.id, messages, team=ctx.seat_of(folder).who.team)
    ctx.known.counted(folder.id, added=len(uids))
    if ctx.view is not None and ctx.view.folder.id == folder.id:
        ctx.mine = uids
        await ctx.refresh()  # RFC 3501 6.3.11: EXISTS at once
    yield Ok("APPEND completed", _append_code(folder, uids))


async def replace(ctx: Context, command: Replace) -> AsyncGenerator[Response]:
    """APPENDUID comes before the EXPUNGE (RFC 8508 4.3)."""
    view = ctx.writable()
    indices = chosen(view, command.replaced, command.uid)
    if len(indices) > 1:
        raise Bad("one message is replaced at a time")
    folder = await ctx.folder(command.name, missing="TRYCREATE")
    if not indices:
        raise No("the message is gone", "EXPUNGEISSUED")
    message = await _message(ctx, folder, command.message)
    by = ctx.seat_of(folder).who.member
    uid = await ctx.store.replace(view.folder.id, view.uids[indices[0]], folder.id, message, by)
    ctx.known.counted(view.folder.id, gone=1)
    ctx.known.counted(folder.id, added=1)
    yield Untagged(Ok("replacement stored", _append_code(folder, [uid])))
    await ctx.refresh()
    async for response in untold(ctx):
        yield response
    yield Ok("REPLACE completed", f"HIGHESTMODSEQ {ctx.selected.highest_modseq}" if ctx.modes.qresync else None)


def _append_code(folder: Folder, uids: list[int]) -> str:
    return f"APPENDUID {folder.uid_validity} {number_set(uids).decode()}"


async def _message(ctx: Context, folder: Folder, message: Appended) -> NewMessage:
    [first, *others] = message.pieces
    content = await _together(ctx, message.pieces) if others or isinstance(first, Url) else first
    made = NewMessage(content, permitted(message.flags, ctx.rights(folder)), message.internal_date)
    if not made.size:
        raise No("an empty message cannot be stored")
    return made


async def _together(ctx: Context, pieces: tuple[Piece, ...]) -> Spool:
    spool, limit = ctx.spool(), ctx.settings.append_limit
    for piece in pieces:
        async for octets in _octets(ctx, piece):
            if spool.size + len(octets) > limit:
                raise No(f"a message has at most {limit} octets", "TOOBIG")
            spool.write(octets)
    spool.end()
    return spool


async def _octets(ctx: Context, piece: Piece) -> AsyncIterator[bytes]:
    if isinstance(piece, bytes):
        yield piece
    elif isinstance(piece, Url):
        async for octets in _fetched(ctx, piece.text):
            yield octets
    else:
        pieces = piece.pieces()
        while octets := await asyncio.to_thread(next, pieces, b""):
            yield octets


async def _fetched(ctx: Context, text: str) -> AsyncIterator[bytes]:
    """As FETCH BODY.PEEK would give it; only from the mailbox of who is signed in."""
    bad = No("no such message or part here", f"BADURL {_shown(text)}")
    url = parse_url(text)
    folder = None if url is None else await _folder(ctx, url)
    if url is None or folder is None:
        raise bad
    cards = [card async for _, card in ctx.store.cards(folder.id, [url.uid])]
    item = url.item
    found = span(item, cards[0], cards[0].parts["TEXT"].end) if cards else None
    if found is None:
        raise bad
    start, end = found
    if url.section.fields:
        kept = fields_of(item)(await _piece_of(ctx, folder, url.uid, start, min(end, start + MAX_HEADER), bad))
        yield kept[slice(*window(item, 0, len(kept)))]
        return
    start, end = window(item, start, end)
    for at in range(start, end, PIECE):
        yield await _piece_of(ctx, folder, url.uid, at, min(at + PIECE, end), bad)


async def _folder(ctx: Context, url: MessageUrl) -> Folder | None:
    if url.mailbox is None:
        folder = ctx.view.folder if ctx.view is not None else None
    else:
        try:
            folder = await ctx.folder(url.mailbox, needs="r")
        except No:
            return None
    if folder is None or url.uid_validity not in (None, folder.uid_validity):
        return None
    return folder


async def _piece_of(ctx: Context, folder: Folder, uid: int, start: int, end: int, bad: No) -> bytes:
    found = await ctx.store.content(folder.id, uid, start, end - start)
    if found is None:
        raise bad
    return found


def _shown(url: str) -> str:
    """RFC 4469 5: url-resp-text has neither `]` nor line ends; in ASCII, for the reply is."""
    return "".join(sign if sign.isascii() and sign.isprintable() and sign not in "\\]" else "?" for sign in url)

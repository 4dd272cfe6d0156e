"""Whether the octets of a literal are wanted (RFC 9051 4.3, RFC 7888): sizes and states speak before they come, then a place is
made for them, on disk when they are many."""

from __future__ import annotations

from mailserver.imap.commands.append import target_of
from mailserver.imap.context import Context
from mailserver.imap.framer import LiteralOffer
from mailserver.imap.responses import Bad, No
from mailserver.store.api import StoreError

# Octets of literals in one command: sign-in needs two short strings, SEARCH and folder names a little more.
LITERALS_BEFORE_SIGN_IN = 4096
LITERALS = 65536
# Each time that a command's octets pass a multiple of it the quota is asked before they are sent; APPEND asks again in any case.
WORTH_ASKING = 262144
# Literals above this size are written to disk as they come (`foundation.blobs.CHUNK`: below it they would stay in memory anyway).
SPOOLED = 65536
GATHERED = 16 << 20  # octets of the others, of one command: 256 messages of 64 KB


async def welcome(ctx: Context, offer: LiteralOffer) -> No | Bad | None:
    """Why it is not taken; None: the octets may come."""
    return await _judge(ctx, offer) or _accept(ctx, offer)


async def _judge(ctx: Context, offer: LiteralOffer) -> No | Bad | None:
    """Sizes and states speak before the octets come."""
    if ctx.identity is None:
        return Bad("literal too large") if offer.total > LITERALS_BEFORE_SIGN_IN else None
    if _takes_messages(offer.line):
        return await _judge_message(ctx, offer)
    return Bad("literal too large") if offer.total > LITERALS else None


async def _judge_message(ctx: Context, offer: LiteralOffer) -> No | None:
    settings = ctx.settings
    if offer.size > settings.append_limit:
        return No(f"a message has at most {settings.append_limit} octets", "TOOBIG")
    if offer.total > settings.command_limit:
        return No(f"the messages of one command have at most {settings.command_limit} octets", "TOOBIG")
    if offer.total // WORTH_ASKING > (offer.total - offer.size) // WORTH_ASKING:
        used, quota = await ctx.store.quota(await _target_box(ctx, offer.line))
        if used + offer.total > quota:
            return No("the mailbox is full", "OVERQUOTA")
    return None


async def _target_box(ctx: Context, line: bytes) -> int:
    name = target_of(line, ctx.modes) or "INBOX"
    try:
        return (await ctx.place(name)).seat.box_id
    except StoreError:
        return ctx.box_id


def _accept(ctx: Context, offer: LiteralOffer) -> No | None:
    """To disk when it is large and may be, else into memory."""
    framer = ctx.inbox.framer
    if not (ctx.identity is not None and offer.size > SPOOLED and _takes_messages(offer.line)):
        if framer.gathered + offer.size > GATHERED:
            return No(f"small messages of one command have at most {GATHERED} octets", "LIMIT")
        framer.accept()
        return None
    try:
        framer.accept(ctx.spool(offer.size))
    except StoreError as full:
        return No(full.text, full.code)
    return None


def _takes_messages(line: bytes) -> bool:
    words = line.upper().split(b" ", 3)[1:]
    return words[:1] in ([b"APPEND"], [b"REPLACE"]) or words[:2] == [b"UID", b"REPLACE"]

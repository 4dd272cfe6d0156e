"""QUOTA (RFC 9208): what a mailbox holds and may hold. All folders of a mailbox have one root: "", or a shared mailbox's address.

Limits are the operator's affair. Where the operator lets them, who holds a mailbox sets its own by SETQUOTA (QUOTASET).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from mailserver.imap.commands.auth import GetQuota, GetQuotaRoot, SetQuota
from mailserver.imap.context import Context
from mailserver.imap.member import not_permitted
from mailserver.imap.responses import Bad, No, Ok, Response
from mailserver.imap.responses_folders import Quota, QuotaRoot
from mailserver.imap.seats import Seat
from mssante.rights import OF_ROLE

UNIT = 1024  # octets, of STORAGE (RFC 9208 5.1)


async def get_quota(ctx: Context, command: GetQuota) -> AsyncGenerator[Response]:
    yield await _quota(ctx, await _seat(ctx, command.root))
    yield Ok("GETQUOTA completed")


async def get_quota_root(ctx: Context, command: GetQuotaRoot) -> AsyncGenerator[Response]:
    """Also of a folder that does not exist yet (RFC 9208 4.1.2)."""
    place = await ctx.place(command.name)
    yield QuotaRoot(place.shown, place.seat.root, ctx.utf8)
    yield await _quota(ctx, place.seat)
    yield Ok("GETQUOTAROOT completed")


async def set_quota(ctx: Context, command: SetQuota) -> AsyncGenerator[Response]:
    """By who holds the mailbox, where the operator lets them: up to what they may have, or have already."""
    most = ctx.settings.holder_quota
    if not most:
        raise Bad("no such command")
    seat = await _seat(ctx, command.root)
    if "a" not in OF_ROLE[seat.who.role]:
        raise not_permitted()
    if command.limits.keys() - {b"STORAGE"}:
        raise No("only STORAGE is limited here", "CANNOT")
    most = max(most, (await ctx.store.quota(seat.box_id))[1])
    wanted = command.limits[b"STORAGE"] * UNIT if command.limits else most
    if wanted > most:
        raise No(f"at most {most // UNIT}: more is the operator's to give", "NOPERM")
    await ctx.store.set_quota(seat.box_id, wanted, seat.who.member)
    yield await _quota(ctx, seat)
    yield Ok("SETQUOTA completed")


async def _seat(ctx: Context, root: bytes) -> Seat:
    for seat in await ctx.seats() if root else (ctx.own,):
        if seat.root.encode() == root:
            return seat
    raise No("no such quota root", "NONEXISTENT")


async def _quota(ctx: Context, seat: Seat) -> Quota:
    return Quota(seat.root, *await ctx.store.quota(seat.box_id))

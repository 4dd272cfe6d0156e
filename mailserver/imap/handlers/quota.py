"""QUOTA (RFC 9208): what a mailbox holds and may hold. All folders of a mailbox have one root: "", or a shared mailbox's address.

Limits are the operator's affair: no QUOTASET, so SETQUOTA does not exist.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from mailserver.imap.commands.auth import GetQuota, GetQuotaRoot
from mailserver.imap.context import Context
from mailserver.imap.responses import No, Ok, Response
from mailserver.imap.responses_folders import Quota, QuotaRoot
from mailserver.imap.seats import Seat


async def get_quota(ctx: Context, command: GetQuota) -> AsyncGenerator[Response]:
    for seat in await ctx.seats() if command.root else (ctx.own,):
        if seat.root.encode() == command.root:
            yield await _quota(ctx, seat)
            break
    else:
        raise No("no such quota root", "NONEXISTENT")
    yield Ok("GETQUOTA completed")


async def get_quota_root(ctx: Context, command: GetQuotaRoot) -> AsyncGenerator[Response]:
    """Also of a folder that does not exist yet (RFC 9208 4.1.2)."""
    place = await ctx.place(command.name)
    yield QuotaRoot(place.shown, place.seat.root, ctx.utf8)
    yield await _quota(ctx, place.seat)
    yield Ok("GETQUOTAROOT completed")


async def _quota(ctx: Context, seat: Seat) -> Quota:
    return Quota(seat.root, *await ctx.store.quota(seat.box_id))

"""QUOTA (RFC 9208): what a mailbox holds and may hold. All folders of a mailbox have one root, named "".

Limits are the operator's affair: no QUOTASET, so SETQUOTA does not exist.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from mailserver.imap.commands.auth import GetQuota, GetQuotaRoot
from mailserver.imap.context import Context
from mailserver.imap.responses import No, Ok, Response
from mailserver.imap.responses_folders import Quota, QuotaRoot
from mailserver.store import names


async def get_quota(ctx: Context, command: GetQuota) -> AsyncGenerator[Response]:
    if command.root:
        raise No("no such quota root", "NONEXISTENT")
    yield await _quota(ctx)
    yield Ok("GETQUOTA completed")


async def get_quota_root(ctx: Context, command: GetQuotaRoot) -> AsyncGenerator[Response]:
    """Also of a folder that does not exist yet (RFC 9208 4.1.2)."""
    yield QuotaRoot(names.normal(command.name), ctx.utf8)
    yield await _quota(ctx)
    yield Ok("GETQUOTAROOT completed")


async def _quota(ctx: Context) -> Quota:
    return Quota(*await ctx.store.quota(ctx.box_id))

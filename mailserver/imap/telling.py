"""What a client was not told yet: news of the selected folder, and of all it asked to hear of (RFC 9051 5.2, RFC 5465)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence

from mailserver.imap.commands.fetch import Item
from mailserver.imap.commands.notify import FLAGS, EventGroup
from mailserver.imap.context import Context
from mailserver.imap.fetch import Renderer
from mailserver.imap.responses import Response
from mailserver.imap.updating import Update, brought_up
from mailserver.imap.view import FolderView


def has_news(ctx: Context) -> bool:
    """Nearly always not: then nothing need be asked."""
    view = ctx.view
    return ctx.notices is not None or bool(ctx.updating) or (view is not None and not view.settled)


async def untold(ctx: Context, expunge: bool = True) -> AsyncIterator[Response]:
    """What the client was not told yet; EXPUNGEs only when `expunge` allows, or the client always does."""
    view, notices = ctx.view, ctx.notices
    if view is not None:
        async for response in _of_selected(ctx, view, expunge or (notices is not None and notices.at_once)):
            yield response
    if notices is not None:
        if view is not None and view.settled:
            notices.told(view.folder.id, view.columns.status)
        async for response in notices.news(view.folder.id if view is not None else None, ctx.modes):
            yield response


async def _of_selected(ctx: Context, view: FolderView, expunge: bool) -> AsyncIterator[Response]:
    """REMOVEFROM, EXPUNGE, EXISTS, FETCH of what is new, ADDTO: in this order all numbers are right (RFC 5267, 5465 5.2, 7)."""
    now, last = int(ctx.clock()), view.last_told
    updates = [await brought_up(result, ctx.finder, now) for result in ctx.updating.values()]
    for update in filter(None, updates):
        for response in update.removals(view):
            yield response
    group = None if ctx.notices is None else ctx.notices.selected
    for news in view.news(expunge, ctx.modes, group is None or FLAGS in group.events, group is not None):
        yield news
    told = _items_of_new(ctx, view, last, group, list(filter(None, updates)))
    for items, indices in told.items():
        async for piece in Renderer(ctx.store, ctx.shelf, view, items, ctx.modes).run(indices):
            yield piece
    for update in filter(None, updates):
        for response in update.additions(view):
            yield response


def _items_of_new(
    ctx: Context, view: FolderView, last: int, group: EventGroup | None, updates: Sequence[Update]
) -> dict[tuple[Item, ...], list[int]]:
    """Which messages behind the UID `last` are told with which items: in one FETCH each (RFC 5465 5.2, 7)."""
    found: dict[tuple[Item, ...], list[int]] = {}
    wanted = [(update.of.items, frozenset(update.new)) for update in updates if update.of.items]
    mine, ctx.mine = ctx.mine, ()
    always = [b"UID"] * (ctx.modes.says_uid and not ctx.modes.uid_only) + [b"MODSEQ"] * ctx.condstore
    for index in range(bisect_right(view.uids, last), len(view)):
        uid = view.uids[index]
        items = list(group.items if group is not None and uid not in mine else ())
        items += [item for some, uids in wanted if uid in uids for item in some]
        if items:
            found.setdefault(tuple(dict.fromkeys((*items, *always))), []).append(index)
    return found

"""Commands on messages of the selected folder: FETCH, STORE, COPY, MOVE, EXPUNGE (RFC 3501 6.4)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from mailserver.imap.commands.fetch import Fetch
from mailserver.imap.commands.selected import Check, Copy, Expunge, Move
from mailserver.imap.commands.store import Store
from mailserver.imap.context import Context
from mailserver.imap.fetch import Renderer
from mailserver.imap.handlers.select import vanished
from mailserver.imap.member import not_permitted
from mailserver.imap.responses import Bad, No, Ok, Response, Untagged
from mailserver.imap.responses_messages import Vanished
from mailserver.imap.rights import permitted_store
from mailserver.imap.sequences import SequenceSet
from mailserver.imap.telling import untold
from mailserver.imap.view import FolderView, picked
from mailserver.imap.wire import number_set
from mailserver.store.api import CopyResult, Flag, FlagOp, Flags, Folder

# RFC 5530: some of the messages meant are gone, and this session was not told yet.
GONE = "EXPUNGEISSUED"


def chosen(view: FolderView, messages: SequenceSet, uid: bool) -> Sequence[int]:
    """Indices of the messages a command means. A number above EXISTS is the client's fault, a UID gone is not."""
    if uid:
        return messages.of_uids(view.uids)
    if not messages.fits(len(view)):
        raise Bad("no such message number")
    return messages.of_numbers(len(view))


async def check(ctx: Context, command: Check) -> AsyncGenerator[Response]:
    await ctx.catch_up()
    yield Ok("CHECK completed")


async def expunge(ctx: Context, command: Expunge) -> AsyncGenerator[Response]:
    view = ctx.writable()
    uids = None
    if command.uids is not None:
        uids = [view.uids[i] for i in command.uids.of_uids(view.uids)]
    if uids is None or uids:
        gone = await ctx.store.expunge(view.folder.id, uids)
        ctx.known.counted(view.folder.id, gone=len(gone))
        await ctx.refresh()
    async for response in untold(ctx):
        yield response
    yield Ok("EXPUNGE completed", _highest(ctx))


async def fetch(ctx: Context, command: Fetch) -> AsyncGenerator[Response]:
    view = ctx.selected
    indices = chosen(view, command.messages, command.uid)
    items = list(command.items)
    if command.uid and b"UID" not in items and not ctx.modes.uid_only:
        items.insert(0, b"UID")
    if command.vanished:
        if not ctx.modes.qresync:
            raise Bad("ENABLE QRESYNC first")  # RFC 7162 3.2.6
        gone = await vanished(ctx, view, command.changed_since or 0, command.messages)
        if gone:
            yield Vanished(gone, earlier=True)
    if command.changed_since is not None:
        if b"MODSEQ" not in items:
            items.append(b"MODSEQ")  # RFC 7162 3.1.4.1
        indices = [i for i in indices if view.modseqs[i] > command.changed_since]
    if command.page is not None:
        indices = command.page.of(indices)
    if b"MODSEQ" in items:
        ctx.condstore = True
    renderer = Renderer(ctx.store, ctx.shelf, view, items, ctx.modes)
    async for piece in renderer.run(indices):
        yield piece
    if renderer.undecodable:
        raise No("a part has an unknown transfer encoding", "UNKNOWN-CTE")  # RFC 3516 4.3
    yield Ok("FETCH completed", GONE if renderer.missing and not command.uid else None)


async def store(ctx: Context, command: Store) -> AsyncGenerator[Response]:
    view = ctx.writable()
    indices = chosen(view, command.messages, command.uid)
    uids = [view.uids[i] for i in indices]
    conditional = command.unchanged_since is not None
    ctx.condstore = ctx.condstore or conditional
    modified, lost = set[int](), set[int]()
    wish = permitted_store(command.op, command.flags, view.rights)
    if wish is None:
        raise not_permitted()
    if uids:
        answered = _answered(ctx, indices, *wish)
        result = await ctx.store.store_flags(view.folder.id, uids, *wish, command.unchanged_since)
        await ctx.refresh(result)
        modified = set(result.modified)
        lost = set[int]() if command.uid else set(uids) & view.gone  # UIDs gone are no error (RFC 9051 6.4.9)
        if answered := [uid for uid in answered if uid not in modified]:
            who = ctx.seat_of(view.folder).who
            await ctx.store.answered(view.folder.id, answered, who.member, who.actor)
        for response in view.keyword_news():
            yield response
        if not command.silent or ctx.condstore:
            untouched = modified | view.gone
            stored = [i for i in indices if view.uids[i] not in untouched] if untouched else indices
            for lines in view.flags_responses(stored, ctx.modes, command.uid, not command.silent):
                yield lines
            if not command.silent:
                view.told(picked(view.uids, stored))
    if conditional and lost:  # they do not pass the test either (RFC 7162 3.1.3)
        raise No("some of the messages no longer exist", _modified_code(view, modified | lost, command.uid))
    yield Ok("STORE completed", _modified_code(view, modified, command.uid) or (GONE if lost else None))


def _answered(ctx: Context, indices: Sequence[int], op: FlagOp, flags: Flags) -> list[int]:
    """UIDs of a team's messages that are marked as answered by this."""
    view = ctx.selected
    if not flags.system & Flag.ANSWERED or op is FlagOp.REMOVE:
        return []
    if not ctx.seat_of(view.folder).who.team:
        return []
    return [view.uids[i] for i in indices if not view.system[i] & Flag.ANSWERED]


def _modified_code(view: FolderView, modified: set[int], uid: bool) -> str | None:
    """RFC 7162 3.1.3: the messages that UNCHANGEDSINCE spared."""
    if not modified:
        return None
    numbers = sorted(modified) if uid else sorted(_numbers(view, modified))
    return f"MODIFIED {number_set(numbers).decode()}"


def _numbers(view: FolderView, uids: set[int]) -> list[int]:
    return [index + 1 for uid in uids if (index := view.index_of(uid)) is not None]


async def copy(ctx: Context, command: Copy) -> AsyncGenerator[Response]:
    view = ctx.selected
    indices = chosen(view, command.messages, command.uid)
    target = await ctx.folder(command.name, missing="TRYCREATE")
    uids = [view.uids[i] for i in indices]
    result = await _carried(ctx, view.folder, target, uids, leave=True) if indices else None
    if result is not None:
        ctx.known.counted(target.id, added=len(result.target))
    if target.id == view.folder.id:
        ctx.mine = result.target if result is not None else ()
        await ctx.refresh()
    whole = command.uid or result is None or len(result.source) == len(uids)
    yield Ok("COPY completed", _copy_code(target, result) or (None if whole else GONE))


async def move(ctx: Context, command: Move) -> AsyncGenerator[Response]:
    """COPYUID comes before the EXPUNGEs (RFC 6851 4.3); UIDs already gone are no failure (ghosts in Apple Mail)."""
    view = ctx.writable()
    indices = chosen(view, command.messages, command.uid)
    target = await ctx.folder(command.name, missing="TRYCREATE")
    if indices:
        uids = [view.uids[i] for i in indices]
        result = await _carried(ctx, view.folder, target, uids, leave=False)
        ctx.known.counted(view.folder.id, gone=len(result.source))
        ctx.known.counted(target.id, added=len(result.target))
        code = _copy_code(target, result)
        if code:
            yield Untagged(Ok("moved", code))
        if target.id == view.folder.id:  # where COPY may go, MOVE may (RFC 9051 6.4.8)
            ctx.mine = result.target
        await ctx.refresh()
        async for response in untold(ctx):
            yield response
        if result.fault is not None:
            raise result.fault
    yield Ok("MOVE completed", _highest(ctx))


async def _carried(ctx: Context, source: Folder, target: Folder, uids: Sequence[int], leave: bool) -> CopyResult:
    """COPY, or MOVE: inside the mailbox, or to another one in which the person works."""
    who, undeleted = ctx.seat_of(target).who, "t" not in ctx.rights(target)
    if source.box_id != target.box_id:
        return await ctx.store.carry(source.id, uids, target.id, who.member, leave, undeleted)
    copy = ctx.store.copy if leave else ctx.store.move
    return await copy(source.id, uids, target.id, who.actor, undeleted)


def _highest(ctx: Context) -> str | None:
    """RFC 7162 3.2.7: the client has been told all up to it."""
    return f"HIGHESTMODSEQ {ctx.selected.highest_modseq}" if ctx.modes.qresync else None


def _copy_code(target: Folder, result: CopyResult | None) -> str | None:
    """COPYUID (RFC 4315 3), left out when nothing was copied: its sets cannot be empty."""
    if result is None or not result.source:
        return None
    source, copies = number_set(result.source).decode(), number_set(result.target).decode()
    return f"COPYUID {target.uid_validity} {source} {copies}"

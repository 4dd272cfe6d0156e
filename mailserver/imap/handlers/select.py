"""SELECT, EXAMINE, CLOSE, UNSELECT (RFC 3501 6.3.1, RFC 9051 6.3.2, RFC 3691), and what happened while a client was away
(RFC 7162 3.2: QRESYNC)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from mailserver.imap.commands.select import Known, Select
from mailserver.imap.commands.selected import Close, Unselect
from mailserver.imap.context import Context
from mailserver.imap.responses import Bad, Ok, Response, Untagged
from mailserver.imap.responses_folders import ListLine, mailbox_id
from mailserver.imap.responses_messages import Exists, Recent, Vanished
from mailserver.imap.rights import writes
from mailserver.imap.sequences import STAR, SequenceSet
from mailserver.imap.view import FolderView
from mailserver.imap.wire import runs

EVERY = SequenceSet(((1, STAR),))


async def select(ctx: Context, command: Select) -> AsyncGenerator[Response]:
    if ctx.view is not None:
        # A SELECT that fails leaves nothing selected (RFC 3501 6.3.1).
        ctx.deselect()
        yield Untagged(Ok("previous folder closed", "CLOSED"))
    if command.known is not None and not ctx.modes.qresync:
        raise Bad("ENABLE QRESYNC first")  # RFC 7162 3.2.5
    folder = await ctx.folder(command.name)
    view = await ctx.select(folder, command.read_only)
    if command.condstore:
        ctx.condstore = True
    for response in view.folder_flags():
        yield response
    yield Exists(len(view))
    if ctx.rev2:  # RFC 9051 6.3.2: LIST instead of RECENT and UNSEEN
        yield ListLine((), folder.name, oldname=command.name, utf8=ctx.utf8)
    else:
        yield Recent()
        unseen = None if ctx.modes.uid_only else view.first_unseen()  # it is a message number
        if unseen is not None:
            yield Untagged(Ok("first unseen", f"UNSEEN {unseen}"))
    yield Untagged(Ok("UIDs are valid", f"UIDVALIDITY {folder.uid_validity}"))
    yield Untagged(Ok("next UID", f"UIDNEXT {view.uid_next}"))
    yield Untagged(Ok("highest mod-sequence", f"HIGHESTMODSEQ {view.highest_modseq}"))
    yield Untagged(Ok("identifier", f"MAILBOXID {mailbox_id(folder)}"))
    if command.known is not None and command.known.uid_validity == folder.uid_validity:
        async for news in _since(ctx, view, command.known):
            yield news
    access = "READ-WRITE" if writes(view.rights) and not command.read_only else "READ-ONLY"
    yield Ok(f"{'EXAMINE' if command.read_only else 'SELECT'} completed", access)


async def _since(ctx: Context, view: FolderView, known: Known) -> AsyncGenerator[Response]:
    """RFC 7162 3.2.6: what went away, then the flags of what is new or changed, before the tagged OK."""
    gone = await vanished(ctx, view, known.modseq, known.uids, known.unchanged(view.uids))
    if gone:
        yield Vanished(gone, earlier=True)
    indices = known_indices(view, known.uids)
    changed = [i for i in indices if view.modseqs[i] > known.modseq]
    for lines in view.flags_responses(changed, ctx.modes, uid=True):
        yield lines


def known_indices(view: FolderView, uids: SequenceSet | None) -> Sequence[int]:
    return range(len(view)) if uids is None else uids.of_uids(view.uids)


async def vanished(
    ctx: Context, view: FolderView, modseq: int, uids: SequenceSet | None, unchanged: int = 0
) -> list[tuple[int, int]]:
    """Runs of UIDs expunged after `modseq`, of `uids` when given. Not those that the view still has: their time will come.

    Of what is not remembered, all that is not there: of UIDs above `unchanged` (RFC 7162 3.2.5.2).
    """
    changes, last = await ctx.store.changes(view.folder.id, modseq), view.uid_next - 1
    if modseq < changes.forgotten:
        return (uids or EVERY).missing(view.uids, unchanged, last)
    gone = [uid for uid in changes.vanished if view.index_of(uid) is None]
    return runs(gone if uids is None else [gone[i] for i in uids.of_uids(gone, last)])


async def close(ctx: Context, command: Close) -> AsyncGenerator[Response]:
    view = ctx.selected
    if not view.read_only and "e" in view.rights:  # RFC 4314 4: without the right, CLOSE expunges nothing and is OK
        gone = await ctx.store.expunge(view.folder.id)
        ctx.known.counted(view.folder.id, gone=len(gone))
        await ctx.refresh()
    ctx.deselect()
    # RFC 7162 3.2.8: no VANISHED, so no HIGHESTMODSEQ that would count them in.
    yield Ok("CLOSE completed")


async def unselect(ctx: Context, command: Unselect) -> AsyncGenerator[Response]:
    ctx.deselect()
    yield Ok("UNSELECT completed")

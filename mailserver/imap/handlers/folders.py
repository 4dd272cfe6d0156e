"""Commands on folders: SELECT to STATUS, ENABLE, NAMESPACE, APPEND, IDLE."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from mailserver.imap import listing, responses
from mailserver.imap.capabilities import ENABLEABLE
from mailserver.imap.commands.append import Append
from mailserver.imap.commands.auth import (
    Create,
    Delete,
    Enable,
    Idle,
    List,
    Namespace,
    Rename,
    Select,
    Status,
    Subscribe,
)
from mailserver.imap.context import Context
from mailserver.imap.framer import Frame, LiteralOffer
from mailserver.imap.responses import Bad, Continue, Exists, Ok, Recent, Response, StatusLine, Untagged
from mailserver.store.api import FolderStatus, NewMessage


async def select(ctx: Context, command: Select) -> AsyncGenerator[Response]:
    if ctx.view is not None:
        # A SELECT that fails leaves nothing selected (RFC 3501 6.3.1).
        ctx.deselect()
        yield Untagged(Ok("previous folder closed", "CLOSED"))
    folder = await ctx.folder(command.name)
    view = await ctx.select(folder, command.read_only)
    if command.condstore:
        ctx.condstore = True
    for response in view.folder_flags():
        yield response
    yield Exists(len(view))
    yield Recent()
    unseen = view.first_unseen()
    if unseen is not None:
        yield Untagged(Ok("first unseen", f"UNSEEN {unseen}"))
    yield Untagged(Ok("UIDs are valid", f"UIDVALIDITY {folder.uid_validity}"))
    yield Untagged(Ok("next UID", f"UIDNEXT {view.uid_next}"))
    yield Untagged(Ok("highest mod-sequence", f"HIGHESTMODSEQ {view.highest_modseq}"))
    name, access = ("EXAMINE", "READ-ONLY") if command.read_only else ("SELECT", "READ-WRITE")
    yield Ok(f"{name} completed", access)


async def create(ctx: Context, command: Create) -> AsyncGenerator[Response]:
    await ctx.store.create(ctx.box_id, command.name)
    yield Ok("CREATE completed")


async def delete(ctx: Context, command: Delete) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name)
    if ctx.view is not None and ctx.view.folder.id == folder.id:
        ctx.deselect()
    await ctx.store.delete(ctx.box_id, folder.name)
    yield Ok("DELETE completed")


async def rename(ctx: Context, command: Rename) -> AsyncGenerator[Response]:
    await ctx.store.rename(ctx.box_id, command.name, command.new_name)
    yield Ok("RENAME completed")


async def subscribe(ctx: Context, command: Subscribe) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name)
    await ctx.store.subscribe(ctx.box_id, folder.name, command.wanted)
    yield Ok("done")


async def list_folders(ctx: Context, command: List) -> AsyncGenerator[Response]:
    for line in listing.lines(command, await ctx.store.folders(ctx.box_id)):
        yield line
    yield Ok(f"{command.kind.decode()} completed")


async def namespace(ctx: Context, command: Namespace) -> AsyncGenerator[Response]:
    yield responses.Namespace()
    yield Ok("NAMESPACE completed")


async def status(ctx: Context, command: Status) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name)
    if b"HIGHESTMODSEQ" in command.items:
        ctx.condstore = True  # RFC 7162 3.1: a CONDSTORE enabling command
    found = await ctx.store.status(folder.id)
    yield StatusLine(folder.name, tuple((item, _status_value(item, found)) for item in command.items))
    yield Ok("STATUS completed")


def _status_value(item: bytes, status: FolderStatus) -> int:
    values = {
        b"MESSAGES": status.messages,
        b"RECENT": 0,
        b"UIDNEXT": status.uid_next,
        b"UIDVALIDITY": status.uid_validity,
        b"UNSEEN": status.unseen,
        b"DELETED": status.deleted,
        b"SIZE": status.size,
        b"HIGHESTMODSEQ": status.highest_modseq,
    }
    return values[item]


async def enable(ctx: Context, command: Enable) -> AsyncGenerator[Response]:
    """What is not announced is not enabled (Strato's empty mailboxes: IMAP4rev2 behind the client's back)."""
    names = tuple(name for name in ENABLEABLE if name.encode("ascii") in command.names)
    fresh = "CONDSTORE" in names and not ctx.condstore
    ctx.condstore = ctx.condstore or fresh
    yield responses.Enabled(names)
    if fresh and ctx.view is not None:
        yield Untagged(Ok("highest mod-sequence", f"HIGHESTMODSEQ {ctx.view.highest_modseq}"))
    yield Ok("ENABLE completed")


async def append(ctx: Context, command: Append) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name, missing="TRYCREATE")
    message = NewMessage(command.content, command.flags, command.internal_date)
    (uid,) = await ctx.store.append(folder.id, (message,))
    if ctx.view is not None and ctx.view.folder.id == folder.id:
        await ctx.refresh()  # RFC 3501 6.3.11: EXISTS at once
    yield Ok("APPEND completed", f"APPENDUID {folder.uid_validity} {uid}")


async def idle(ctx: Context, command: Idle) -> AsyncGenerator[Response]:
    """The watch runs since SELECT; one look after the continuation catches what its signal may have missed."""
    yield Continue(b"idling")
    if ctx.view is not None:
        await ctx.refresh()
    while True:
        for response in ctx.news():
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

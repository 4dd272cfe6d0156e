"""Commands on folders: CREATE to STATUS (SIZE: RFC 8438), NAMESPACE, APPEND."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from mailserver.imap import listing, responses
from mailserver.imap.commands.append import Append
from mailserver.imap.commands.auth import (
    Create,
    Delete,
    List,
    Namespace,
    Rename,
    Status,
    Subscribe,
)
from mailserver.imap.context import Context
from mailserver.imap.responses import ListLine, Ok, Response, StatusLine, mailbox_id
from mailserver.store import names
from mailserver.store.api import Folder, FolderStatus, NewMessage


async def create(ctx: Context, command: Create) -> AsyncGenerator[Response]:
    created = await ctx.store.create(ctx.box_id, command.name)
    if ctx.rev2 and created.name != command.name:
        yield ListLine((), created.name, oldname=command.name, utf8=ctx.utf8)
    yield Ok("CREATE completed", f"MAILBOXID {mailbox_id(created)}")


async def delete(ctx: Context, command: Delete) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name)
    if ctx.view is not None and ctx.view.folder.id == folder.id:
        ctx.deselect()
    await ctx.store.delete(ctx.box_id, folder.name)
    yield Ok("DELETE completed")


async def rename(ctx: Context, command: Rename) -> AsyncGenerator[Response]:
    await ctx.store.rename(ctx.box_id, command.name, command.new_name)
    if ctx.rev2:
        yield ListLine((), names.normal(command.new_name), oldname=names.normal(command.name), utf8=ctx.utf8)
    yield Ok("RENAME completed")


async def subscribe(ctx: Context, command: Subscribe) -> AsyncGenerator[Response]:
    await ctx.store.subscribe(ctx.box_id, command.name, command.wanted)
    yield Ok("done")


async def list_folders(ctx: Context, command: List) -> AsyncGenerator[Response]:
    folders = await ctx.store.folders(ctx.box_id)
    lost = await ctx.store.lost(ctx.box_id) if command.subscribed_only or command.tells_subscribed else ()
    found = await ctx.store.statuses(ctx.box_id) if command.status else {}
    _condstore(ctx, command.status)
    for line, folder in listing.lines(command, folders, lost, ctx.utf8):
        yield line
        if folder is not None and folder.id in found:
            yield _status_line(ctx, folder, command.status, found[folder.id])
    yield Ok(f"{command.kind.decode()} completed")


async def namespace(ctx: Context, command: Namespace) -> AsyncGenerator[Response]:
    yield responses.Namespace()
    yield Ok("NAMESPACE completed")


async def status(ctx: Context, command: Status) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name)
    _condstore(ctx, command.items)
    yield _status_line(ctx, folder, command.items, await ctx.store.status(folder.id))
    yield Ok("STATUS completed")


def _condstore(ctx: Context, items: Sequence[bytes]) -> None:
    if b"HIGHESTMODSEQ" in items:
        ctx.condstore = True  # RFC 7162 3.1: a CONDSTORE enabling command


def _status_line(ctx: Context, folder: Folder, items: Sequence[bytes], found: FolderStatus) -> StatusLine:
    return StatusLine(folder.name, tuple((item, _status_value(item, found, folder)) for item in items), ctx.utf8)


def _status_value(item: bytes, status: FolderStatus, folder: Folder) -> int | bytes:
    values: dict[bytes, int | bytes] = {
        b"MESSAGES": status.messages,
        b"RECENT": 0,
        b"UIDNEXT": status.uid_next,
        b"UIDVALIDITY": status.uid_validity,
        b"UNSEEN": status.unseen,
        b"DELETED": status.deleted,
        b"SIZE": status.size,
        b"HIGHESTMODSEQ": status.highest_modseq,
        b"MAILBOXID": mailbox_id(folder).encode("ascii"),
    }
    return values[item]


async def append(ctx: Context, command: Append) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name, missing="TRYCREATE")
    message = NewMessage(command.content, command.flags, command.internal_date)
    (uid,) = await ctx.store.append(folder.id, (message,))
    if ctx.view is not None and ctx.view.folder.id == folder.id:
        await ctx.refresh()  # RFC 3501 6.3.11: EXISTS at once
    yield Ok("APPEND completed", f"APPENDUID {folder.uid_validity} {uid}")

"""Commands on folders: CREATE to STATUS (SIZE: RFC 8438), NAMESPACE."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence

from mailserver.imap import listing, responses_folders, seats
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
from mailserver.imap.handlers.metadata import select
from mailserver.imap.responses import No, Ok, Response
from mailserver.imap.responses_folders import ListLine, Metadata, MyRights, StatusLine, mailbox_id
from mailserver.imap.rights import shown
from mailserver.imap.seats import Place
from mailserver.store import names
from mailserver.store.api import Folder, FolderStatus


async def create(ctx: Context, command: Create) -> AsyncGenerator[Response]:
    place = await ctx.new_place(command.name)
    created = await ctx.store.create(place.seat.box_id, place.name, _special_use(command, place))
    ctx.known.created([place.seat.shown(created), *await _above(ctx, place.shown)])
    if ctx.rev2 and place.shown != command.name:
        yield ListLine((), place.shown, oldname=command.name, utf8=ctx.utf8)
    yield Ok("CREATE completed", f"MAILBOXID {mailbox_id(created)}")


async def _above(ctx: Context, name: str) -> list[Folder]:
    """Those that came with the folder (RFC 9051 6.3.4)."""
    parents = names.parents(name) if ctx.notices is not None else []
    return [folder for folder in await ctx.folders("lr") if folder.name in parents] if parents else []


def _special_use(command: Create, place: Place) -> str | None:
    """A folder is for one thing, and not for what only a view over all folders could be (\\All, \\Flagged); none of another's."""
    if not command.uses:
        return None
    found = [use for use in names.SPECIAL_USES if use.lower() in command.uses and not place.seat.prefix]
    if len(set(command.uses)) != 1 or not found:
        raise No("no such special use", "USEATTR")  # RFC 6154 3
    return found[0]


async def delete(ctx: Context, command: Delete) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name)
    if ctx.view is not None and ctx.view.folder.id == folder.id:
        ctx.deselect()
    await ctx.store.delete(folder.box_id, (await ctx.place(command.name)).name)
    ctx.known.deleted(folder.id)
    yield Ok("DELETE completed")


async def rename(ctx: Context, command: Rename) -> AsyncGenerator[Response]:
    await ctx.folder(command.name)
    old, new = await ctx.place(command.name), await ctx.new_place(command.new_name)
    if old.seat.box_id != new.seat.box_id:
        raise No("a folder stays in its mailbox; its messages may be moved", "CANNOT")
    await ctx.store.rename(old.seat.box_id, old.name, new.name)
    if old.name != names.INBOX:
        ctx.known.renamed(old.shown, new.shown)
    ctx.known.created(await _above(ctx, new.shown))
    if ctx.rev2:
        yield ListLine((), new.shown, oldname=old.shown, utf8=ctx.utf8)
    yield Ok("RENAME completed")


async def subscribe(ctx: Context, command: Subscribe) -> AsyncGenerator[Response]:
    place = await ctx.place(command.name)
    if command.wanted or place.seat.prefix or place.name not in await ctx.store.lost(ctx.box_id):
        await ctx.folder(command.name)
    await ctx.store.subscribe(place.seat.box_id, place.name, command.wanted, place.seat.subscriber)
    ctx.known.subscribed(place.shown, command.wanted)
    yield Ok("done")


async def list_folders(ctx: Context, command: List) -> AsyncGenerator[Response]:
    folders = await ctx.folders()
    lost = await ctx.store.lost(ctx.box_id) if command.subscribed_only or command.tells_subscribed else ()
    readable = {folder.id for folder in folders if "r" in ctx.rights(folder)}
    found: dict[int, FolderStatus] = {}
    kept: dict[int, dict[str, bytes]] = {}
    for seat in await ctx.seats() if command.status or command.entries else ():
        if command.status:
            statuses = await ctx.store.statuses(seat.box_id)
            found |= {folder_id: status for folder_id, status in statuses.items() if folder_id in readable}
        if command.entries:
            ids = [folder.id for folder in folders if folder.box_id == seat.box_id and folder.id in readable]
            kept |= await ctx.store.annotations(seat.box_id, seat.who.member, ids)
    deleted = await _deleted_sizes(ctx, command.status, found)
    _condstore(ctx, command.status)
    for line, folder in listing.lines(command, folders, lost, ctx.utf8):
        yield line
        if folder is not None and folder.id in found:
            yield _status_line(ctx, folder, command.status, found[folder.id], deleted.get(folder.id, 0))
        if folder is not None and folder.id in kept:
            yield Metadata(folder.name, select(kept[folder.id], command.entries), ctx.utf8)
        if folder is not None and b"MYRIGHTS" in command.returns:
            yield MyRights(folder.name, shown(ctx.rights(folder)), ctx.utf8)
    yield Ok(f"{command.kind.decode()} completed")


async def namespace(ctx: Context, command: Namespace) -> AsyncGenerator[Response]:
    yield responses_folders.Namespace(seats.BELOW if await ctx.shared() else "", ctx.utf8)
    yield Ok("NAMESPACE completed")


async def status(ctx: Context, command: Status) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name)
    _condstore(ctx, command.items)
    found = await ctx.store.status(folder.id)
    deleted = await _deleted_sizes(ctx, command.items, {folder.id: found})
    yield _status_line(ctx, folder, command.items, found, deleted.get(folder.id, 0))
    yield Ok("STATUS completed")


def _condstore(ctx: Context, items: Sequence[bytes]) -> None:
    if b"HIGHESTMODSEQ" in items:
        ctx.condstore = True  # RFC 7162 3.1: a CONDSTORE enabling command


async def _deleted_sizes(ctx: Context, items: Sequence[bytes], found: Mapping[int, FolderStatus]) -> dict[int, int]:
    if b"DELETED-STORAGE" not in items:
        return {}
    return await ctx.store.deleted_sizes([folder_id for folder_id, status in found.items() if status.deleted])


def _status_line(
    ctx: Context, folder: Folder, items: Sequence[bytes], found: FolderStatus, deleted_size: int
) -> StatusLine:
    values = tuple((item, _status_value(ctx, item, found, folder, deleted_size)) for item in items)
    return StatusLine(folder.name, values, ctx.utf8)


def _status_value(ctx: Context, item: bytes, status: FolderStatus, folder: Folder, deleted_size: int) -> int | bytes:
    values: dict[bytes, int | bytes] = {
        b"APPENDLIMIT": ctx.settings.append_limit,
        b"MESSAGES": status.messages,
        b"RECENT": 0,
        b"UIDNEXT": status.uid_next,
        b"UIDVALIDITY": status.uid_validity,
        b"UNSEEN": status.unseen,
        b"DELETED": status.deleted,
        b"DELETED-STORAGE": deleted_size,
        b"SIZE": status.size,
        b"HIGHESTMODSEQ": status.highest_modseq,
        b"MAILBOXID": mailbox_id(folder).encode("ascii"),
    }
    return values[item]

"""METADATA (RFC 5464): notes that clients keep about a folder, or about the server as this mailbox sees it.

/private is the member's own, /shared is for all members of the mailbox; nothing crosses mailboxes, so the server has no shared
entries that somebody could write.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping

from mailserver.imap.commands.metadata import GetMetadata, SetMetadata
from mailserver.imap.context import Context
from mailserver.imap.responses import No, Ok, Response
from mailserver.imap.responses_folders import Metadata
from mailserver.store.annotations import SERVER, VALUE_OCTETS


async def get_metadata(ctx: Context, command: GetMetadata) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name) if command.name else None
    folder_id, name, seat = (SERVER, "", ctx.own) if folder is None else (folder.id, folder.name, ctx.seat_of(folder))
    kept = (await ctx.store.annotations(seat.box_id, seat.who.member, (folder_id,)))[folder_id]
    found = select(kept, command.entries, command.depth)
    limit = command.max_size
    sizes = [len(value or b"") for value in found.values()]
    shown = {entry: value for entry, value in found.items() if limit is None or len(value or b"") <= limit}
    if shown:
        yield Metadata(name, shown, ctx.utf8)
    too_long = limit is not None and max(sizes, default=0) > limit
    yield Ok("GETMETADATA completed", f"METADATA LONGENTRIES {max(sizes)}" if too_long else None)  # RFC 5464 4.2.1


async def set_metadata(ctx: Context, command: SetMetadata) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name) if command.name else None
    if any(entry.startswith("/shared") for entry in command.values):
        if folder is None:
            raise No("shared entries of the server are the operator's", "NOPERM")
        ctx.need(folder, "w")  # for all to read: it is work like any other
    if any(len(value or b"") > VALUE_OCTETS for value in command.values.values()):
        raise No("the value is too long", f"METADATA MAXSIZE {VALUE_OCTETS}")
    seat, folder_id = (ctx.own, SERVER) if folder is None else (ctx.seat_of(folder), folder.id)
    await ctx.store.annotate(seat.box_id, seat.who.member, folder_id, command.values)
    ctx.known.annotated(folder_id, command.values)
    yield Ok("SETMETADATA completed")


def select(kept: Mapping[str, bytes], wanted: Iterable[str], depth: int | None = 0) -> dict[str, bytes | None]:
    """The entries themselves, None for one that is not there; with a depth those below too (RFC 5464 4.2.2)."""
    if depth == 0:
        return {entry: kept.get(entry) for entry in wanted}
    found: dict[str, bytes | None] = {}
    for top in wanted:
        below = (e for e in kept if e.startswith(top + "/") and (depth is None or "/" not in e[len(top) + 1 :]))
        found |= {entry: kept[entry] for entry in sorted([*([top] if top in kept else []), *below])}
    return found

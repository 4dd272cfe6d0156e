"""ACL (RFC 4314): who of a mailbox's members may do what in a folder.

The rules of the trust space stand above it (docs/rules.md section 2): a mailbox is opened to its own members and to nobody else,
whoever holds it has all rights, and nobody is made its holder by a mail client. What they forbid is NOPERM.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from mailserver.imap import responses_folders
from mailserver.imap.commands.acl import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from mailserver.imap.context import Context
from mailserver.imap.responses import Bad, No, Ok, Response
from mailserver.imap.responses_folders import Acl, AclRights
from mailserver.imap.rights import rights_in, shown, with_modification
from mailserver.sign_in import Member
from mailserver.store.api import Folder
from mssante.rights import NONE, OF_ROLE, TIED, Rights, Role, tied


async def set_acl(ctx: Context, command: SetAcl) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name)
    wanted = with_modification(NONE, command.modification)
    if wanted is None:
        raise Bad("no such right")
    member = await _member(ctx, folder, command.identifier)
    if member is None:
        raise No("rules, section 2: a mailbox is open to its own members only", "NOPERM")
    if "a" in wanted and member.role is not Role.HOLDER and not command.modification.startswith("-"):
        raise No("rules, section 2: only who holds a mailbox administers it", "NOPERM")
    before = rights_in(folder, member.role, member.number)
    await _set(ctx, folder, member, tied(with_modification(before, command.modification) or NONE))
    yield Ok("SETACL completed")


async def delete_acl(ctx: Context, command: DeleteAcl) -> AsyncGenerator[Response]:
    """The member has no right left, until SETACL gives some: the list is what counts, not the role behind it."""
    folder = await ctx.folder(command.name)
    member = await _member(ctx, folder, command.identifier)
    if member is not None:
        await _set(ctx, folder, member, NONE)
    yield Ok("DELETEACL completed")


async def _set(ctx: Context, folder: Folder, member: Member, rights: Rights) -> None:
    if member.role is Role.HOLDER:
        raise No("rules, section 2: who holds a mailbox has all rights in it", "NOPERM")
    given = None if rights == OF_ROLE[member.role] else rights
    await ctx.store.set_rights(folder.box_id, folder.id, member.number, given, ctx.seat_of(folder).who.member)


async def get_acl(ctx: Context, command: GetAcl) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name)
    found = [(one.login, rights_in(folder, one.role, one.number)) for one in await ctx.sign_in.members(folder.box_id)]
    yield Acl(folder.name, tuple((login, shown(rights)) for login, rights in found if rights), ctx.utf8)
    yield Ok("GETACL completed")


async def list_rights(ctx: Context, command: ListRights) -> AsyncGenerator[Response]:
    """What must be, then what may be given. To who is no member, nothing: that tells of nobody's existence."""
    folder = await ctx.folder(command.name)
    member = await _member(ctx, folder, command.identifier)
    role = None if member is None else member.role
    always = OF_ROLE[role] if role is Role.HOLDER else NONE
    optional = () if role in (None, Role.HOLDER) else (*TIED, "c", "d")
    yield AclRights(folder.name, command.spelling, shown(always), optional, ctx.utf8)
    yield Ok("LISTRIGHTS completed")


async def my_rights(ctx: Context, command: MyRights) -> AsyncGenerator[Response]:
    folder = await ctx.folder(command.name)
    yield responses_folders.MyRights(folder.name, shown(ctx.rights(folder)), ctx.utf8)
    yield Ok("MYRIGHTS completed")


async def _member(ctx: Context, folder: Folder, identifier: str) -> Member | None:
    return next((one for one in await ctx.sign_in.members(folder.box_id) if one.login == identifier), None)

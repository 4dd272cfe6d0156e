"""CAPABILITY, NOOP, LOGOUT, ID, UNAUTHENTICATE."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncGenerator

from mailserver.imap import responses
from mailserver.imap.capabilities import capabilities, capability_code
from mailserver.imap.commands.any_state import Capability, Id, Logout, Noop, Unauthenticate
from mailserver.imap.context import Context
from mailserver.imap.responses import Bye, Ok, Response


async def capability(ctx: Context, command: Capability) -> AsyncGenerator[Response]:
    yield responses.Capability(capabilities(ctx))
    yield Ok("CAPABILITY completed")


async def noop(ctx: Context, command: Noop) -> AsyncGenerator[Response]:
    """Looks in the store whether or not it was woken: a lost signal costs at most one poll."""
    await ctx.catch_up()
    yield Ok("NOOP completed")


async def logout(ctx: Context, command: Logout) -> AsyncGenerator[Response]:
    ctx.deselect()
    ctx.leaving = True
    yield Bye("logging out")
    yield Ok("LOGOUT completed")


async def unauthenticate(ctx: Context, command: Unauthenticate) -> AsyncGenerator[Response]:
    ctx.sign_out()
    yield Ok("signed out", capability_code(ctx))


async def identify(ctx: Context, command: Id) -> AsyncGenerator[Response]:
    said = {name.lower(): value or b"" for name, value in command.fields}
    ctx.introduce(said.get(b"name", b"").decode("utf-8", "replace"))
    # In ASCII: an accent would need a literal, which few clients expect in an ID answer.
    name = unicodedata.normalize("NFKD", ctx.settings.server_name).encode("ascii", "ignore").decode("ascii")
    yield responses.Id((("name", name),))
    yield Ok("ID completed")

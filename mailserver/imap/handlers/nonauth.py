"""STARTTLS, LOGIN, AUTHENTICATE (PLAIN of RFC 4616, and the LOGIN that Outlook still speaks)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator

from mailserver.imap.capabilities import capability_code
from mailserver.imap.commands.nonauth import Authenticate, Login, StartTls
from mailserver.imap.context import Context
from mailserver.imap.responses import Bad, Continue, No, Ok, Response
from mailserver.imap.sign_in import SignedIn

MAX_SECRET = 1024  # octets of a login or a password


async def start_tls(ctx: Context, command: StartTls) -> AsyncGenerator[Response]:
    if ctx.tls:
        raise Bad("TLS is already in use")
    ctx.start_tls = True
    yield Ok("begin TLS now")


async def login(ctx: Context, command: Login) -> AsyncGenerator[Response]:
    _require_tls(ctx)
    async for response in _sign_in(ctx, command.login, command.password):
        yield response


async def authenticate(ctx: Context, command: Authenticate) -> AsyncGenerator[Response]:
    _require_tls(ctx)
    initial = None if command.initial is None else _decoded(command.initial.removeprefix(b"="))
    if command.mechanism == b"PLAIN":
        if initial is None:
            yield Continue(b"")
            initial = _decoded(await ctx.line())
        user, password = _plain(initial)
    elif command.mechanism == b"LOGIN":
        if initial is None:
            yield Continue(base64.b64encode(b"Username:"))
            initial = _decoded(await ctx.line())
        yield Continue(base64.b64encode(b"Password:"))
        user, password = _text(initial), _text(_decoded(await ctx.line()))
    else:
        raise No("no such mechanism", "CANNOT")
    async for response in _sign_in(ctx, user, password):
        yield response


async def _sign_in(ctx: Context, user: str, password: str) -> AsyncGenerator[Response]:
    if max(len(user), len(password)) > MAX_SECRET:
        raise Bad("login or password too long")
    answer = await ctx.sign_in(user, password, ctx.client_ip)
    if isinstance(answer, SignedIn):
        ctx.identity = answer
        yield Ok("signed in", capability_code(ctx))
        return
    await ctx.sleep(answer.wait_ms / 1000)
    ctx.login_failures += 1
    raise No("wrong login or password", "AUTHENTICATIONFAILED")


def _require_tls(ctx: Context) -> None:
    if not ctx.tls:
        raise No("STARTTLS first", "PRIVACYREQUIRED")


def _decoded(line: bytes) -> bytes:
    if line == b"*":
        raise Bad("cancelled")  # RFC 3501 6.2.2
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        raise Bad("not base64") from None


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Bad("not UTF-8") from None


def _plain(message: bytes) -> tuple[str, str]:
    """[authzid] NUL authcid NUL passwd (RFC 4616 2)."""
    fields = message.split(b"\0")
    if len(fields) != 3:
        raise Bad("not a PLAIN message")
    acting_for, user, password = map(_text, fields)
    if acting_for not in ("", user):
        raise No("acting for somebody else is not possible here", "AUTHORIZATIONFAILED")
    return user, password

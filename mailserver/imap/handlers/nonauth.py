"""STARTTLS, LOGIN, AUTHENTICATE (RFC 3501 6.2) with the mechanisms of `mailserver.sasl`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import aclosing

from mailserver import sasl
from mailserver.imap.capabilities import capability_code
from mailserver.imap.commands.nonauth import Authenticate, Login, StartTls
from mailserver.imap.context import Context
from mailserver.imap.responses import Bad, Continue, No, Ok, Response
from mailserver.scram import Fault
from mailserver.sign_in import Refused, SignedIn


async def start_tls(ctx: Context, command: StartTls) -> AsyncGenerator[Response]:
    if ctx.tls:
        raise Bad("TLS is already in use")
    ctx.start_tls = True
    yield Ok("begin TLS now")


async def login(ctx: Context, command: Login) -> AsyncGenerator[Response]:
    _require_tls(ctx)
    yield await _signed_in(ctx, await ctx.sign_in.by_password(command.login, command.password, ctx.client_ip))


async def authenticate(ctx: Context, command: Authenticate) -> AsyncGenerator[Response]:
    _require_tls(ctx)
    exchange = ctx.desk.begin(command.mechanism)
    if exchange is None:
        raise No("no such mechanism", "CANNOT")
    given = command.initial
    async with aclosing(exchange):
        step = await anext(exchange)
        while isinstance(step, bytes):
            if given is None:
                yield Continue(b64encode(step))
                given = await ctx.line()
            response, given = sasl.decoded(given), None
            step = response if isinstance(response, Fault) else await exchange.asend(response)
    yield await _signed_in(ctx, step)


async def _signed_in(ctx: Context, end: SignedIn | Refused | Fault) -> Ok:
    if isinstance(end, SignedIn):
        ctx.enter(end)
        return Ok("signed in", capability_code(ctx))
    if end in (Fault.CANCELLED, Fault.UNREADABLE, Fault.MALFORMED):  # RFC 3501 6.2.2
        raise Bad(end.value)
    ctx.login_failures += 1
    if isinstance(end, Fault):
        raise No(end.value, "AUTHORIZATIONFAILED" if end is Fault.ANOTHER else "AUTHENTICATIONFAILED")
    await ctx.sleep(end.wait_ms / 1000)
    raise No("wrong login or password", "AUTHENTICATIONFAILED")


def _require_tls(ctx: Context) -> None:
    if not ctx.tls:
        raise No("STARTTLS first", "PRIVACYREQUIRED")

"""SASL PLAIN (RFC 4616) and LOGIN inside AUTH (RFC 4954): from the argument and the client's responses to a login and a password.

Knows no password: it only reads them. `ask` sends a challenge and returns the response.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mailserver.smtp import replies
from mailserver.smtp.replies import Reply

Ask = Callable[[str], Awaitable[bytes | Reply]]  # challenge in base64 -> the line answered, as it came


@dataclass(frozen=True, slots=True)
class Credentials:
    login: str
    password: str = field(repr=False)


async def read_credentials(argument: str, ask: Ask) -> Credentials | Reply:
    """`argument` follows "AUTH ": mechanism and, maybe, initial response."""
    mechanism, _, initial = argument.partition(" ")
    reader = MECHANISMS.get(mechanism.upper())
    if reader is None:
        return replies.AUTH_UNKNOWN
    return await reader(initial.strip().encode() or None, ask)


async def _plain(initial: bytes | None, ask: Ask) -> Credentials | Reply:
    response = await _response(initial, "", ask)
    if isinstance(response, Reply):
        return response
    parts = response.split("\0")
    if len(parts) != 3:
        return replies.AUTH_UNREADABLE
    authorization, login, password = parts
    if authorization not in ("", login):
        return replies.WRONG_PASSWORD  # acting for another identity is not offered (RFC 4616 2)
    return Credentials(login, password)


async def _login(initial: bytes | None, ask: Ask) -> Credentials | Reply:
    login = await _response(initial, "Username:", ask)
    if isinstance(login, Reply):
        return login
    password = await _response(None, "Password:", ask)
    return password if isinstance(password, Reply) else Credentials(login, password)


async def _response(initial: bytes | None, challenge: str, ask: Ask) -> str | Reply:
    line = initial if initial is not None else await ask(b64encode(challenge.encode()).decode())
    if isinstance(line, Reply):
        return line
    if line == b"*":
        return replies.AUTH_CANCELLED
    try:
        return b64decode(b"" if line == b"=" else line, validate=True).decode()  # "=": empty initial response
    except (binascii.Error, UnicodeDecodeError):
        return replies.AUTH_UNREADABLE


MECHANISMS = {"PLAIN": _plain, "LOGIN": _login}

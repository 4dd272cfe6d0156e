"""What the sign-in pages need from those who keep passwords and boxes; `runtime` plugs `mssante` in, tests a few lines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

Send = Callable[[str, str, str], Awaitable[None]]
"""`await send(to, subject, text)`: an e-mail to a private address, outside the space; never any health data in it."""


@dataclass(frozen=True, slots=True)
class Known:
    """The password was right. `person`: as `Session.person`. `totp` True: they have an application that makes codes."""

    credential: int
    person: int
    private_email: str | None
    totp: bool


@dataclass(frozen=True, slots=True)
class Wrong:
    """`wait` in ms before the next try counts; the same answer for an unknown login and a wrong password."""

    wait: int = 0


class SignIn(Protocol):
    async def password(self, login: str, password: str, client_ip: str) -> Known | Wrong: ...

    async def expect_code(self, credential: int, code: str) -> None:
        """`code` is about to be sent to the person; it replaces the one before."""
        ...

    async def code(self, credential: int, code: str) -> Wrong | None:
        """None when the code (sent, or an application's) is right; a code is good once."""
        ...

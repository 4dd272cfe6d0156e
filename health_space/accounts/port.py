"""What the sign-in pages need from those who keep passwords and boxes; `runtime` plugs `mssante` in, tests a few lines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from foundation.web.sessions import Session
from mssante.recovery import Lost

Send = Callable[[str, str, str], Awaitable[None]]
"""`await send(to, subject, text)`: an e-mail to a private address, outside the space; never any health data in it."""


@dataclass(frozen=True, slots=True)
class Known:
    """The password was right. `person`: as `Session.person`. `totp` True: they have an application that makes codes;
    `passkey`: a passkey that these pages can ask for."""

    credential: int
    person: int
    private_email: str | None
    totp: bool
    passkey: bool = False

    @property
    def enrolled(self) -> bool:
        """They hold a second factor: no code is sent."""
        return self.totp or self.passkey


@dataclass(frozen=True, slots=True)
class Wrong:
    """`wait` in ms before the next try counts; the same answer for an unknown login and a wrong password."""

    wait: int = 0


@dataclass(frozen=True, slots=True)
class Recovered:
    """Who forgot their password, by the code of two operators; `number`: of the recovery (`mssante.recovery`)."""

    known: Known
    number: int
    lost: Lost


class SignIn(Protocol):
    async def password(self, login: str, password: str, client_ip: str) -> Known | Wrong: ...

    async def recovered(self, login: str, code: str, client_ip: str) -> Recovered | Wrong:
        """As `password`, by a code that stands for it."""
        ...

    async def too_weak(self, credential: int, password: str) -> str:
        """Why this password may not be chosen, in a sentence; empty: it may."""
        ...

    async def new_password(self, credential: int, recovery: int, password: str, session: Session) -> bool:
        """Whether it is set, and the recovery used; their other sessions than this one end. False: the recovery is over."""
        ...

    async def known(self, credential: int) -> Known | None:
        """Who signed in, as things stand now."""
        ...

    async def expect_code(self, credential: int, code: str) -> int:
        """0: `code` is to be sent to the person; it replaces the one before. Else the ms to wait; the last is good."""
        ...

    async def code(self, credential: int, code: str) -> Wrong | None:
        """None when the code (sent, or an application's) is right; a code is good once."""
        ...

    async def passkey_asked(self, credential: int, session: str) -> str | None:
        """What the browser needs to ask for a passkey, as JSON; None: there is none to ask for. `session`: whose it is."""
        ...

    async def passkey(self, credential: int, session: str, answer: str) -> bool:
        """Whether the browser's answer is right; it is good once, in that session."""
        ...

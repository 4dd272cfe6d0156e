"""Commands before sign-in (RFC 3501 6.2, RFC 4959 SASL-IR)."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailserver.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class StartTls:
    """RFC 3501 6.2.1."""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """RFC 3501 6.2.2; `initial` is the base64 first answer of RFC 4959, `=` standing for an empty one."""

    mechanism: str
    initial: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """RFC 3501 6.2.3."""

    login: str
    password: str = field(repr=False)


def parse_authenticate(at: Cursor) -> Authenticate:
    at.space()
    mechanism = at.word().decode("ascii")
    return Authenticate(mechanism, at.astring() if at.take(b" ") else None)


def parse_login(at: Cursor) -> Login:
    at.space()
    login = at.text()
    at.space()
    return Login(login, at.text())

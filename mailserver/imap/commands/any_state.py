"""Commands of any state (RFC 3501 6.1, RFC 2971)."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.imap.grammar import Cursor

MAX_ID_FIELDS = 30  # RFC 2971 3.3


@dataclass(frozen=True, slots=True)
class Capability:
    """RFC 3501 6.1.1: asks what the server can do."""


@dataclass(frozen=True, slots=True)
class Noop:
    """RFC 3501 6.1.2: a poll for news."""


@dataclass(frozen=True, slots=True)
class Logout:
    """RFC 3501 6.1.3."""


@dataclass(frozen=True, slots=True)
class Unauthenticate:
    """RFC 8437 3: another identity may sign in on this connection."""


@dataclass(frozen=True, slots=True)
class Id:
    """RFC 2971 3.1: who the client says it is; never believed, never logged, shown to the person whose sign-in it used."""

    fields: tuple[tuple[bytes, bytes | None], ...]


def parse_id(at: Cursor) -> Id:
    at.space()
    if not at.at(b"("):
        if at.word() != b"NIL":
            at.fail("list or NIL expected")
        return Id(())

    def pair() -> tuple[bytes, bytes | None]:
        name = at.string()
        at.space()
        return name, at.nstring()

    fields = at.parenthesised(pair)
    if len(fields) > MAX_ID_FIELDS:
        at.fail("too many fields")
    return Id(tuple(fields))

"""GETMETADATA and SETMETADATA (RFC 5464 4.2, 4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailserver.imap.grammar import Cursor

ROOTS = ("/private", "/shared")
MAX_ENTRY = 255  # octets of an entry's name
MAX_ENTRIES = 100  # in one command
_DEPTHS = {b"0": 0, b"1": 1, b"INFINITY": None}


@dataclass(frozen=True, slots=True)
class GetMetadata:
    """`name` is "" for the server. `depth`: None is infinity; `max_size` in octets, None: no limit."""

    name: str
    entries: tuple[str, ...]
    depth: int | None = 0
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class SetMetadata:
    """A value of None takes the entry away."""

    name: str
    values: Mapping[str, bytes | None] = field(default_factory=dict)


def parse_get_metadata(at: Cursor) -> GetMetadata:
    at.space()
    options = _options(at) if at.at(b"(") else {}
    name = at.mailbox()
    at.space()
    if not options and (at.at(b"(MAXSIZE ") or at.at(b"(DEPTH ")):  # as in RFC 5464's own examples, and by Roundcube
        options = _options(at)
    found = entries(at) if at.at(b"(") else (_entry(at),)
    return GetMetadata(name, found, options.get(b"DEPTH", 0), options.get(b"MAXSIZE"))


def _options(at: Cursor) -> dict[bytes, int | None]:
    """With the space behind them."""
    at.expect(b"(")
    options: dict[bytes, int | None] = {}
    while not at.take(b")"):
        if options:
            at.space()
        option = at.word()
        at.space()
        if option == b"MAXSIZE":
            options[option] = at.number()
        elif option == b"DEPTH":
            depth = at.word()
            if depth not in _DEPTHS:
                at.fail("DEPTH is 0, 1 or infinity")
            options[option] = _DEPTHS[depth]
        else:
            at.fail("unknown GETMETADATA option")
    at.space()
    return options


def entries(at: Cursor) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(at.parenthesised(lambda: _entry(at))))
    if not 0 < len(found) <= MAX_ENTRIES:
        at.fail(f"1 to {MAX_ENTRIES} entries expected")
    return found


def parse_set_metadata(at: Cursor) -> SetMetadata:
    at.space()
    name = at.mailbox()
    at.space()
    values = dict(at.parenthesised(lambda: _value(at)))
    if not 0 < len(values) <= MAX_ENTRIES:
        at.fail(f"1 to {MAX_ENTRIES} entries expected")
    if values.keys() & set(ROOTS):
        at.fail("bad entry name")
    return SetMetadata(name, values)


def _value(at: Cursor) -> tuple[str, bytes | None]:
    entry = _entry(at)
    at.space()
    if at.take(b"~"):  # literal8 (RFC 3516 4.4): may hold NUL
        return entry, at.literal()
    value = at.nstring()
    if value is not None and b"\0" in value:
        at.fail("NUL is for literal8")
    return entry, value


def _entry(at: Cursor) -> str:
    """Compared without case, kept in lower case (RFC 5464 3.2)."""
    raw = at.astring()
    name = raw.decode("ascii", "replace").lower()
    levels = name.split("/")
    if len(raw) > MAX_ENTRY or not name.isascii() or not name.isprintable() or {"*", "%"} & set(name):
        at.fail("bad entry name")
    if levels[0] or len(levels) < 2 or not all(levels[1:]) or "/" + levels[1] not in ROOTS:
        at.fail("bad entry name")
    return name

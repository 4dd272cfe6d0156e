"""Commands on folders (RFC 3501 6.3, RFC 5161, RFC 5258)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mailserver.imap.commands.metadata import entries
from mailserver.imap.grammar import Cursor

STATUS_ITEMS = frozenset(
    (b"MESSAGES", b"RECENT", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN", b"DELETED", b"SIZE", b"HIGHESTMODSEQ", b"MAILBOXID")
) | {b"DELETED-STORAGE", b"APPENDLIMIT"}
BASE_OPTIONS = frozenset((b"SPECIAL-USE", b"SUBSCRIBED"))  # those that RECURSIVEMATCH can go with (RFC 5258 3.1)
SELECTION_OPTIONS = BASE_OPTIONS | {b"REMOTE", b"RECURSIVEMATCH"}
RETURN_OPTIONS = frozenset((b"SPECIAL-USE", b"SUBSCRIBED", b"CHILDREN", b"STATUS", b"METADATA", b"MYRIGHTS"))
MAX_PATTERNS = 32
MAX_PATTERN_CHARACTERS = 1000  # of all of them, with the reference before each: a step for each folder


@dataclass(frozen=True, slots=True)
class Create:
    """RFC 3501 6.3.3; `uses`: what RFC 6154 3 wants it to be for, in lower case."""

    name: str
    uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """RFC 3501 6.3.4."""

    name: str


@dataclass(frozen=True, slots=True)
class Rename:
    """RFC 3501 6.3.5."""

    name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """RFC 3501 6.3.6 and 6.3.7 (UNSUBSCRIBE: not `wanted`)."""

    name: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class List:
    """RFC 3501 6.3.8, RFC 5258 3, RFC 6154 2; `kind` is LIST, LSUB (RFC 3501 6.3.9) or XLIST (Outlook).

    `extended`: written in a way that only RFC 5258 knows; `status`: what RETURN (STATUS ...) wants (RFC 5819);
    `entries`: what RETURN (METADATA ...) wants (RFC 9590). RETURN (MYRIGHTS) is of RFC 8440.
    """

    kind: bytes
    reference: str
    patterns: tuple[str, ...]
    selection: frozenset[bytes] = frozenset()
    returns: frozenset[bytes] = frozenset()
    status: tuple[bytes, ...] = ()
    entries: tuple[str, ...] = ()
    extended: bool = False

    @property
    def subscribed_only(self) -> bool:
        return self.kind == b"LSUB" or b"SUBSCRIBED" in self.selection

    @property
    def tells_subscribed(self) -> bool:
        """\\Subscribed is wanted: by its own option, or because the selection implies it (RFC 5258 3.1)."""
        return b"SUBSCRIBED" in self.selection | self.returns


@dataclass(frozen=True, slots=True)
class Namespace:
    """RFC 2342 5."""


@dataclass(frozen=True, slots=True)
class Status:
    """RFC 3501 6.3.10, RFC 8438, RFC 7162 3.1.7."""

    name: str
    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GetQuota:
    """RFC 9208 4.1.1."""

    root: bytes


@dataclass(frozen=True, slots=True)
class GetQuotaRoot:
    """RFC 9208 4.1.2."""

    name: str


@dataclass(frozen=True, slots=True)
class SetQuota:
    """RFC 9208 4.1.3: by resource, in its units; what is not named is not limited."""

    root: bytes
    limits: Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class Enable:
    """RFC 5161 3.1."""

    names: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Compress:
    """RFC 4978 3."""

    algorithm: bytes


@dataclass(frozen=True, slots=True)
class Idle:
    """RFC 2177."""


def parse_create(at: Cursor) -> Create:
    at.space()
    name = at.mailbox()
    if not at.take(b" ("):
        return Create(name)
    if not at.take_word(b"USE "):
        at.fail("unknown CREATE parameter")
    uses = at.parenthesised(at.flag)
    at.expect(b")")
    return Create(name, tuple(use.decode("ascii").lower() for use in uses))


def parse_delete(at: Cursor) -> Delete:
    at.space()
    return Delete(at.mailbox())


def parse_rename(at: Cursor) -> Rename:
    at.space()
    name = at.mailbox()
    at.space()
    return Rename(name, at.mailbox())


def parse_subscribe(at: Cursor, wanted: bool = True) -> Subscribe:
    at.space()
    return Subscribe(at.mailbox(), wanted)


def parse_list(at: Cursor, kind: bytes = b"LIST") -> List:
    at.space()
    if kind != b"LIST":
        reference = at.list_mailbox()
        at.space()
        return List(kind, reference, (at.list_mailbox(),))
    selection = frozenset[bytes]()
    if extended := at.at(b"("):
        selection = _selection(at)
        at.space()
    reference = at.list_mailbox()
    at.space()
    if at.at(b"("):
        extended = True
        patterns = tuple(at.parenthesised(at.list_mailbox))
        if not 0 < len(patterns) <= MAX_PATTERNS:
            at.fail(f"1 to {MAX_PATTERNS} patterns expected")
        if sum(len(reference) + len(pattern) for pattern in patterns) > MAX_PATTERN_CHARACTERS:
            at.fail(f"patterns have at most {MAX_PATTERN_CHARACTERS} characters together")
    else:
        patterns = (at.list_mailbox(),)
    if not at.take_word(b" RETURN "):
        return List(kind, reference, patterns, selection, extended=extended)
    found = List(kind, reference, patterns, selection, extended=True)
    for option in at.parenthesised(lambda: _return_option(at)):
        found = replace(found, returns=found.returns | {option[0]}, **option[1])
    return found


def _selection(at: Cursor) -> frozenset[bytes]:
    options = frozenset(at.parenthesised(at.word))
    if options - SELECTION_OPTIONS:
        at.fail("unknown LIST option")
    if b"RECURSIVEMATCH" in options and not options & BASE_OPTIONS:
        at.fail("RECURSIVEMATCH goes with SUBSCRIBED or SPECIAL-USE")  # RFC 5258 3.1
    return options


def _return_option(at: Cursor) -> tuple[bytes, dict[str, Any]]:
    """(option, fields of `List` that it sets)."""
    option = at.word()
    if option not in RETURN_OPTIONS:
        at.fail("unknown LIST option")
    if option == b"STATUS":
        at.space()
        return option, {"status": _status_items(at)}
    if option == b"METADATA":
        at.space()
        return option, {"entries": entries(at)}
    return option, {}


def parse_status(at: Cursor) -> Status:
    at.space()
    name = at.mailbox()
    at.space()
    return Status(name, _status_items(at))


def _status_items(at: Cursor) -> tuple[bytes, ...]:
    items = tuple(dict.fromkeys(at.parenthesised(at.word)))
    if not items or set(items) - STATUS_ITEMS:
        at.fail("unknown STATUS item")
    return items


def parse_get_quota(at: Cursor) -> GetQuota:
    at.space()
    return GetQuota(at.astring())


def parse_get_quota_root(at: Cursor) -> GetQuotaRoot:
    at.space()
    return GetQuotaRoot(at.mailbox())


def parse_set_quota(at: Cursor) -> SetQuota:
    def limit() -> tuple[bytes, int]:
        name = at.word()
        at.space()
        return name, at.number64()

    at.space()
    root = at.astring()
    at.space()
    return SetQuota(root, dict(at.parenthesised(limit)))


def parse_enable(at: Cursor) -> Enable:
    names = []
    while at.take(b" ") and not at.at_end():
        names.append(at.word())
    if not names:
        at.fail("capability expected")
    return Enable(tuple(names))


def parse_compress(at: Cursor) -> Compress:
    at.space()
    return Compress(at.word())

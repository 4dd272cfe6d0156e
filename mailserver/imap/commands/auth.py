"""Commands on folders (RFC 3501 6.3, RFC 5161, RFC 5258 as far as RFC 6154 needs it)."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.imap.grammar import Cursor

STATUS_ITEMS = frozenset(
    (b"MESSAGES", b"RECENT", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN", b"DELETED", b"SIZE", b"HIGHESTMODSEQ", b"MAILBOXID")
)
SELECTION_OPTIONS = frozenset((b"SPECIAL-USE", b"SUBSCRIBED", b"REMOTE"))
RETURN_OPTIONS = frozenset((b"SPECIAL-USE", b"SUBSCRIBED", b"CHILDREN"))
MAX_PATTERNS = 32


@dataclass(frozen=True, slots=True)
class Create:
    """RFC 3501 6.3.3."""

    name: str


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
    """RFC 3501 6.3.8, RFC 5258 3, RFC 6154 2; `kind` is LIST, LSUB (RFC 3501 6.3.9) or XLIST (Outlook)."""

    kind: bytes
    reference: str
    patterns: tuple[str, ...]
    selection: frozenset[bytes] = frozenset()
    returns: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Namespace:
    """RFC 2342 5."""


@dataclass(frozen=True, slots=True)
class Status:
    """RFC 3501 6.3.10, RFC 8438, RFC 7162 3.1.7."""

    name: str
    items: tuple[bytes, ...]


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
    return Create(at.mailbox())


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
    selection: frozenset[bytes] = frozenset()
    if kind == b"LIST" and at.at(b"("):
        selection = _options(at, SELECTION_OPTIONS)
        at.space()
    reference = at.list_mailbox()
    at.space()
    if kind == b"LIST" and at.at(b"("):
        patterns = tuple(at.parenthesised(at.list_mailbox))
        if len(patterns) > MAX_PATTERNS:
            at.fail("too many patterns")
    else:
        patterns = (at.list_mailbox(),)
    returns: frozenset[bytes] = frozenset()
    if kind == b"LIST" and at.take_word(b" RETURN "):
        returns = _options(at, RETURN_OPTIONS)
    return List(kind, reference, patterns, selection, returns)


def _options(at: Cursor, known: frozenset[bytes]) -> frozenset[bytes]:
    options = frozenset(at.parenthesised(at.word))
    if options - known:
        at.fail("unknown LIST option")
    return options


def parse_status(at: Cursor) -> Status:
    at.space()
    name = at.mailbox()
    at.space()
    items = tuple(dict.fromkeys(at.parenthesised(at.word)))
    if not items or set(items) - STATUS_ITEMS:
        at.fail("unknown STATUS item")
    return Status(name, items)


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

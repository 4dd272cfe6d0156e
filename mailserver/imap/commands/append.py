"""APPEND (RFC 3501 6.3.11) of one message or many (RFC 3502), put together from pieces (RFC 4469); REPLACE (RFC 8508)."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.imap.framer import Frame
from mailserver.imap.grammar import Cursor
from mailserver.imap.modes import Modes
from mailserver.imap.responses import Bad
from mailserver.imap.sequences import SequenceSet
from mailserver.store.api import Flags, Spool

MAX_PIECES = 256  # of one message, and messages of one command


@dataclass(frozen=True, slots=True)
class Url:
    """A message, or a part of one, that is already here (RFC 4469 3)."""

    text: str


Piece = bytes | Spool | Url


@dataclass(frozen=True, slots=True)
class Appended:
    """`internal_date` in seconds since the epoch; 0 = now. `pieces`: the message, one behind the other."""

    flags: Flags
    internal_date: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Append:
    name: str
    messages: tuple[Appended, ...]


@dataclass(frozen=True, slots=True)
class Replace:
    """RFC 8508 3.2; `replaced` stands for one message."""

    replaced: SequenceSet
    uid: bool
    name: str
    message: Appended


def parse_append(at: Cursor) -> Append:
    at.space()
    name = at.mailbox()
    messages = [_message(at)]
    while at.at_more():
        if len(messages) == MAX_PIECES:
            at.fail(f"at most {MAX_PIECES} messages in one command")
        messages.append(_message(at))
    return Append(name, tuple(messages))


def parse_replace(at: Cursor, uid: bool = False) -> Replace:
    at.space()
    replaced = at.sequence_set(uid)
    at.space()
    return Replace(replaced, uid, at.mailbox(), _message(at))


def target_of(line: bytes, modes: Modes) -> str | None:
    """The folder that the beginning of an APPEND or REPLACE names; None where a literal does, that is not here yet."""
    at = Cursor(Frame(line), modes)
    try:
        at.tag()
        at.space()
        word = at.word()
        if word == b"UID":
            at.space()
            word = at.word()
        at.space()
        if word == b"REPLACE":
            at.sequence_set()
            at.space()
        return at.mailbox()
    except Bad:
        return None


def _message(at: Cursor) -> Appended:
    at.space()
    flags = Flags()
    if at.at(b"("):
        flags = at.flag_list()
        at.space()
    internal_date = 0
    if at.at(b'"'):
        internal_date = at.date_time()
        at.space()
    return Appended(flags, internal_date, _pieces(at))


def _pieces(at: Cursor) -> tuple[Piece, ...]:
    if at.take_word(b"CATENATE "):
        pieces = at.parenthesised(lambda: _piece(at))
        if not 0 < len(pieces) <= MAX_PIECES:
            at.fail(f"1 to {MAX_PIECES} pieces expected")
        return tuple(pieces)
    content = _utf8(at) if at.take_word(b"UTF8 ") else _octets(at)
    if not content if isinstance(content, bytes) else not content.size:
        at.fail("an empty message cannot be stored")  # in MULTIAPPEND the client's way out (RFC 3502 6.3.11)
    return (content,)


def _piece(at: Cursor) -> Piece:
    if at.take_word(b"URL "):
        return Url(at.text())
    if at.take_word(b"UTF8 "):
        return _utf8(at)
    if not at.take_word(b"TEXT "):
        at.fail("TEXT or URL expected")
    return _octets(at)


def _utf8(at: Cursor) -> bytes | Spool:
    """RFC 6855 4; as good as the octets alone, since headers in UTF-8 are taken either way (RFC 9755)."""
    at.expect(b"(")
    content = _octets(at)
    at.expect(b")")
    return content


def _octets(at: Cursor) -> bytes | Spool:
    binary = at.take(b"~")  # literal8 (RFC 3516 4.4): may hold NUL
    content = at.content()
    if not binary and isinstance(content, bytes) and b"\0" in content:
        at.fail("NUL is not allowed in a literal")  # RFC 3501 4.3: CHAR8 is %x01-ff
    return content

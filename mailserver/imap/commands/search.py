"""SEARCH (RFC 3501 6.4.4) with MODSEQ (RFC 7162 3.1.5), and ESEARCH (RFC 7377)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mailserver.imap.commands.filters import NAMED, PLACES, SELECTED, Filter, check_filters, parse_filter
from mailserver.imap.commands.returns import Returns, parse_returns
from mailserver.imap.commands.search_keys import (
    DAY,
    NOTHING,
    Aged,
    All,
    And,
    Arrived,
    Body,
    HasFlag,
    HasKeyword,
    Header,
    Key,
    ModSeq,
    Not,
    Numbers,
    Or,
    OriginIs,
    Saved,
    Sent,
    SizeIn,
    Text,
)
from mailserver.imap.grammar import Cursor
from mailserver.mime.words import codec_for, comparable
from mailserver.store.api import Flag

# Each level costs a recursion, each key a pass over the folder, each text key one over all its texts.
MAX_NESTING = 32
MAX_KEYS = 200
MAX_NEEDLES = 40


@dataclass(frozen=True, slots=True)
class Search:
    key: Key
    with_modseq: bool  # MODSEQ was among the keys: the answer tells the highest one
    uid: bool
    returns: Returns | None = None
    known_charset: bool = True  # False: NO, and whoever asked to keep the result keeps nothing (RFC 5182 2.1)
    uses_saved: bool = False  # `$` was among the keys


@dataclass(frozen=True, slots=True)
class MultiSearch:
    """ESEARCH (RFC 7377 2.1): `search`, in UIDs, in the folders that any of `sources` means."""

    sources: tuple[Filter, ...]
    search: Search


SOURCES = PLACES | NAMED | {SELECTED, b"SUBTREE-ONE"}


def parse_multi_search(at: Cursor) -> MultiSearch:
    at.space()
    sources = [Filter(SELECTED)]
    if at.take_word(b"IN "):
        sources = at.parenthesised(lambda: parse_filter(at, SOURCES))
        if not sources:
            at.fail("folders expected")
        check_filters(at, sources)
        at.space()
    return MultiSearch(tuple(sources), _program(at, uid=True))


def parse_search(at: Cursor, uid: bool = False) -> Search:
    at.space()
    return _program(at, uid)


def _program(at: Cursor, uid: bool) -> Search:
    returns = None
    if at.take_word(b"RETURN"):
        returns = parse_returns(at)
        at.space()
    charset = b"utf-8"
    if at.take_word(b"CHARSET "):
        if at.no_charset:
            at.fail("no CHARSET once UTF8=ACCEPT is enabled")  # RFC 9755 3
        charset = at.astring()
        at.space()
    return parse_keys(at, charset, uid, returns)


def parse_keys(at: Cursor, named: bytes, uid: bool, returns: Returns | None) -> Search:
    """The search keys, whose texts are in the character set `named`."""
    codec = _codec(named.decode("ascii", "replace").lower())
    parser = _Parser(at, codec or "latin-1")
    keys = [parser.key(0)]
    while at.take(b" ") and not at.at_end():
        keys.append(parser.key(0))
    return Search(And(tuple(keys)), parser.modseq_seen, uid, returns, codec is not None, parser.saved_used)


def _codec(charset: str) -> str | None:
    """These two to the letter (RFC 9051 6.4.4); others as messages are read in them. None: not known."""
    return charset if charset in ("utf-8", "us-ascii") else codec_for(charset)


class _Parser:
    def __init__(self, at: Cursor, charset: str) -> None:
        self.at = at
        self.charset = charset
        self.modseq_seen = self.saved_used = False
        self.count = 0
        self.needles = 0

    def key(self, depth: int) -> Key:
        at = self.at
        self.count += 1
        if depth > MAX_NESTING or self.count > MAX_KEYS:
            at.fail("search too complex")
        if at.at(b"("):
            keys = at.parenthesised(lambda: self.key(depth + 1))
            if not keys:
                at.fail("search keys expected")
            return And(tuple(keys))
        if at.at_digit() or at.at(b"*") or at.at(b"$"):
            return self.numbers(uid=False)
        word = at.word()
        if word in _PLAIN:
            return _PLAIN[word]
        if word == b"NOT":
            at.space()
            return Not(self.key(depth + 1))
        if word == b"OR":
            at.space()
            first = self.key(depth + 1)
            at.space()
            return Or((first, self.key(depth + 1)))
        if word not in _WITH_ARGUMENT:
            at.fail("unknown search key")
        at.space()
        return _WITH_ARGUMENT[word](self)

    def numbers(self, uid: bool) -> Key:
        self.saved_used |= self.at.at(b"$")
        return Numbers(self.at.sequence_set(uid), uid)

    def needle(self) -> bytes:
        self.needles += 1
        if self.needles > MAX_NEEDLES:
            self.at.fail("search too complex")
        try:
            return comparable(self.at.astring().decode(self.charset)).encode()
        except UnicodeError:
            self.at.fail("text is not in the character set named")

    def day(self) -> int:
        return self.at.date()

    def header(self) -> Key:
        name = self.at.astring().lower()
        self.at.space()
        return Header(name, self.needle())

    def keyword(self) -> Key:
        return HasKeyword(self.at.atom().decode("ascii").lower())

    def modseq(self) -> Key:
        """MODSEQ [entry-name SP entry-type SP] n: per-flag numbers are not kept, the whole message's stands for them."""
        if self.at.at(b'"'):
            self.at.string()
            self.at.space()
            if self.at.word() not in (b"PRIV", b"SHARED", b"ALL"):
                self.at.fail("entry type expected")
            self.at.space()
        self.modseq_seen = True
        return ModSeq(self.at.mod_sequence())


_PLAIN: dict[bytes, Key] = {
    b"ALL": All(),
    b"ANSWERED": HasFlag(Flag.ANSWERED),
    b"DELETED": HasFlag(Flag.DELETED),
    b"DRAFT": HasFlag(Flag.DRAFT),
    b"FLAGGED": HasFlag(Flag.FLAGGED),
    b"SEEN": HasFlag(Flag.SEEN),
    b"UNANSWERED": Not(HasFlag(Flag.ANSWERED)),
    b"UNDELETED": Not(HasFlag(Flag.DELETED)),
    b"UNDRAFT": Not(HasFlag(Flag.DRAFT)),
    b"UNFLAGGED": Not(HasFlag(Flag.FLAGGED)),
    b"UNSEEN": Not(HasFlag(Flag.SEEN)),
    # No message is ever \Recent here (responses_messages.Recent).
    b"NEW": NOTHING,
    b"RECENT": NOTHING,
    b"OLD": All(),
    b"SAVEDATESUPPORTED": All(),  # RFC 8514 4.3
}

_WITH_ARGUMENT: dict[bytes, Callable[[_Parser], Key]] = {
    b"BCC": lambda p: Header(b"bcc", p.needle()),
    b"BEFORE": lambda p: Arrived(None, p.day()),
    b"BODY": lambda p: Body(p.needle()),
    b"CC": lambda p: Header(b"cc", p.needle()),
    b"FROM": lambda p: Header(b"from", p.needle()),
    b"HEADER": _Parser.header,
    b"KEYWORD": _Parser.keyword,
    b"EMAILID": lambda p: OriginIs("email", p.at.atom()),
    b"LARGER": lambda p: SizeIn(above=p.at.number()),
    b"MODSEQ": _Parser.modseq,
    b"OLDER": lambda p: Aged(p.at.nz_number(), younger=False),
    b"ON": lambda p: Arrived(day := p.day(), day + DAY),
    b"SAVEDBEFORE": lambda p: Saved(end=p.day()),
    b"SAVEDON": lambda p: Saved(day := p.day(), day + DAY),
    b"SAVEDSINCE": lambda p: Saved(p.day()),
    b"SENTBEFORE": lambda p: Sent(None, p.day()),
    b"SENTON": lambda p: Sent(day := p.day(), day + DAY),
    b"SENTSINCE": lambda p: Sent(p.day(), None),
    b"SINCE": lambda p: Arrived(p.day(), None),
    b"SMALLER": lambda p: SizeIn(below=p.at.number()),
    b"SUBJECT": lambda p: Header(b"subject", p.needle()),
    b"TEXT": lambda p: Text(p.needle()),
    b"THREADID": lambda p: OriginIs("thread", p.at.atom()),
    b"TO": lambda p: Header(b"to", p.needle()),
    b"UID": lambda p: p.numbers(uid=True),
    b"UNKEYWORD": lambda p: Not(p.keyword()),
    b"YOUNGER": lambda p: Aged(p.at.nz_number(), younger=True),
}

"""The words of IMAP's formal syntax (RFC 3501 9) over one `Frame`: pure, no socket, no session.

A `Cursor` walks along the line; each method reads one production and raises `Bad` where the text does not fit. The commands'
parsers (`commands/`) are written with it and give one frozen dataclass per command.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Callable
from typing import NoReturn, TypeVar

from mailserver.imap.framer import Frame
from mailserver.imap.modes import Modes
from mailserver.imap.responses import Bad
from mailserver.imap.sequences import Page, SequenceSet
from mailserver.imap.wire import MONTHS, decode_mailbox
from mailserver.store.api import Flag, Flags, Spool

T = TypeVar("T")

NOTHING_ON = Modes()
Saved = Callable[[bool], SequenceSet]  # what `$` stands for, in UIDs or in message numbers
MAX_NAME = 500  # octets of a mailbox name in modified UTF-7

_TAG = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]{1,64}")
_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_ASTRING = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]+")
_LIST_MAILBOX = re.compile(rb"[^\x00-\x20\x7f-\xff(){\"\\]+")
# UTF-8 in a quoted string is against RFC 3501, yet clients search with it: the meaning is plain.
_QUOTED = re.compile(rb'"((?:[^\x00\r\n"\\]|\\["\\])*)"')
_LITERAL = re.compile(rb"\{\d+\+?\}\r\n")
_NUMBER = re.compile(rb"\d{1,19}")
_PAGE = re.compile(rb"(?:([1-9]\d{0,9}):([1-9]\d{0,9})|(-[1-9]\d{0,9}):(-[1-9]\d{0,9}))(?!\d)")
_SET = re.compile(rb"(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?(?:,(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?)*")
_FLAG = re.compile(rb"\\?[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_DATE = re.compile(rb'"?(\d{1,2})-([A-Za-z]{3})-(\d{4})"?')
_DATE_TIME = re.compile(rb'"([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"')

SYSTEM_FLAGS = {
    b"\\SEEN": Flag.SEEN,
    b"\\ANSWERED": Flag.ANSWERED,
    b"\\FLAGGED": Flag.FLAGGED,
    b"\\DELETED": Flag.DELETED,
    b"\\DRAFT": Flag.DRAFT,
}


def nothing_saved(uid: bool) -> SequenceSet:
    raise Bad("no search result is kept")


class Cursor:
    """A place in one command; every reading method moves it past what it read."""

    __slots__ = ("_line", "_literals", "_modes", "_pos", "_results", "_saved", "_taken")

    def __init__(self, frame: Frame, modes: Modes = NOTHING_ON, saved: Saved = nothing_saved) -> None:
        self._modes = modes
        self._saved = saved
        self._results: dict[bool, SequenceSet] = {}
        self._line = frame.line
        self._literals = frame.literals
        self._pos = 0
        self._taken = 0

    @property
    def no_charset(self) -> bool:
        return self._modes.no_charset

    def fail(self, text: str) -> NoReturn:
        raise Bad(text)

    def _match(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        match = pattern.match(self._line, self._pos)
        if match is None:
            self.fail(f"{what} expected")
        self._pos = match.end()
        return match

    def at(self, text: bytes) -> bool:
        return self._line.startswith(text, self._pos)

    def at_digit(self) -> bool:
        return self._line[self._pos : self._pos + 1].isdigit()

    def at_end(self) -> bool:
        return self._pos >= len(self._line)

    def at_more(self) -> bool:
        """A space stands here and not the end behind it: old clients leave spaces there."""
        return self.at(b" ") and bool(self._line[self._pos :].strip(b" "))

    def take(self, text: bytes) -> bool:
        """Passes `text` (case as given) if it stands here."""
        if not self.at(text):
            return False
        self._pos += len(text)
        return True

    def take_word(self, word: bytes) -> bool:
        """Passes `word` if it stands here in any case."""
        end = self._pos + len(word)
        if self._line[self._pos : end].upper() != word:
            return False
        self._pos = end
        return True

    def expect(self, text: bytes) -> None:
        if not self.take(text):
            self.fail(f"'{text.decode()}' expected")

    def space(self) -> None:
        if not self.take(b" "):
            self.fail("space expected")

    def end(self) -> None:
        # Trailing spaces are a known habit of old clients and harm nobody.
        if self._line[self._pos :].strip(b" "):
            self.fail("unexpected text at the end of the command")

    def tag(self) -> bytes:
        return self._match(_TAG, "tag")[0]

    def atom(self) -> bytes:
        return self._match(_ATOM, "atom")[0]

    def word(self) -> bytes:
        """An atom compared without case: command names, keys, items."""
        return self.atom().upper()

    def number(self) -> int:
        return int(self._match(_NUMBER, "number")[0])

    def nz_number(self) -> int:
        value = self.number()
        if not 0 < value < 1 << 32:
            self.fail("number above zero expected")
        return value

    def number64(self, what: str = "number") -> int:
        """63 bits (RFC 9051 9)."""
        value = self.number()
        if value >= 1 << 63:
            self.fail(f"{what} too large")
        return value

    def mod_sequence(self) -> int:
        """mod-sequence-valzer (RFC 7162 7)."""
        return self.number64("mod-sequence")

    def at_literal(self) -> bool:
        return _LITERAL.match(self._line, self._pos) is not None

    def literal(self) -> bytes:
        found = self.content()
        if not isinstance(found, bytes):
            self.fail("literal too large")
        return found

    def content(self) -> bytes | Spool:
        """A literal that may be large."""
        self._match(_LITERAL, "literal")
        self._taken += 1
        return self._literals[self._taken - 1]

    def quoted(self) -> bytes:
        text = self._match(_QUOTED, "quoted string")[1]
        return re.sub(rb"\\(.)", rb"\1", text) if b"\\" in text else text

    def string(self) -> bytes:
        return self.quoted() if self.at(b'"') else self.literal()

    def nstring(self) -> bytes | None:
        if self.at(b'"') or self.at(b"{"):
            return self.string()
        if self.word() != b"NIL":
            self.fail("string or NIL expected")
        return None

    def astring(self) -> bytes:
        if self.at(b'"') or self.at(b"{"):
            return self.string()
        return self._match(_ASTRING, "string")[0]

    def text(self) -> str:
        """An astring as text; clients write UTF-8 whatever the grammar says."""
        return self.astring().decode("utf-8", "replace")

    def mailbox(self) -> str:
        return mailbox_name(self.astring(), self._modes.utf8)

    def list_mailbox(self) -> str:
        """A LIST pattern: as a mailbox name, with % and * (RFC 3501 6.3.8)."""
        raw = self.string() if self.at(b'"') or self.at(b"{") else self._match(_LIST_MAILBOX, "pattern")[0]
        return _decoded(raw, self._modes.utf8)

    def sequence_set(self, uid: bool = True) -> SequenceSet:
        """Of UIDs, or of message numbers; `$` is the result of the last SEARCH that kept it (RFC 5182 2.1)."""
        if self.take(b"$"):
            if uid not in self._results:  # made once, however often the command names it
                self._results[uid] = self._saved(uid)
            return self._results[uid]
        if not uid and self._modes.uid_only:
            raise Bad("UIDs only", "UIDREQUIRED")  # RFC 9586 3
        found = SequenceSet.parse(self._match(_SET, "message set")[0])
        if not found.valid():
            self.fail("message numbers stand between 1 and 4294967295")
        return found

    def page(self) -> Page:
        first, last = filter(None, self._match(_PAGE, "range of places").groups())
        found = Page(int(first), int(last))
        if abs(found.reach) >= 1 << 32:
            self.fail("places stand between 1 and 4294967295")
        return found

    def flag(self) -> bytes:
        return self._match(_FLAG, "flag")[0]

    def flag_list(self) -> Flags:
        return flags_of(self.parenthesised(self.flag))

    def parenthesised(self, item: Callable[[], T]) -> list[T]:
        """`(` item *(SP item) `)`, possibly empty."""
        self.expect(b"(")
        items: list[T] = []
        while not self.take(b")"):
            if items:
                self.space()
            items.append(item())
        return items

    def date(self) -> int:
        """A day as seconds since the epoch at its midnight, zone disregarded (RFC 3501 6.4.4)."""
        match = self._match(_DATE, "date")
        return self._seconds(match[1], match[2], match[3], 0, 0, 0)

    def date_time(self) -> int:
        """Seconds since the epoch."""
        match = self._match(_DATE_TIME, "date-time")
        local = self._seconds(match[1], match[2], match[3], int(match[4]), int(match[5]), int(match[6]))
        shift = int(match[8]) * 3600 + int(match[9]) * 60
        return local - shift if match[7] == b"+" else local + shift

    def _seconds(self, day: bytes, month: bytes, year: bytes, hour: int, minute: int, second: int) -> int:
        name = month.decode("ascii").capitalize()
        if name not in MONTHS or not (int(year) and 1 <= int(day) <= 31) or hour > 23 or minute > 59 or second > 60:
            self.fail("impossible date")
        return timegm((int(year), MONTHS.index(name) + 1, int(day), hour, minute, second))


def _decoded(raw: bytes, utf8: bool) -> str:
    if len(raw) > MAX_NAME:
        raise Bad("mailbox name too long")
    try:
        return raw.decode("utf-8") if utf8 else decode_mailbox(raw)
    except ValueError:
        raise Bad(f"mailbox name is not in {'UTF-8' if utf8 else 'modified UTF-7'}") from None


def mailbox_name(raw: bytes, utf8: bool = False) -> str:
    """The Unicode name; INBOX, and INBOX at the head of a path, in any case (RFC 3501 5.1)."""
    name = _decoded(raw, utf8)
    head, slash, rest = name.partition("/")
    return "INBOX" + slash + rest if head.upper() == "INBOX" else name


def flags_of(names: list[bytes]) -> Flags:
    system, keywords = Flag(0), dict[str, str]()
    for name in names:
        if name.startswith(b"\\"):
            if name.upper() not in SYSTEM_FLAGS:
                raise Bad("unknown system flag")
            system |= SYSTEM_FLAGS[name.upper()]
        else:
            keywords.setdefault(name.decode("ascii").lower(), name.decode("ascii"))
    return Flags(system, frozenset(keywords.values()))

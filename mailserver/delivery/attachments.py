"""What is done with attachments by what they are (`contents.kinds`): tables from kinds to actions, by direction and by mailbox.

What our users send is judged by the table of the mailbox that sends, for all recipients. What our mailboxes receive, from whomever,
is judged by the table of each: a message between two of them passes both. Refused: with the type in the sentence. Warned of:
delivered with a header field in front that programs and people can sort by. Never put off: what is wrong with it will not change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import islice

from mailserver.contents.kinds import HEAD, SEEN, START, Found, Kind, is_letter, named, unreadable
from mailserver.contents.looking import is_plain, look, wants_all
from mailserver.contents.opening import Opened, Shut
from mailserver.contents.purse import Purse
from mailserver.mime.message import Message, scan
from mssante import reasons
from mssante.kinds import BoxKind
from mssante.rules import Refused

OPAQUE = Found(Kind.UNREADABLE, "MIME illisible / unreadable MIME")
WARNING = "X-MSSante-Attachment-Warning"
MOST = 50  # attachments named in one field: a message with more of them is warned of as a whole; files within its texts
LETTERS = 4  # attached as files, one in the other
_FOLD = ",\r\n "
_OURS = re.compile(rb"%s: [^\r]*\r\n(?: [^\r]*\r\n)*" % WARNING.encode())
_SAID = re.compile(rf"\b({'|'.join(kind.value for kind in Kind)})\b(?:;\s*part=([0-9.]{{1,100}}))?")
Addressed = BoxKind | None  # a mailbox of ours of this kind; None: another operator's


class Action(Enum):
    ACCEPT = "accept"
    WARN = "warn"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Warned:
    """`section` of the attachment, as IMAP numbers them; empty: the message's own."""

    kind: Kind
    section: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of one table: what it refuses, or what it warns of. `first`: the kind refused, or warned of first, for the figures."""

    refused: Refused | None = None
    warned: tuple[Warned, ...] = ()
    first: Kind | None = None


NOTHING = Judgement()


@dataclass(frozen=True, slots=True)
class Policy:
    """One table. `actions`: of a kind that is not named, accepted; `scripts`: endings of names, in lower case."""

    actions: Mapping[Kind, Action] = field(default_factory=dict)
    scripts: frozenset[str] = frozenset()

    def judge(self, found: Iterable[tuple[str, Found]]) -> Judgement:
        """`found`: with the section where it was found."""
        warned: dict[Warned, None] = {}
        for section, one in found:
            action = self.actions.get(one.kind, Action.ACCEPT)
            if action is Action.REFUSE:
                return Judgement(Refused(reasons.ATTACHMENT_REFUSED, {"type": one.label}), first=one.kind)
            if action is Action.WARN:
                warned[Warned(one.kind, section)] = None
        return Judgement(warned=tuple(warned), first=next(iter(warned)).kind) if warned else NOTHING


NO_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Judged:
    """What one message's tables say of it."""

    sent: Judgement = NOTHING
    received: Mapping[BoxKind, Judgement] = field(default_factory=dict)

    def of(self, addressed: Addressed) -> Judgement:
        return NOTHING if addressed is None else self.received.get(addressed, NOTHING)

    def warning(self, addressed: Addressed) -> bytes:
        """Header lines to be put in front of the copy for these mailboxes."""
        if self is NONE_JUDGED:
            return b""
        warned = dict.fromkeys((*self.sent.warned, *self.of(addressed).warned))
        return _header(list(warned)) if warned else b""


NONE_JUDGED = Judged()


@dataclass(frozen=True, slots=True)
class Policies:
    """The tables: of what our mailboxes receive, of what they send. For one message, `by` leaves those that concern it."""

    received: Mapping[BoxKind, Policy] = field(default_factory=dict)
    sent: Mapping[BoxKind, Policy] = field(default_factory=dict)

    def by(self, author: BoxKind | None) -> Policies:
        """`author`: the sender's mailbox, of ours; None: another operator's."""
        theirs = {} if author is None else {author: self.sent.get(author, NO_POLICY)}
        return Policies(self.received, theirs)

    def judge(self, message: Message, opened: Opened | None = None) -> Judged:
        """Looks once at every file of it, those of attached messages too. Raises `MustOpen` for those that only opening shows;
        `opened`: what was found in them."""
        tables = [*self.sent.values(), *self.received.values()]
        if not tables or not (message.cut or message.has_attachments or _hides(message)):
            return NONE_JUDGED
        shut: list[Shut] = []
        found = {
            scripts: list(_found(message, _Look(scripts, opened or {}, shut)))
            for scripts in {table.scripts for table in tables}
        }
        if shut and opened is None:
            raise MustOpen(shut)
        sent = [table.judge(found[table.scripts]) for table in self.sent.values()]
        received = {kind: table.judge(found[table.scripts]) for kind, table in self.received.items()}
        return Judged(sent[0] if sent else NOTHING, received)


NO_POLICIES = Policies()


class MustOpen(Exception):
    """Archives of other formats or within others, winmail.dat: to be opened elsewhere (`contents.opening`)."""

    def __init__(self, files: list[Shut]) -> None:
        super().__init__("attachments to be opened")
        self.files = files


def _hides(message: Message) -> bool:
    """Whether others may find files in it although it has none."""
    return any(True for _ in message.doubtful()) or any(True for _ in message.uuencoded())


@dataclass(frozen=True, slots=True)
class _Look:
    """What one table's look at a message shares; `under`: the sections of the attached letters in which it is."""

    scripts: frozenset[str]
    opened: Opened
    shut: list[Shut]
    purse: Purse = field(default_factory=Purse)
    under: str = ""


def _found(message: Message, of: _Look) -> Iterator[tuple[str, Found]]:
    scripts, purse = of.scripts, of.purse
    if message.cut:
        yield "", OPAQUE
    for section in message.doubtful():
        yield section, OPAQUE
    yield from _in_texts(message, scripts, purse)
    for section, names in message.files():
        yield from ((section, one) for name in names[1:] for one in named(name, scripts))
        if any(map(is_letter, names)):
            yield from ((section, one) for one in _in_letter(message.decoded(section), section, of))
        start = message.decoded(section, START)
        if all(is_plain(start, name, scripts) for name in names):
            continue
        head = message.decoded(section, HEAD)
        name = next((one for one in names if wants_all(head, one)), names[0])
        whole = len(head) < SEEN or wants_all(head, name)  # short, or blank lines and comments of the encoding
        content, purse.shut = message.decoded(section) if whole else head, False
        place = of.under + section
        inside = of.opened.get(
            (place, scripts), []
        )  # beside what is seen from outside: nothing comes of a process that was ended
        yield from ((section, one) for one in (*look(content, name, scripts, purse), *inside))
        if purse.shut:
            of.shut.append(Shut(place, name, scripts, content))


def _in_letter(content: bytes, section: str, of: _Look) -> Iterable[Found]:
    """An attached message that is said to be a file: mail clients open it as one."""
    if of.under.count(" ") == LETTERS:
        return [OPAQUE]
    inside = replace(of, under=f"{of.under}{section} ")
    return [one for _, one in _found(scan(content), inside)]


def _in_texts(message: Message, scripts: frozenset[str], purse: Purse) -> Iterator[tuple[str, Found]]:
    for count, (section, name, content) in enumerate(islice(message.uuencoded(), MOST), 1):
        purse.shut = False
        yield from ((section, one) for one in look(content, name, scripts, purse))
        if purse.shut or count == MOST:
            yield section, unreadable("uuencode")


def without_warning(octets: bytes) -> bytes:
    """A message that we held: it is judged again at its hour, by the tables of that hour."""
    found = _OURS.match(octets)
    return octets[found.end() :] if found else octets


def warned_of(message: Message) -> list[Warned]:
    """What its field says, to be shown; whoever wrote it, for nobody gains by a warning."""
    values = b",".join(message.raw_headers(WARNING))
    found = _SAID.findall(values.decode("ascii", "replace"))[:MOST]
    return [Warned(Kind(kind), section) for kind, section in found]


def _header(warned: list[Warned]) -> bytes:
    """`macros; part=2.1`: kinds are what programs sort by, parts are what pages show them beside. A line each (RFC 5322 2.2.3)."""
    if len(warned) > MOST:
        warned = [Warned(kind) for kind in dict.fromkeys(one.kind for one in warned)]
    said = [f"{one.kind.value}; part={one.section}" if one.section else one.kind.value for one in warned]
    return f"{WARNING}: {_FOLD.join(said)}\r\n".encode("ascii")

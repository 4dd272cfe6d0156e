"""What the server says of messages: flags, numbers, what SEARCH and THREAD found (RFC 3501 7.2.5 to 7.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailserver.imap.wire import run_set
from mailserver.store.api import Flag, Flags

_FLAG_NAMES = (
    (Flag.ANSWERED, b"\\Answered"),
    (Flag.FLAGGED, b"\\Flagged"),
    (Flag.DELETED, b"\\Deleted"),
    (Flag.SEEN, b"\\Seen"),
    (Flag.DRAFT, b"\\Draft"),
)
SYSTEM_FLAGS = "\\Answered \\Flagged \\Deleted \\Seen \\Draft"


def flag_text(system: int, keywords: frozenset[str]) -> bytes:
    """The flags as they stand inside FLAGS (...), always in the same order."""
    names = [name for bit, name in _FLAG_NAMES if system & bit]
    return b" ".join(names + [keyword.encode("ascii") for keyword in sorted(keywords)])


def flags_text(flags: Flags) -> bytes:
    return flag_text(flags.system, flags.keywords)


@dataclass(frozen=True, slots=True)
class FolderFlags:
    """FLAGS: the system flags and the keywords in use (RFC 3501 7.2.6)."""

    keywords: Sequence[str]

    def __bytes__(self) -> bytes:
        return b"* FLAGS (%b)\r\n" % " ".join((SYSTEM_FLAGS, *self.keywords)).encode("ascii")


@dataclass(frozen=True, slots=True)
class Exists:
    count: int

    def __bytes__(self) -> bytes:
        return b"* %d EXISTS\r\n" % self.count


@dataclass(frozen=True, slots=True)
class Recent:
    """Always 0: \\Recent cannot be right with several sessions, and RFC 9051 took it out; rev1 wants the line."""

    def __bytes__(self) -> bytes:
        return b"* 0 RECENT\r\n"


@dataclass(frozen=True, slots=True)
class Expunge:
    number: int

    def __bytes__(self) -> bytes:
        return b"* %d EXPUNGE\r\n" % self.number


@dataclass(frozen=True, slots=True)
class Vanished:
    """RFC 7162 3.2.10: runs of UIDs gone, ascending; `earlier`: before the client's look, its message numbers stay."""

    runs: Sequence[tuple[int, int]]
    earlier: bool = False

    def __bytes__(self) -> bytes:
        return b"* VANISHED %b%b\r\n" % (b"(EARLIER) " if self.earlier else b"", run_set(self.runs))


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`modseq`: the highest of the messages found, when MODSEQ was asked for (RFC 7162 3.1.5)."""

    numbers: Sequence[int]
    modseq: int | None = None
    name: bytes = b"SEARCH"

    def __bytes__(self) -> bytes:
        text = b"".join(b" %d" % number for number in self.numbers)
        return (
            b"* "
            + self.name
            + text
            + (b" (MODSEQ %d)" % self.modseq if self.modseq and self.numbers else b"")
            + b"\r\n"
        )


@dataclass(frozen=True, slots=True)
class Threads:
    """RFC 5256 4; `trees` as written there."""

    trees: bytes

    def __bytes__(self) -> bytes:
        return b"* THREAD" + (b" " + self.trees if self.trees else b"") + b"\r\n"


@dataclass(frozen=True, slots=True)
class ESearch:
    """RFC 4731 3, RFC 9051 7.3.4: the items told, each with its value, in the order they are said.

    `where`: of which folder (RFC 7377 2.1), rendered by `correlator`.
    """

    tag: bytes
    uid: bool
    items: tuple[tuple[bytes, bytes], ...]
    where: bytes = b""

    def __bytes__(self) -> bytes:
        uid = b" UID" if self.uid else b""
        items = b"".join(b" " + name + b" " + value for name, value in self.items)
        return b'* ESEARCH (TAG "' + self.tag + b'"' + self.where + b")" + uid + items + b"\r\n"

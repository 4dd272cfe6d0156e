"""What the server says (RFC 3501 7): typed values, each with one `__bytes__`, CRLF included.

`Ok`, `No` and `Bad` are completions: the session puts the tag before them. `No` (a wish refused) and `Bad` (the client's
fault) are raised wherever they are found; each knows its response code (RFC 3501 7.1, RFC 5530). Our own faults have no
value here: the session answers them with one fixed sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailserver.imap.wire import astring, encode_mailbox, number_set, octets, quoted, string
from mailserver.store.api import Flag, Flags, Folder

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


def mailbox(name: str, utf8: bool = False) -> bytes:
    """In modified UTF-7, or in UTF-8 for who asked for it (RFC 9051 5.1, RFC 6855 3)."""
    # Always quoted: a name such as NIL or 10 is misread as an atom by some clients.
    return quoted(name.encode() if utf8 else encode_mailbox(name))


def _status(kind: bytes, text: str, code: str | None) -> bytes:
    return kind + (b" [%b] " % code.encode("ascii") if code else b" ") + text.encode("ascii") + b"\r\n"


@dataclass(frozen=True, slots=True)
class Ok:
    """A command done: yielded last by its handler."""

    text: str
    code: str | None = None

    def __bytes__(self) -> bytes:
        return _status(b"OK", self.text, self.code)


class No(Exception):
    """A wish refused."""

    def __init__(self, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.text, self.code = text, code

    def __bytes__(self) -> bytes:
        return _status(b"NO", self.text, self.code)


class Bad(Exception):
    """The client's fault: syntax, wrong state, impossible number."""

    def __init__(self, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.text, self.code = text, code

    def __bytes__(self) -> bytes:
        return _status(b"BAD", self.text, self.code)


Completion = Ok | No | Bad


@dataclass(frozen=True, slots=True)
class Untagged:
    """`* OK`, `* NO`, `* BAD`."""

    status: Completion

    def __bytes__(self) -> bytes:
        return b"* " + bytes(self.status)


@dataclass(frozen=True, slots=True)
class Tagged:
    tag: bytes
    status: Completion

    def __bytes__(self) -> bytes:
        return self.tag + b" " + bytes(self.status)


@dataclass(frozen=True, slots=True)
class Bye:
    """The server is about to close (RFC 3501 7.1.5)."""

    text: str
    code: str | None = None

    def __bytes__(self) -> bytes:
        return _status(b"* BYE", self.text, self.code)


@dataclass(frozen=True, slots=True)
class Continue:
    """`+`: the client may go on (RFC 3501 7.5); everything waiting is sent with it."""

    text: bytes = b"OK"

    def __bytes__(self) -> bytes:
        return b"+ %b\r\n" % self.text


@dataclass(frozen=True, slots=True)
class Capability:
    names: Sequence[str]

    def __bytes__(self) -> bytes:
        return b"* CAPABILITY %b\r\n" % " ".join(self.names).encode("ascii")


@dataclass(frozen=True, slots=True)
class Enabled:
    names: Sequence[str]

    def __bytes__(self) -> bytes:
        return b"* " + " ".join(("ENABLED", *self.names)).encode("ascii") + b"\r\n"


@dataclass(frozen=True, slots=True)
class Id:
    """RFC 2971 3.2."""

    fields: Sequence[tuple[str, str]]

    def __bytes__(self) -> bytes:
        pairs = b" ".join(string(name.encode()) + b" " + string(value.encode()) for name, value in self.fields)
        return b"* ID (%b)\r\n" % pairs if pairs else b"* ID NIL\r\n"


@dataclass(frozen=True, slots=True)
class Namespace:
    """One personal namespace with no prefix, nothing of others, nothing shared (RFC 2342 5)."""

    def __bytes__(self) -> bytes:
        return b'* NAMESPACE (("" "/")) NIL NIL\r\n'


@dataclass(frozen=True, slots=True)
class ListLine:
    """LIST, LSUB and XLIST (RFC 3501 7.2.2); `extended` holds RFC 5258 items, rendered."""

    attributes: Sequence[str]
    name: str
    command: bytes = b"LIST"
    extended: bytes = b""
    oldname: str | None = None  # the name as the client wrote it, shown when ours differs (RFC 9051 6.3.9.7)
    utf8: bool = False

    def __bytes__(self) -> bytes:
        attributes = " ".join(self.attributes).encode("ascii")
        extended = self.extended
        if self.oldname not in (None, self.name):
            extended += b' ("OLDNAME" (%b))' % mailbox(self.oldname or "", self.utf8)
        return b'* %b (%b) "/" %b%b\r\n' % (self.command, attributes, mailbox(self.name, self.utf8), extended)


def mailbox_id(folder: Folder) -> str:
    """MAILBOXID, in its parentheses (RFC 8474 4): the folder's for its life, whatever its name."""
    return f"(F{folder.id})"


@dataclass(frozen=True, slots=True)
class StatusLine:
    name: str
    items: Sequence[tuple[bytes, int | bytes]]
    utf8: bool = False

    def __bytes__(self) -> bytes:
        items = b" ".join(
            b"%b %b" % (item, value if isinstance(value, bytes) else b"%d" % value) for item, value in self.items
        )
        return b"* STATUS %b (%b)\r\n" % (mailbox(self.name, self.utf8), items)


@dataclass(frozen=True, slots=True)
class Metadata:
    """Values by entry, None for one that is not there (RFC 5464 4.4.1)."""

    name: str
    values: Mapping[str, bytes | None]
    utf8: bool = False

    def __bytes__(self) -> bytes:
        pairs = (
            astring(entry.encode()) + b" " + (b"NIL" if value is None else octets(value))
            for entry, value in self.values.items()
        )
        return b"* METADATA %b (%b)\r\n" % (mailbox(self.name, self.utf8), b" ".join(pairs))


@dataclass(frozen=True, slots=True)
class MetadataChanged:
    """Entries that came, went or changed; no values (RFC 5464 4.4.2)."""

    name: str
    entries: Sequence[str]
    utf8: bool = False

    def __bytes__(self) -> bytes:
        entries = b" ".join(astring(entry.encode()) for entry in self.entries)
        return b"* METADATA %b %b\r\n" % (mailbox(self.name, self.utf8), entries)


@dataclass(frozen=True, slots=True)
class QuotaRoot:
    """The roots of a folder (RFC 9208 4.2.2): one, named ""."""

    name: str
    utf8: bool = False

    def __bytes__(self) -> bytes:
        return b'* QUOTAROOT %b ""\r\n' % mailbox(self.name, self.utf8)


@dataclass(frozen=True, slots=True)
class Quota:
    """In octets; said in units of 1024, so that full is full (RFC 9208 4.2.1, 5.1)."""

    used: int
    limit: int

    def __bytes__(self) -> bytes:
        return b'* QUOTA "" (STORAGE %d %d)\r\n' % (-(-self.used // 1024), self.limit // 1024)


@dataclass(frozen=True, slots=True)
class Acl:
    """GETACL's answer (RFC 4314 3.6): identifiers with their rights."""

    name: str
    pairs: Sequence[tuple[str, str]]
    utf8: bool = False

    def __bytes__(self) -> bytes:
        pairs = (b" " + astring(login.encode()) + b" " + rights.encode() for login, rights in self.pairs)
        return b"* ACL %b%b\r\n" % (mailbox(self.name, self.utf8), b"".join(pairs))


@dataclass(frozen=True, slots=True)
class AclRights:
    """LISTRIGHTS (RFC 4314 3.7): what the identifier always has, then sets of which it may have each."""

    name: str
    identifier: bytes
    always: str
    optional: Sequence[str]
    utf8: bool = False

    def __bytes__(self) -> bytes:
        optional = b"".join(b" " + rights.encode() for rights in self.optional)
        head = mailbox(self.name, self.utf8), astring(self.identifier), astring(self.always.encode())
        return b"* LISTRIGHTS %b %b %b%b\r\n" % (*head, optional)


@dataclass(frozen=True, slots=True)
class MyRights:
    """RFC 4314 3.8."""

    name: str
    rights: str
    utf8: bool = False

    def __bytes__(self) -> bytes:
        return b"* MYRIGHTS %b %b\r\n" % (mailbox(self.name, self.utf8), astring(self.rights.encode()))


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
    """RFC 7162 3.2.10: UIDs gone, ascending; `earlier`: before the client's look, its message numbers stay."""

    uids: Sequence[int]
    earlier: bool = False

    def __bytes__(self) -> bytes:
        return b"* VANISHED %b%b\r\n" % (b"(EARLIER) " if self.earlier else b"", number_set(self.uids))


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


def correlator(folder: Folder, utf8: bool) -> bytes:
    return b" MAILBOX %b UIDVALIDITY %d" % (mailbox(folder.name, utf8), folder.uid_validity)


Response = (
    bytes
    | Untagged
    | Bye
    | Continue
    | Capability
    | Enabled
    | Id
    | Namespace
    | ListLine
    | StatusLine
    | ESearch
    | Threads
    | Metadata
    | Acl
    | AclRights
    | MyRights
    | MetadataChanged
    | QuotaRoot
    | Quota
    | FolderFlags
    | Exists
    | Recent
    | Expunge
    | Vanished
    | SearchResult
    | Ok
)

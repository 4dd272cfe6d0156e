"""What the server says of folders (RFC 3501 7.2 and the extensions that list, count and guard them)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailserver.imap.wire import astring, encode_mailbox, octets, quoted
from mailserver.store.api import Folder


def mailbox(name: str, utf8: bool = False) -> bytes:
    """In modified UTF-7, or in UTF-8 for who asked for it (RFC 9051 5.1, RFC 6855 3)."""
    # Always quoted: a name such as NIL or 10 is misread as an atom by some clients.
    return quoted(name.encode() if utf8 else encode_mailbox(name))


def mailbox_id(folder: Folder) -> str:
    """MAILBOXID, in its parentheses (RFC 8474 4): the folder's for its life, whatever its name."""
    return f"(F{folder.id})"


def correlator(folder: Folder, utf8: bool) -> bytes:
    return b" MAILBOX %b UIDVALIDITY %d" % (mailbox(folder.name, utf8), folder.uid_validity)


@dataclass(frozen=True, slots=True)
class Namespace:
    """One personal namespace with no prefix, nothing of others, and what is shared below one name, if anything is (RFC 2342 5)."""

    shared: str = ""
    utf8: bool = False

    def __bytes__(self) -> bytes:
        shared = b'((%b "/"))' % mailbox(self.shared, self.utf8) if self.shared else b"NIL"
        return b'* NAMESPACE (("" "/")) NIL %b\r\n' % shared


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
    """The roots of a folder (RFC 9208 4.2.2): one, that of its mailbox."""

    name: str
    root: str = ""
    utf8: bool = False

    def __bytes__(self) -> bytes:
        return b"* QUOTAROOT %b %b\r\n" % (mailbox(self.name, self.utf8), quoted(self.root.encode()))


@dataclass(frozen=True, slots=True)
class Quota:
    """In octets; said in units of 1024, so that full is full (RFC 9208 4.2.1, 5.1)."""

    root: str
    used: int
    limit: int

    def __bytes__(self) -> bytes:
        root = quoted(self.root.encode())
        return b"* QUOTA %b (STORAGE %d %d)\r\n" % (root, -(-self.used // 1024), self.limit // 1024)


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

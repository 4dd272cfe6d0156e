"""Names of folders (RFC 9051 section 5.1): what a client may call one, and the folders every mailbox begins with.

Pure: no database. Names are Unicode in NFC; modified UTF-7 is the IMAP door's affair. "INBOX" is one name in any case.
"""

from __future__ import annotations

import unicodedata

from mailserver.store.api import StoreError

SEPARATOR = "/"
INBOX = "INBOX"
CLOSED = "Conversations closes"  # moving a conversation here closes the exchange (docs/rules.md section 4)
NAME_CHARACTERS = 255
DEPTH = 16
LOST = 500  # names of deleted folders that stay subscribed; beyond, DELETE ends the subscription too
MESSAGES = (
    1_000_000  # of one mailbox, by its clients: octet by octet, any quota has room for more than a COPY should hold up
)
LEAST_QUOTA = 1 << 20  # octets: below it, hardly a letter would come in
CARRIED = 250  # to another mailbox in one transaction: each is sealed again, and deliveries wait meanwhile
FOLDERS = 2_000  # of one mailbox: its list is opened at each SELECT, so fifty thousand would keep everybody waiting

DEFAULT_FOLDERS: tuple[tuple[str, str | None], ...] = (
    (INBOX, None),
    ("Brouillons", "\\Drafts"),
    ("Envoyés", "\\Sent"),
    ("Corbeille", "\\Trash"),
    ("Indésirables", "\\Junk"),
    ("Archives", "\\Archive"),
)
SPECIAL_USES = frozenset(use for _, use in DEFAULT_FOLDERS if use)
FORBIDDEN = frozenset("*%")  # wildcards of LIST (RFC 9051 5.1)


def default_folders(professional: bool) -> tuple[tuple[str, str | None], ...]:
    """(name, special use) of a new mailbox's folders."""
    return (*DEFAULT_FOLDERS, (CLOSED, None)) if professional else DEFAULT_FOLDERS


def normal(name: str) -> str:
    """The one spelling of a folder's name; raises StoreError CANNOT on a name that no folder may have."""
    name = unicodedata.normalize("NFC", name).removesuffix(SEPARATOR)  # CREATE "a/" means: will have children
    levels = name.split(SEPARATOR)
    if not all(levels) or len(levels) > DEPTH or len(name) > NAME_CHARACTERS:
        raise StoreError("CANNOT", "this folder name is empty, too long or too deep")
    if any(character in FORBIDDEN or unicodedata.category(character)[0] == "C" for character in name):
        raise StoreError("CANNOT", "a folder name holds neither control characters nor * or %")
    if levels[0].upper() == INBOX:
        levels[0] = INBOX
    return SEPARATOR.join(levels)


def parents(name: str) -> list[str]:
    """Superior names, outermost first: "a/b/c" -> ["a", "a/b"]."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels))]


def above(name: str) -> str:
    """The superior name; "" of a name at the top."""
    return name.rpartition(SEPARATOR)[0]


def check_number(folders: int) -> None:
    """`folders` that the mailbox would have; raises StoreError LIMIT (RFC 5530)."""
    if folders > FOLDERS:
        raise StoreError("LIMIT", f"a mailbox has at most {FOLDERS} folders")


def check_quota(used: int, limit: int) -> None:
    """A `limit` set from a mail client, in octets; raises StoreError."""
    if limit < LEAST_QUOTA:
        raise StoreError("LIMIT", f"a quota is {LEAST_QUOTA // 1024} at least")
    if limit < used:
        raise StoreError("CANNOT", "the mailbox holds more already, and nothing is deleted to make room")


def check_messages(messages: int) -> None:
    """`messages` that the mailbox would have; raises StoreError LIMIT."""
    if messages > MESSAGES:
        raise StoreError("LIMIT", f"a mailbox has at most {MESSAGES} messages")


def renamed(name: str, old: str, new: str) -> str | None:
    """`name` after RENAME old new (inferior names follow); None when it is not concerned."""
    if name == old:
        return new
    return new + name[len(old) :] if name.startswith(old + SEPARATOR) else None


def check_removable(name: str, default: bool) -> None:
    """Folders the product itself files into stay: raises StoreError CANNOT. `default`: the first one of its special use."""
    if name in (INBOX, CLOSED) or default:
        raise StoreError("CANNOT", "this folder belongs to the mailbox and cannot be deleted")


def check_rename(old: str, new: str) -> None:
    if old == CLOSED:
        raise StoreError("CANNOT", "this folder belongs to the mailbox and cannot be renamed")
    if new.startswith(old + SEPARATOR) and old != INBOX:
        raise StoreError("CANNOT", "a folder cannot become its own child")

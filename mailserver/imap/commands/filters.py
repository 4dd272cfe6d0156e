"""filter-mailboxes (RFC 5465 6, RFC 7377 2.2): the folders that a command means, by their place or by their name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mailserver.imap.grammar import Cursor
from mailserver.imap.seats import is_shared
from mailserver.store import names
from mailserver.store.api import Folder, StoreError

SELECTED = b"SELECTED"
PLACES = frozenset((b"INBOXES", b"PERSONAL", b"SUBSCRIBED"))
NAMED = frozenset((b"SUBTREE", b"MAILBOXES"))

MOST = 100  # words and names of one command: each is held against each folder


@dataclass(frozen=True, slots=True)
class Filter:
    """`word`, with the folders' `names` where it takes some."""

    word: bytes
    names: tuple[str, ...] = ()

    def includes(self, folder: Folder, selected: int | None) -> bool:
        """`selected`: the id of the selected folder."""
        match self.word:
            case b"SELECTED" | b"SELECTED-DELAYED":
                return folder.id == selected
            case b"INBOXES":
                return folder.name == names.INBOX  # nothing is delivered elsewhere
            case b"SUBSCRIBED":
                return folder.subscribed
            case b"MAILBOXES":
                return folder.name in self.names
            case b"SUBTREE" | b"SUBTREE-ONE":
                return any(_below(folder.name, name, self.word == b"SUBTREE-ONE") for name in self.names)
        return not is_shared(folder.name)  # PERSONAL


def _below(name: str, root: str, one: bool) -> bool:
    """The root itself, and what is below it, one level only with `one`; the root of all is "" (RFC 7377 2.2)."""
    if name == root:
        return True
    under = name.removeprefix(root + names.SEPARATOR) if root else name
    return (not root or under != name) and not (one and names.SEPARATOR in under)


def parse_filter(at: Cursor, words: Collection[bytes]) -> Filter:
    """One of `words`, and the names that it takes."""
    word = at.word()
    if word not in words:
        at.fail("unknown choice of folders")
    if word in (SELECTED, b"SELECTED-DELAYED") or word in PLACES:
        return Filter(word)
    at.space()
    found = at.parenthesised(at.mailbox) if at.at(b"(") else [at.mailbox()]
    if not found:
        at.fail("folder names expected")
    return Filter(word, tuple(map(_normal, found)))


def check_filters(at: Cursor, filters: Sequence[Filter]) -> None:
    if sum(1 + len(one.names) for one in filters) > MOST:
        at.fail(f"at most {MOST} words and names that choose folders")


def _normal(name: str) -> str:
    """As folders are called; what no folder may be called is never found."""
    try:
        return names.normal(name)
    except StoreError:
        return name

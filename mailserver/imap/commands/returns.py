"""RETURN of SEARCH: what of the result is told, whether it is kept as `$`, whether it stays up to date (RFC 4731 3.1, RFC 5182 2,
RFC 9394 3.1, RFC 5267 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailserver.imap.commands.fetch import Item, parse_items
from mailserver.imap.grammar import Cursor
from mailserver.imap.sequences import Page

WORDS = frozenset((b"MIN", b"MAX", b"ALL", b"COUNT", b"SAVE", b"PARTIAL", b"UPDATE"))
HINT = b"CONTEXT"  # this search may come again (RFC 5267 4.2): everything is kept as long as there is room anyway
NOT_TOLD = frozenset((b"SAVE", b"UPDATE"))  # no items of the answer


@dataclass(frozen=True, slots=True)
class Returns:
    """`words`, some of `WORDS`; `page` of PARTIAL; `items` of UPDATE: what to tell of a new message (RFC 5465 7)."""

    words: frozenset[bytes]
    page: Page | None = None
    items: tuple[Item, ...] = ()

    @property
    def saves(self) -> bool:
        return b"SAVE" in self.words

    @property
    def updates(self) -> bool:
        return b"UPDATE" in self.words

    @property
    def tells(self) -> bool:
        """SAVE alone says nothing but the tagged OK (RFC 5182 2.1)."""
        return self.words != {b"SAVE"}

    @property
    def reach(self) -> int | None:
        """How much of the result decides: its first n messages, or with -n its last n; None: all of it."""
        if self.updates:
            return None
        match tuple(self.words - NOT_TOLD):
            case (b"MIN",):
                return 1
            case (b"MAX",):
                return -1
            case (b"PARTIAL",) if self.page is not None:
                return self.page.reach
        return None

    def ends(self, found: Sequence[int]) -> Sequence[int]:
        """What MODSEQ and `$` speak of: all that was found, or its ends and its page when nothing but these was asked for.

        RFC 4731 3.2, RFC 5182 2.4, RFC 9394 3.2.
        """
        wanted = self.words - NOT_TOLD
        if not found or not wanted or wanted & {b"ALL", b"COUNT"}:
            return found
        some = set(self.page.of(found)) if self.page is not None else set()
        some |= {found[0] if word == b"MIN" else found[-1] for word in wanted & {b"MIN", b"MAX"}}
        return sorted(some)


ALL = Returns(frozenset((b"ALL",)))


def parse_returns(at: Cursor) -> Returns:
    """Behind the word RETURN."""
    pages: list[Page] = []
    items: list[Item] = []

    def word() -> bytes:
        found = at.word()
        if found not in WORDS and found != HINT:
            at.fail("unknown RETURN option")
        if found == b"PARTIAL":
            at.space()
            pages.append(at.page())
        if found == b"UPDATE" and at.at(b" ("):
            at.space()
            items.extend(parse_items(at))
        return found

    at.space()
    words = [found for found in at.parenthesised(word) if found != HINT]
    if words.count(b"ALL") + len(pages) > 1:
        at.fail("one ALL or one PARTIAL")  # RFC 9394 3.1
    return Returns(frozenset(words), pages[0] if pages else None, tuple(dict.fromkeys(items))) if words else ALL

"""RETURN of SEARCH: what of the result is told, and whether it is kept as `$` (RFC 4731 3.1, RFC 5182 2, RFC 9394 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailserver.imap.grammar import Cursor
from mailserver.imap.sequences import Page

WORDS = frozenset((b"MIN", b"MAX", b"ALL", b"COUNT", b"SAVE", b"PARTIAL"))


@dataclass(frozen=True, slots=True)
class Returns:
    """`words`, some of `WORDS`; `page` of PARTIAL."""

    words: frozenset[bytes]
    page: Page | None = None

    @property
    def saves(self) -> bool:
        return b"SAVE" in self.words

    @property
    def tells(self) -> bool:
        """SAVE alone says nothing but the tagged OK (RFC 5182 2.1)."""
        return self.words != {b"SAVE"}

    @property
    def reach(self) -> int | None:
        """How much of the result decides: its first n messages, or with -n its last n; None: all of it."""
        match tuple(self.words - {b"SAVE"}):
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
        wanted = self.words - {b"SAVE"}
        if not found or not wanted or wanted & {b"ALL", b"COUNT"}:
            return found
        some = set(self.page.of(found)) if self.page is not None else set()
        some |= {found[0] if word == b"MIN" else found[-1] for word in wanted & {b"MIN", b"MAX"}}
        return sorted(some)


ALL = Returns(frozenset((b"ALL",)))


def parse_returns(at: Cursor) -> Returns:
    """Behind the word RETURN."""
    pages: list[Page] = []

    def word() -> bytes:
        found = at.word()
        if found not in WORDS:
            at.fail("unknown RETURN option")
        if found == b"PARTIAL":
            at.space()
            pages.append(at.page())
        return found

    at.space()
    words = at.parenthesised(word)
    if words.count(b"ALL") + len(pages) > 1:
        at.fail("one ALL or one PARTIAL")  # RFC 9394 3.1
    return Returns(frozenset(words), *pages) if words else ALL

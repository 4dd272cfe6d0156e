"""RETURN of SEARCH: what of the result is told, and whether it is kept as `$` (RFC 4731 3.1, RFC 5182 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailserver.imap.grammar import Cursor

WORDS = frozenset((b"MIN", b"MAX", b"ALL", b"COUNT", b"SAVE"))


@dataclass(frozen=True, slots=True)
class Returns:
    """`words`, some of `WORDS`."""

    words: frozenset[bytes]

    @property
    def saves(self) -> bool:
        return b"SAVE" in self.words

    @property
    def tells(self) -> bool:
        """SAVE alone says nothing but the tagged OK (RFC 5182 2.1)."""
        return self.words != {b"SAVE"}

    def ends(self, found: Sequence[int]) -> Sequence[int]:
        """What MODSEQ and `$` speak of: all that was found, or its ends when nothing but these was asked for.

        RFC 4731 3.2, RFC 5182 2.4.
        """
        wanted = self.words - {b"SAVE"}
        if not found or not wanted or wanted & {b"ALL", b"COUNT"}:
            return found
        return sorted({found[0] if word == b"MIN" else found[-1] for word in wanted})


ALL = Returns(frozenset((b"ALL",)))


def parse_returns(at: Cursor) -> Returns:
    """Behind the word RETURN."""

    def word() -> bytes:
        found = at.word()
        if found not in WORDS:
            at.fail("unknown RETURN option")
        return found

    at.space()
    return Returns(frozenset(at.parenthesised(word)) or ALL.words)

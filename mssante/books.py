"""The address book of those with whom a mailbox corresponds, as it was told last: so that a client that comes back after weeks is
told the difference (RFC 6578 3.2) instead of everything.

Of each card a mark of what it said and the moment it changed; of one that went, for `REMEMBERED`, when. Sealed with the mailbox's
key, one row for each person who works in it: what they may read there differs. A moment is in ms and later than the one before, so
that it orders changes whatever the clock does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from foundation.clock import DAY
from foundation.database import Transaction
from mssante.mailboxes import Mailboxes
from mssante.tables import books
from mssante.upsert import upsert

REMEMBERED = 90 * DAY
MOST_GONE = 1_000  # cards that went: of more, the oldest are forgotten


@dataclass(frozen=True, slots=True)
class Book:
    """`changed`: moment of the last change, which names this state. `known_since`: of an earlier state not all that went is known.
    `cards`: address -> (mark, when it changed); `gone`: address -> when it went."""

    changed: int = 0
    known_since: int = 0
    cards: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    gone: Mapping[str, int] = field(default_factory=dict)

    def says(self, marks: Mapping[str, str]) -> bool:
        return {address: mark for address, (mark, _) in self.cards.items()} == marks

    def knows(self, state: int) -> bool:
        """Whether what changed since then can be told."""
        return 0 < state <= self.changed and state >= self.known_since

    def since(self, state: int) -> tuple[frozenset[str], frozenset[str]]:
        """Addresses of the cards that came or changed since, and of those that went; `state` 0: all that are here."""
        here = frozenset(address for address, (_, at) in self.cards.items() if at > state)
        went = frozenset(address for address, at in self.gone.items() if at > state)
        return here, went if state else frozenset()


def brought_up(book: Book, marks: Mapping[str, str], now: int) -> Book:
    """The book that says `marks` (address -> mark) from now on."""
    moment = max(now, book.changed + 1)
    cards = {}
    for address, mark in marks.items():
        before = book.cards.get(address)
        cards[address] = before if before is not None and before[0] == mark else (mark, moment)
    gone = {address: at for address, at in book.gone.items() if address not in cards}
    gone |= {address: moment for address in book.cards if address not in cards}
    latest = sorted(gone.items(), key=lambda one: one[1], reverse=True)
    kept = {address: at for address, at in latest[:MOST_GONE] if at > moment - REMEMBERED}
    forgotten = max((at for address, at in gone.items() if address not in kept), default=0)
    known_since = max(book.known_since, forgotten) or moment
    return Book(moment, known_since, cards, kept)


# -------------------------------------------------------------------- rows
def kept(conn: Connection, mailboxes: Mailboxes, box_id: int, member: int) -> Book:
    """KeyError: the mailbox's key is destroyed."""
    row = conn.execute(select(books.c.sealed).where(books.c.box_id == box_id, books.c.member == member)).first()
    if row is None:
        return Book()
    said = json.loads(mailboxes.key(conn, box_id).open(row.sealed, _context(box_id, member)))
    cards = {address: (mark, at) for address, (mark, at) in said["cards"].items()}
    return Book(said["changed"], said["known_since"], cards, said["gone"])


def bring_up(
    tx: Transaction, mailboxes: Mailboxes, box_id: int, member: int, marks: Mapping[str, str], now: int
) -> Book:
    """Two that come together write the same: the later one finds it said."""
    book = kept(tx.conn, mailboxes, box_id, member)
    if book.changed and book.says(marks):
        return book
    book = brought_up(book, marks, now)
    said = {"changed": book.changed, "known_since": book.known_since, "cards": book.cards, "gone": book.gone}
    sealed = mailboxes.key(tx.conn, box_id).seal(json.dumps(said).encode(), _context(box_id, member))
    row = {"box_id": box_id, "member": member, "sealed": sealed}
    upsert(tx, books, row, key=("box_id", "member"), change=("sealed",))
    return book


def _context(box_id: int, member: int) -> bytes:
    return f"book {box_id} {member}".encode()

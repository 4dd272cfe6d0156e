"""What STORE does to the flags of one message (RFC 9051 6.4.6), and flags as the columns that keep them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

from mailserver.store.api import Flag, FlagOp, Flags, StoreError

KEYWORDS_PER_MESSAGE = 50  # bounds the row; Dovecot's users rarely pass 10
KEYWORD_CHARACTERS = 64
KEYWORDS_PER_FOLDER = 500  # one member's invention must not keep the others from opening it
SETS_PER_FOLDER = 5_000  # different ones: all are walked when a keyword is given, and writers wait meanwhile (10 ms)
_SEEN, _DELETED = int(Flag.SEEN), int(Flag.DELETED)  # numbers: a Flag that is computed costs a microsecond


def apply(op: FlagOp, wish: Flags, current: Flags) -> Flags:
    """`current` after the STORE; keywords are compared without case and keep the spelling first seen."""
    known = {word.lower(): word for word in current.keywords}
    wished = {word.lower(): known.get(word.lower(), word) for word in sorted(wish.keywords)}
    system = after(op, wish.system, current.system)
    match op:
        case FlagOp.SET | FlagOp.SET_OTHERS:
            return Flags(system, frozenset(wished.values()))
        case FlagOp.ADD:
            return Flags(system, frozenset((known | wished).values()))
        case FlagOp.REMOVE:
            return Flags(system, frozenset(word for lower, word in known.items() if lower not in wished))


def after(op: FlagOp, wish: Flag, current: Flag) -> Flag:
    """The system flags alone."""
    match op:
        case FlagOp.SET:
            return wish
        case FlagOp.SET_OTHERS:
            return (wish & ~Flag.DELETED) | (current & Flag.DELETED)
        case FlagOp.ADD:
            return current | wish
        case FlagOp.REMOVE:
            return current & ~wish


def check(flags: Flags) -> None:
    """Raises StoreError LIMIT (RFC 5530) on keywords that no row should hold."""
    if len(flags.keywords) > KEYWORDS_PER_MESSAGE:
        raise StoreError("LIMIT", f"a message has at most {KEYWORDS_PER_MESSAGE} keywords")
    if any(len(word) > KEYWORD_CHARACTERS for word in flags.keywords):
        raise StoreError("LIMIT", f"a keyword has at most {KEYWORD_CHARACTERS} characters")


def check_folder(used: Iterable[Collection[str]]) -> None:
    """Raises StoreError LIMIT when the messages of a folder, with the keywords of each in `used`, have too many in all."""
    sets = {frozenset(some) for some in used if some}
    if len(sets) > SETS_PER_FOLDER:
        raise StoreError("LIMIT", f"a folder has at most {SETS_PER_FOLDER} combinations of keywords")
    if len({word.lower() for some in sets for word in some}) > KEYWORDS_PER_FOLDER:
        raise StoreError("LIMIT", f"a folder has at most {KEYWORDS_PER_FOLDER} keywords")


def keywords_text(flags: Flags) -> str:
    """Keywords as one column: atoms never hold a space (RFC 9051 section 9)."""
    return " ".join(sorted(flags.keywords)) if flags.keywords else ""


@lru_cache(maxsize=4096)
def flags_of(system: int, keywords: str) -> Flags:
    """The value of two columns; shared, because a folder of 10,000 messages has a dozen distinct ones."""
    return Flags(Flag(system), frozenset(keywords.split()))


_SEEN, _DELETED = int(Flag.SEEN), int(Flag.DELETED)  # to combine two Flags costs a microsecond, two integers nothing


def unseen(flags: Flags) -> int:
    return 0 if int(flags.system) & _SEEN else 1


def deleted(flags: Flags) -> int:
    return 1 if int(flags.system) & _DELETED else 0

"""SORT and THREAD (RFC 5256 3, RFC 5957): what to order by, then a SEARCH program with its character set in front."""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.imap.commands.returns import Returns, parse_returns
from mailserver.imap.commands.search import Search, parse_keys
from mailserver.imap.grammar import Cursor
from mailserver.imap.sorting import KEYS, Criterion
from mailserver.imap.threads import ALGORITHMS

MAX_CRITERIA = 18  # each is a pass over what was found; all of them, both ways


@dataclass(frozen=True, slots=True)
class Sort:
    criteria: tuple[Criterion, ...]
    search: Search


@dataclass(frozen=True, slots=True)
class Thread:
    algorithm: bytes  # of `threads.ALGORITHMS`
    search: Search


def parse_sort(at: Cursor, uid: bool = False) -> Sort:
    at.space()
    returns = None
    if at.take_word(b"RETURN"):  # ESORT (RFC 5267 3)
        returns = parse_returns(at)
        at.space()
    criteria = at.parenthesised(lambda: _criterion(at))
    if not 0 < len(criteria) <= MAX_CRITERIA:
        at.fail("sort criteria expected")
    return Sort(tuple(criteria), _program(at, uid, returns))


def parse_thread(at: Cursor, uid: bool = False) -> Thread:
    at.space()
    algorithm = at.word()
    if algorithm not in ALGORITHMS:
        at.fail("unknown threading algorithm")
    return Thread(algorithm, _program(at, uid, None))


def _criterion(at: Cursor) -> Criterion:
    name = at.word()
    reverse = name == b"REVERSE"
    if reverse:
        at.space()
        name = at.word()
    if name not in KEYS:
        at.fail("unknown sort criterion")
    return Criterion(name, reverse)


def _program(at: Cursor, uid: bool, returns: Returns | None) -> Search:
    at.space()
    charset = at.astring()
    at.space()
    return parse_keys(at, charset, uid, returns)

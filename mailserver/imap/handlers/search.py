"""SEARCH (RFC 3501 6.4.4) and what became of its answer: ESEARCH (RFC 4731), the kept result `$` (RFC 5182)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from mailserver.imap import search as searching
from mailserver.imap.commands.returns import ALL, Returns
from mailserver.imap.commands.search import Search
from mailserver.imap.context import Context
from mailserver.imap.origin_keys import resolved
from mailserver.imap.responses import ESearch, No, Ok, Response, SearchResult
from mailserver.imap.view import FolderView
from mailserver.imap.wire import number_set


async def search(ctx: Context, command: Search) -> AsyncGenerator[Response]:
    view, returns = ctx.selected, command.returns
    if returns is not None and returns.saves:
        view.saved = ()  # what a NO leaves (RFC 5182 2.1)
    if not command.known_charset:
        raise No("only these character sets are known", "BADCHARSET (UTF-8 US-ASCII)")
    ctx.condstore = ctx.condstore or command.with_modseq
    key = await resolved(ctx.store, view, command.key, int(ctx.clock()))
    found = await searching.search(ctx.store, view, key)
    if returns is None and not ctx.rev2:
        numbers = _numbers(view, found, command.uid)
        yield SearchResult(numbers, _modseq(view, found) if command.with_modseq else None)
    else:
        returns = returns or ALL  # RFC 9051 6.4.4
        if returns.saves:
            view.saved = [view.uids[i] for i in returns.ends(found)]
        if returns.tells:
            yield ESearch(ctx.tag, command.uid, tuple(_items(view, command, returns, found)))
    yield Ok("SEARCH completed")


def _items(view: FolderView, command: Search, returns: Returns, found: Sequence[int]) -> list[tuple[bytes, bytes]]:
    """In the order of RFC 4731's examples; what does not exist is not told."""
    numbers, words = _numbers(view, found, command.uid), returns.words
    items = []
    if b"MIN" in words and numbers:
        items.append((b"MIN", b"%d" % numbers[0]))
    if b"MAX" in words and numbers:
        items.append((b"MAX", b"%d" % numbers[-1]))
    if b"COUNT" in words:
        items.append((b"COUNT", b"%d" % len(numbers)))
    if b"ALL" in words and numbers:
        items.append((b"ALL", number_set(numbers)))
    if command.with_modseq and numbers:
        items.append((b"MODSEQ", b"%d" % _modseq(view, returns.ends(found))))
    return items


def _numbers(view: FolderView, found: Sequence[int], uid: bool) -> list[int]:
    return [view.uids[i] for i in found] if uid else [i + 1 for i in found]


def _modseq(view: FolderView, found: Sequence[int]) -> int:
    """The highest of them (RFC 7162 3.1.5), 0 of none."""
    return max((view.modseqs[i] for i in found), default=0)

"""SEARCH (RFC 3501 6.4.4), SORT and THREAD (RFC 5256); the ways to answer: ESEARCH (RFC 4731), ESORT (RFC 5267), `$` (RFC 5182)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from mailserver.imap import search as searching
from mailserver.imap.commands.returns import ALL, Returns
from mailserver.imap.commands.search import Search
from mailserver.imap.commands.sort import Sort, Thread
from mailserver.imap.context import Context
from mailserver.imap.heads import kept_heads
from mailserver.imap.origin_keys import resolved
from mailserver.imap.responses import ESearch, No, Ok, Response, SearchResult, Threads
from mailserver.imap.sorting import FROM_COLUMNS, NO_HEAD, ordered
from mailserver.imap.threads import ALGORITHMS, letter_of, thread_text
from mailserver.imap.view import FolderView, picked
from mailserver.imap.wire import number_set

HEADS_AT_ONCE = 500  # a read of about 10 ms, and the other sessions' turn


async def search(ctx: Context, command: Search) -> AsyncGenerator[Response]:
    view, returns = ctx.selected, command.returns
    found = await _found(ctx, command, returns.reach if returns is not None else None)
    if returns is None and not ctx.rev2:
        numbers = _numbers(view, found, command.uid)
        yield SearchResult(numbers, _modseq(view, found) if command.with_modseq else None)
    else:
        returns = returns or ALL  # RFC 9051 6.4.4
        _keep(view, returns, found)
        if returns.tells:
            yield ESearch(ctx.tag, command.uid, tuple(_items(view, command, returns, found)))
    yield Ok("SEARCH completed")


async def sort(ctx: Context, command: Sort) -> AsyncGenerator[Response]:
    view, returns = ctx.selected, command.search.returns
    found = await _found(ctx, command.search)
    heads: dict[int, bytes] = {}
    if any(criterion.name not in FROM_COLUMNS for criterion in command.criteria):
        heads = await _heads(ctx, found)
    inorder = ordered(found, command.criteria, view.columns, heads)
    if returns is None:
        modseq = _modseq(view, found) if command.search.with_modseq else None
        yield SearchResult(_numbers(view, inorder, command.search.uid), modseq, b"SORT")
    else:
        _keep(view, returns, inorder)
        if returns.tells:
            yield ESearch(ctx.tag, command.search.uid, tuple(_items(view, command.search, returns, inorder)))
    yield Ok("SORT completed")


async def thread(ctx: Context, command: Thread) -> AsyncGenerator[Response]:
    view = ctx.selected
    found = await _found(ctx, command.search)
    heads = await _heads(ctx, found)
    numbers = _numbers(view, found, command.search.uid)
    letters = [
        letter_of(number, heads.get(index, NO_HEAD), view.dates[index])
        for number, index in zip(numbers, found, strict=True)
    ]
    yield Threads(thread_text(ALGORITHMS[command.algorithm](letters)))
    yield Ok("THREAD completed")


async def _found(ctx: Context, command: Search, reach: int | None = None) -> Sequence[int]:
    """Indices, ascending; `reach` as in `searching.search`."""
    view, returns = ctx.selected, command.returns
    if returns is not None and returns.saves:
        view.saved = ()  # what a NO leaves (RFC 5182 2.1)
    if not command.known_charset:
        raise No("only these character sets are known", "BADCHARSET (UTF-8 US-ASCII)")
    ctx.condstore = ctx.condstore or command.with_modseq
    key = await resolved(ctx.store, view, command.key, int(ctx.clock()))
    return await searching.search(ctx.store, ctx.shelf, view, key, reach)


async def _heads(ctx: Context, indices: Sequence[int]) -> dict[int, bytes]:
    """By index; those of messages gone meanwhile are missing."""
    view = ctx.selected
    found: dict[int, bytes] = {}
    for start in range(0, len(indices), HEADS_AT_ONCE):
        some = indices[start : start + HEADS_AT_ONCE]
        heads = await kept_heads(ctx.store, ctx.shelf, view, some)
        found.update({i: heads[uid] for i, uid in zip(some, picked(view.uids, some), strict=True) if uid in heads})
    return found


def _keep(view: FolderView, returns: Returns, found: Sequence[int]) -> None:
    """As `$`, which is a set: in the order of UIDs."""
    if returns.saves:
        view.saved = sorted(view.uids[i] for i in returns.ends(found))


def _items(view: FolderView, command: Search, returns: Returns, found: Sequence[int]) -> list[tuple[bytes, bytes]]:
    """In the order of RFC 4731's examples; what does not exist is not told. `found` in the order asked: MIN is the first of it."""
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
    if returns.page is not None:  # RFC 9394 3.1
        items.append((b"PARTIAL", b"(%b %b)" % (bytes(returns.page), number_set(returns.page.of(numbers)) or b"NIL")))
    if command.with_modseq and numbers:
        items.append((b"MODSEQ", b"%d" % _modseq(view, returns.ends(found))))
    return items


def _numbers(view: FolderView, found: Sequence[int], uid: bool) -> list[int]:
    return [view.uids[i] for i in found] if uid else [i + 1 for i in found]


def _modseq(view: FolderView, found: Sequence[int]) -> int:
    """The highest of them (RFC 7162 3.1.5), 0 of none."""
    return max((view.modseqs[i] for i in found), default=0)

"""SEARCH (RFC 3501 6.4.4), SORT and THREAD (RFC 5256); the ways to answer: ESEARCH (RFC 4731), ESORT and UPDATE (RFC 5267),
`$` (RFC 5182), PARTIAL (RFC 9394), MULTISEARCH (RFC 7377)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence

from mailserver.imap.commands.filters import SELECTED
from mailserver.imap.commands.returns import ALL, Returns
from mailserver.imap.commands.search import MultiSearch, Search
from mailserver.imap.commands.selected import CancelUpdate
from mailserver.imap.commands.sort import Sort, Thread
from mailserver.imap.context import Context
from mailserver.imap.finding import Finder
from mailserver.imap.responses import Bad, No, Ok, Response, Untagged
from mailserver.imap.responses_folders import correlator
from mailserver.imap.responses_messages import ESearch, SearchResult, Threads
from mailserver.imap.sorting import Criterion
from mailserver.imap.threads import ALGORITHMS, Letter, thread_text
from mailserver.imap.updating import MOST, Updating, lasting
from mailserver.imap.view import FolderView
from mailserver.imap.wire import number_set
from mailserver.store.api import Folder, StoreError

MANY = 1000  # messages of which threads are made in one go, 10 ms


async def search(ctx: Context, command: Search) -> AsyncGenerator[Response]:
    found = await _found(ctx, command, command.returns.reach if command.returns is not None else None)
    for response in _answer(ctx, command, found):
        yield response
    yield Ok("SEARCH completed")


async def sort(ctx: Context, command: Sort) -> AsyncGenerator[Response]:
    found = await ctx.finder.ordered(await _found(ctx, command.search), command.criteria)
    for response in _answer(ctx, command.search, found, command.criteria):
        yield response
    yield Ok("SORT completed")


async def thread(ctx: Context, command: Thread) -> AsyncGenerator[Response]:
    view = ctx.selected
    found = await _found(ctx, command.search)
    letters = await ctx.finder.letters(_numbers(view, found, command.search.uid), found)
    if len(letters) > MANY:  # a second for a hundred thousand: in a thread, the other sessions have their turns
        yield Threads(await asyncio.to_thread(_threaded, command.algorithm, letters))
    else:
        yield Threads(_threaded(command.algorithm, letters))
    yield Ok("THREAD completed")


def _threaded(algorithm: bytes, letters: Sequence[Letter]) -> bytes:
    return thread_text(ALGORITHMS[algorithm](letters))


async def multi_search(ctx: Context, command: MultiSearch) -> AsyncGenerator[Response]:
    """One answer for each folder in which something was found (RFC 7377 2.1)."""
    search, returns = command.search, command.search.returns or ALL
    only_selected = all(source.word == SELECTED for source in command.sources)
    if ctx.view is None and (returns.updates or any(source.word == SELECTED for source in command.sources)):
        raise Bad("no folder is selected")
    if not only_selected and (returns.saves or search.uses_saved):
        raise Bad("a result is kept of the selected folder only")
    _begin(ctx, search)
    selected = ctx.view.folder.id if ctx.view is not None else None
    for folder in await ctx.folders("lr"):  # RFC 7377 2.2
        if not any(source.includes(folder, selected) for source in command.sources):
            continue
        view = ctx.view if folder.id == selected else await _other(ctx, folder)
        if view is None:
            continue
        where = correlator(folder, ctx.utf8)
        found = await Finder(ctx.store, ctx.shelf, view).find(search.key, int(ctx.clock()), reach=returns.reach)
        if view is ctx.view:
            for response in _follow(ctx, search, returns, found, (), where):
                yield response
        if found and returns.tells:
            yield ESearch(ctx.tag, search.uid, tuple(_items(view, search, returns, found)), where)
    yield Ok("ESEARCH completed")


async def _other(ctx: Context, folder: Folder) -> FolderView | None:
    """A folder that is not selected; None when it was deleted meanwhile."""
    try:
        return FolderView(folder, True, await ctx.store.look(folder.id))
    except StoreError:
        return None


async def cancel_update(ctx: Context, command: CancelUpdate) -> AsyncGenerator[Response]:
    if any(tag not in ctx.updating for tag in command.tags):
        raise No("no such result is kept up to date")
    for tag in command.tags:
        ctx.updating.pop(tag, None)  # named twice
    yield Ok("CANCELUPDATE completed")


async def _found(ctx: Context, command: Search, reach: int | None = None) -> Sequence[int]:
    """Indices, ascending; `reach` as in `imap.search`."""
    _begin(ctx, command)
    return await ctx.finder.find(command.key, int(ctx.clock()), reach=reach)


def _begin(ctx: Context, command: Search) -> None:
    """What is settled before anything is searched."""
    returns = command.returns
    if returns is not None and returns.updates and ctx.tag in ctx.updating:
        raise Bad("this tag names a result that is kept up to date")  # RFC 5267 4.3
    if returns is not None and returns.saves:
        ctx.selected.saved = ()  # what a NO leaves (RFC 5182 2.1)
    if not command.known_charset:
        raise No("only these character sets are known", "BADCHARSET (UTF-8 US-ASCII)")
    ctx.condstore = ctx.condstore or command.with_modseq


def _answer(
    ctx: Context, command: Search, found: Sequence[int], criteria: Sequence[Criterion] = ()
) -> Iterator[Response]:
    """`found` in the order asked."""
    view, returns = ctx.selected, command.returns
    if returns is None and ctx.rev2 and not criteria:
        returns = ALL  # RFC 9051 6.4.4
    if returns is None:
        modseq = _modseq(view, found) if command.with_modseq else None
        yield SearchResult(_numbers(view, found, command.uid), modseq, b"SORT" if criteria else b"SEARCH")
        return
    yield from _follow(ctx, command, returns, found, criteria)
    if returns.tells:
        yield ESearch(ctx.tag, command.uid, tuple(_items(view, command, returns, found)))


def _follow(
    ctx: Context,
    command: Search,
    returns: Returns,
    found: Sequence[int],
    criteria: Sequence[Criterion],
    where: bytes = b"",
) -> Iterator[Response]:
    """Keeps what is to be kept of a result in the selected folder: as `$`, and up to date."""
    view = ctx.selected
    if returns.saves:  # a set: in the order of UIDs
        view.saved = sorted(view.uids[i] for i in returns.ends(found))
    if returns.updates and len(ctx.updating) >= MOST:
        yield Untagged(No("too many results are kept up to date", f'NOUPDATE "{ctx.tag.decode("ascii")}"'))
    elif returns.updates:
        uids, key = [view.uids[i] for i in found], lasting(view, command.key)
        modseq, items = view.columns.modseq, returns.items
        ctx.updating[ctx.tag] = Updating(ctx.tag, command.uid, key, criteria, uids, modseq, where, items)


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

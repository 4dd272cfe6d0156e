"""Search keys that need more than the view: made into plainer ones before the search begins.

Ages (RFC 5032) become dates; numbers of messages, and where messages come from (RFC 8474 6, RFC 8514 4.3), become places in the
view: each once, however often the key has it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Hashable, Iterable, Sequence

from mailserver.imap.commands.search_keys import Aged, And, Arrived, Key, Not, Numbers, Or, OriginIs, Saved, leaves
from mailserver.imap.sequences import Places
from mailserver.imap.view import FolderView, picked
from mailserver.store.api import MailStore, Origin


async def resolved(store: MailStore, view: FolderView, key: Key, now: int, among: Sequence[int]) -> Key:
    """`key` in words of the view, at `now` in seconds, for the messages `among`; origins are read once, and only when asked for."""
    asks = any(isinstance(leaf, OriginIs | Saved) for leaf in leaves(key))
    origins = await _origins(store, view, among) if asks else []
    plain: dict[Hashable, Key] = {}
    for leaf in leaves(key):
        name = _name(leaf)
        if name in plain:
            continue
        match leaf:
            case Aged(seconds, younger):
                plain[name] = Arrived(now - seconds, None) if younger else Arrived(None, now - seconds + 1)
            case Numbers(messages, uid):
                plain[name] = messages.places_of_uids(view.uids) if uid else messages.places_of_numbers(len(view))
            case OriginIs(field, value):
                wanted = _number(field, value)
                plain[name] = _places(i for i, origin in origins if getattr(origin, field) == wanted)
            case Saved(start, end):
                # What came in before this was kept: its INTERNALDATE says it best.
                dates = view.dates
                plain[name] = _places(i for i, origin in origins if start <= (origin.saved_at or dates[i]) < end)
            case _:
                plain[name] = leaf
        if asks:
            await asyncio.sleep(0)  # other sessions' turn
    return mapped(key, lambda leaf: plain[_name(leaf)])


def _name(leaf: Key) -> Hashable:
    """Sets of numbers can be long, and the same one is named often (`$`): by what it is, not by what is in it."""
    return (id(leaf.messages), leaf.uid) if isinstance(leaf, Numbers) else leaf


async def _origins(store: MailStore, view: FolderView, among: Sequence[int]) -> list[tuple[int, Origin]]:
    """By index, ascending."""
    index_of = dict(zip(picked(view.uids, among), among, strict=True))
    return [(index_of[uid], origin) for uid, origin in await store.origins(view.folder.id, list(index_of))]


def _places(indices: Iterable[int]) -> Places:
    return Places.of((index, index + 1) for index in indices)


def mapped(key: Key, change: Callable[[Key], Key]) -> Key:
    """The tree with each of its leaves changed."""
    match key:
        case And(keys):
            return And(tuple(mapped(one, change) for one in keys))
        case Or(keys):
            return Or(tuple(mapped(one, change) for one in keys))
        case Not(inner):
            return Not(mapped(inner, change))
        case _:
            return change(key)


def _number(field: str, value: bytes) -> int | None:
    """Of an identifier as FETCH shows it; None for what is none of ours."""
    match = re.fullmatch(rb"([MT])(\d{1,18})", value)
    return int(match[2]) if match and match[1] == {"email": b"M", "thread": b"T"}[field] else None

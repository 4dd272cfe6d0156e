"""Search keys that need more than the view: made into plainer ones before the search begins.

Where messages come from (RFC 8474 6, RFC 8514 4.3) becomes sets of UIDs; ages (RFC 5032) become dates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mailserver.imap.commands.search_keys import Aged, And, Arrived, Key, Not, Numbers, Or, OriginIs, Saved, leaves
from mailserver.imap.sequences import SequenceSet
from mailserver.imap.view import FolderView, picked
from mailserver.store.api import MailStore, Origin


async def resolved(store: MailStore, view: FolderView, key: Key, now: int, among: Sequence[int]) -> Key:
    """`key` in words of the view, at `now` in seconds, for the messages `among`; origins are read once, and only when asked for."""
    if _asks(key, Aged):
        key = mapped(key, lambda leaf: _at(now, leaf))
    if not _asks(key, OriginIs, Saved):
        return key
    uids = picked(view.uids, among)
    origins = await store.origins(view.folder.id, uids)
    dates = dict(zip(uids, picked(view.dates, among), strict=True))

    def those(holds: Callable[[int, Origin], bool]) -> Key:
        return Numbers(SequenceSet.of(uid for uid, origin in origins if holds(uid, origin)), uid=True)

    def replaced(leaf: Key) -> Key:
        match leaf:
            case OriginIs(field, value):
                wanted = _number(field, value)
                return those(lambda _, origin: getattr(origin, field) == wanted)
            case Saved(start, end):
                # What came in before this was kept: its INTERNALDATE says it best.
                return those(lambda uid, origin: start <= (origin.saved_at or dates[uid]) < end)
            case _:
                return leaf

    return mapped(key, replaced)


def _at(now: int, leaf: Key) -> Key:
    match leaf:
        case Aged(seconds, younger):
            return Arrived(now - seconds, None) if younger else Arrived(None, now - seconds + 1)
        case _:
            return leaf


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


def _asks(key: Key, *kinds: type) -> bool:
    return any(isinstance(leaf, kinds) for leaf in leaves(key))


def _number(field: str, value: bytes) -> int | None:
    """Of an identifier as FETCH shows it; None for what is none of ours."""
    match = re.fullmatch(rb"([MT])(\d{1,18})", value)
    return int(match[2]) if match and match[1] == {"email": b"M", "thread": b"T"}[field] else None

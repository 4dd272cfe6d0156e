"""Search keys on where messages come from (RFC 8474 6, RFC 8514 4.3): made into sets of UIDs before the search begins."""

from __future__ import annotations

import re
from collections.abc import Callable

from mailserver.imap.commands.search import And, Key, Not, Numbers, Or, OriginIs, Saved
from mailserver.imap.sequences import SequenceSet
from mailserver.imap.view import FolderView
from mailserver.imap.wire import number_set
from mailserver.store.api import MailStore, Origin

NO_UID = SequenceSet(())


async def resolved(store: MailStore, view: FolderView, key: Key) -> Key:
    """`key` with the UIDs in place of what asks for origins; these are read once, and only when asked for."""
    if not _asks(key):
        return key
    origins = await store.origins(view.folder.id, view.uids)
    dates = dict(zip(view.uids, view.dates, strict=True))

    def those(holds: Callable[[int, Origin], bool]) -> Key:
        uids = number_set([uid for uid, origin in origins if holds(uid, origin)])
        return Numbers(SequenceSet.parse(uids) if uids else NO_UID, uid=True)

    def replaced(key: Key) -> Key:
        match key:
            case And(keys):
                return And(tuple(map(replaced, keys)))
            case Or(keys):
                return Or(tuple(map(replaced, keys)))
            case Not(inner):
                return Not(replaced(inner))
            case OriginIs(field, value):
                wanted = _number(field, value)
                return those(lambda _, origin: getattr(origin, field) == wanted)
            case Saved(start, end):
                # What came in before this was kept: its INTERNALDATE says it best.
                return those(lambda uid, origin: start <= (origin.saved_at or dates[uid]) < end)
            case _:
                return key

    return replaced(key)


def _asks(key: Key) -> bool:
    match key:
        case And(keys) | Or(keys):
            return any(map(_asks, keys))
        case Not(inner):
            return _asks(inner)
        case _:
            return isinstance(key, OriginIs | Saved)


def _number(field: str, value: bytes) -> int | None:
    """Of an identifier as FETCH shows it; None for what is none of ours."""
    match = re.fullmatch(rb"([MT])(\d{1,18})", value)
    return int(match[2]) if match and match[1] == {"email": b"M", "thread": b"T"}[field] else None

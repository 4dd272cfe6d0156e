"""Messages on their way to another mailbox (COPY and MOVE through the shared namespace): opened with the key of the one, to be
sealed with the key of the other.

The octets stay where they are: a card carries its blob's own key, so who holds the card's key reads the message. Threads and
exchanges are each mailbox's own: in the other one the message is filed as if its client had stored it there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select

from foundation.database import Transaction
from foundation.keys import Key, KeyRing
from mailserver.store import flags as flag_rules
from mailserver.store.api import Flags
from mailserver.store.digest import Digest
from mailserver.store.insert import Kept, kept_again
from mailserver.store.sealed import (
    back_context,
    front_context,
    heads_context,
    texts_context,
    unpack_card,
    unpack_front,
)
from mailserver.store.tables import cards, messages

AT_ONCE = 64  # opened together: each has up to a megabyte of text

_CARRIED = (
    select(
        messages.c.flags,
        messages.c.keywords,
        messages.c.internal_date,
        messages.c.size,
        messages.c.blob_id,
        cards.c.front,
        cards.c.heads,
        cards.c.back,
        cards.c.texts,
    )
    .select_from(messages.join(cards, (cards.c.blob_id == messages.c.blob_id) & (cards.c.box_id == bindparam("box"))))
    .where(messages.c.folder_id == bindparam("folder"), messages.c.uid.in_(bindparam("uids", expanding=True)))
    .order_by(messages.c.uid)
)


@dataclass(frozen=True, slots=True)
class Carried:
    """A message ready for another mailbox; `date` in seconds."""

    kept: Kept
    digest: Digest  # of its header alone
    blob_id: int
    flags: Flags
    date: int


def opened(
    tx: Transaction,
    keys: KeyRing,
    key: Key,
    box_id: int,
    folder_id: int,
    uids: Sequence[int],
    digest: Callable[[bytes], Digest],
) -> Iterator[list[Carried]]:
    """The messages of `uids` (ascending, all there), some at a time; `key` is the box's."""
    for start in range(0, len(uids), AT_ONCE):
        where = {"box": box_id, "folder": folder_id, "uids": list(uids[start : start + AT_ONCE])}
        yield [_carried(keys, key, row, digest) for row in tx.execute(_CARRIED, where)]


def _carried(keys: KeyRing, key: Key, row: Any, digest: Callable[[bytes], Digest]) -> Carried:
    blob_id = row.blob_id
    front, back = key.open(row.front, front_context(blob_id)), key.open(row.back, back_context(blob_id))
    heads, texts = key.open(row.heads, heads_context(blob_id)), key.open(row.texts, texts_context(blob_id))
    read = digest(unpack_card(unpack_front(front), back).header)
    flags = flag_rules.flags_of(row.flags, row.keywords)
    return Carried(kept_again(keys, read, front, back, heads, texts, row.size), read, blob_id, flags, row.internal_date)

"""The header fields that SEARCH, SORT and THREAD look at, kept in memory from one command to the next (`shelf`).

A small part of all headers (no traces, no signatures), in the same form: whatever reads `MailStore.heads` reads these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailserver.imap.shelf import Place, Shelf
from mailserver.imap.view import FolderView, picked
from mailserver.store.api import MailStore

KEPT = frozenset(
    (b"bcc", b"cc", b"date", b"from", b"in-reply-to", b"message-id", b"references", b"reply-to", b"subject", b"to")
)


async def kept_heads(store: MailStore, shelf: Shelf, view: FolderView, indices: Sequence[int]) -> Mapping[int, bytes]:
    """By UID, the fields of `KEPT` one a line (`subject: ...`); messages that are gone are left out, others may be in it.

    What is not in memory is read at once: the caller bounds how many.
    """

    async def make(uids: Sequence[int]) -> dict[int, bytes]:
        return {uid: condensed(head) for uid, head in await store.heads(view.folder.id, uids)}

    place = Place(view.folder.box_id, view.folder.id, KEPT)
    return await shelf.made(place, list(picked(view.uids, indices)), make)


def condensed(head: bytes) -> bytes:
    return b"\n".join([line for line in head.split(b"\n") if line[: line.find(b":")] in KEPT])


def values(head: bytes, name: bytes) -> list[bytes]:
    """Of all fields of that name (lower case), as they stand behind the colon."""
    mark = name + b":"
    return [line[len(mark) :] for line in head.split(b"\n") if line.startswith(mark)]


def field(head: bytes, name: bytes) -> bytes:
    """The first field of that name (lower case), b"" without one. `head` as in `MailStore.heads`."""
    mark = name + b":"
    if head.startswith(mark):
        start = len(mark)
    else:
        start = head.find(b"\n" + mark)
        if start < 0:
            return b""
        start += len(mark) + 1
    end = head.find(b"\n", start)
    return head[start:].strip() if end < 0 else head[start:end].strip()

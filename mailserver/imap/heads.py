"""The header fields that SEARCH, SORT and THREAD look at, kept in memory from one command to the next (`shelf`).

A small part of all headers (no traces, no signatures), in the same form: whatever reads `MailStore.heads` reads these. Those of
neighbours stand in one block: a text that none of them holds is looked for once, not once a message, at seven times the speed.
"""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence

from mailserver.imap.shelf import Place, Shelf
from mailserver.imap.view import FolderView, picked
from mailserver.store.api import MailStore

KEPT = frozenset(
    (b"bcc", b"cc", b"date", b"from", b"in-reply-to", b"message-id", b"references", b"reply-to", b"subject", b"to")
)
BITS = 9  # of a UID: messages whose UIDs differ in these only stand in one block
LONGEST = 8192  # octets of a head that is kept; above it,
TOO_LONG = b"\0"  # (no head holds it)
BATCH = 1 << BITS  # messages whose texts are read at once, 3 ms
OCTETS = 8 << 20  # of these messages; above it,
FEW = 32  # at once: a text has at most 256 Ki characters, however long its message (`mime.message.MAX_SEARCH`)
_NUMBER = array("I").itemsize


class Block:
    """Heads by UID as one string of octets: how many, how many of them too long, their UIDs, where each begins and the last ends,
    the heads."""

    def __init__(self, packed: bytes = bytes(3 * _NUMBER)) -> None:
        self.packed = packed
        count, self._long = array("I", packed[: 2 * _NUMBER])
        numbers = array("I", packed[2 * _NUMBER : (2 * count + 3) * _NUMBER])
        self.uids, self._starts = numbers[:count], numbers[count:]

    @classmethod
    def of(cls, heads: Mapping[int, bytes]) -> Block:
        uids = sorted(heads)
        starts = [(2 * len(uids) + 3) * _NUMBER]
        for uid in uids:
            starts.append(starts[-1] + len(heads[uid]) + 1)
        numbers = array("I", [len(uids), sum(head == TOO_LONG for head in heads.values()), *uids, *starts])
        return cls(numbers.tobytes() + b"".join([heads[uid] + b"\n" for uid in uids]))

    def too_long(self) -> Iterator[int]:
        return self.containing(TOO_LONG) if self._long else iter(())

    def without(self, uids: Sequence[int]) -> Collection[int]:
        """Those of `uids` (ascending) that are not here; nearly always all are, and nothing else is."""
        return () if array("I", uids) == self.uids else set(uids).difference(self.uids)

    def items(self) -> Iterator[tuple[int, bytes]]:
        for place, uid in enumerate(self.uids):
            yield uid, self._head(place)

    def head(self, uid: int) -> bytes:
        """Of a message that is here."""
        return self._head(bisect_left(self.uids, uid))

    def _head(self, place: int) -> bytes:
        return self.packed[self._starts[place] : self._starts[place + 1] - 1]

    def containing(self, needle: bytes) -> Iterator[int]:
        """UIDs of the heads that hold it, or its beginning when it goes on into the next."""
        starts, end = self._starts, self._starts[-1]
        at = self.packed.find(needle, starts[0])
        while 0 <= at < end:
            place = bisect_right(starts, at) - 1
            yield self.uids[place]
            at = self.packed.find(needle, starts[place + 1])


class KeptHeads:
    """By index, of the messages that are `here`; the others are gone, or their heads are too long to be kept."""

    def __init__(self, view: FolderView, blocks: Mapping[int, Block], here: Collection[int]) -> None:
        self._view, self._blocks = view, blocks
        self.here = frozenset(here)

    def __getitem__(self, index: int) -> bytes:
        uid = self._view.uids[index]
        return self._blocks[uid >> BITS].head(uid)

    def containing(self, needle: bytes, universe: Collection[int]) -> list[int]:
        """Indices of those that may hold it: the caller looks at the head itself."""
        uids = [uid for block in self._blocks.values() for uid in block.containing(needle)]
        return [index for uid in uids if (index := self._view.index_of(uid)) is not None and index in universe]

    def by_index(self) -> dict[int, bytes]:
        heads = dict(item for block in self._blocks.values() for item in block.items())
        uids = self._view.uids
        return {index: heads[uids[index]] for index in self.here}


async def kept_heads(store: MailStore, shelf: Shelf, view: FolderView, indices: Sequence[int]) -> KeptHeads:
    """The fields of `KEPT` one a line (`subject: ...`), of those of `indices` (ascending) that still are there.

    What is not in memory is read, a block at a time.
    """
    place = Place(view.folder.box_id, view.folder.id, KEPT)
    blocks: dict[int, Block] = {}
    here: list[int] = []
    at = 0
    while at < len(indices):
        number = view.uids[indices[at]] >> BITS
        end = bisect_left(indices, number + 1, lo=at, key=lambda index: view.uids[index] >> BITS)
        some = indices[at:end]
        uids = picked(view.uids, some)
        block = _kept(shelf, place, number)
        if block.without(uids):
            async with shelf.turn(place):
                block = _kept(shelf, place, number)
                if missing := frozenset(block.without(uids)):
                    new = await _read(store, view, [index for index in some if view.uids[index] in missing])
                    block = Block.of(dict(block.items()) | new)
                    shelf.keep(place, {number: block.packed})
        apart = {*block.without(uids), *block.too_long()}
        here += [index for index, uid in zip(some, uids, strict=True) if uid not in apart] if apart else some
        blocks[number] = block
        at = end
    return KeptHeads(view, blocks, here)


async def _read(store: MailStore, view: FolderView, indices: Sequence[int]) -> dict[int, bytes]:
    """By UID, as they are kept."""
    found = {}
    for batch in batches(view, indices):
        for uid, head in await store.heads(view.folder.id, picked(view.uids, batch)):
            kept = condensed(head)
            found[uid] = kept if len(kept) <= LONGEST else TOO_LONG
        await asyncio.sleep(0)  # other sessions' turn
    return found


def batches(view: FolderView, indices: Sequence[int]) -> Iterator[Sequence[int]]:
    """What may be read at once, whatever its senders made of it."""
    for some in grouped(indices, BATCH):
        yield from grouped(some, BATCH if sum(picked(view.sizes, some)) <= OCTETS else FEW)


def grouped(indices: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(indices), size):
        yield indices[start : start + size]


def _kept(shelf: Shelf, place: Place, number: int) -> Block:
    packed = shelf.pieces(place).get(number)
    return Block() if packed is None else Block(packed)


def condensed(head: bytes) -> bytes:
    return b"\n".join([line for line in head.split(b"\n") if line[: line.find(b":")] in KEPT])


def cut(head: bytes) -> bytes:
    """What SORT and THREAD look at of a long one: the beginning of each field, of References the nearest."""
    most = LONGEST // 2
    lines = condensed(head).split(b"\n")
    return b"\n".join(
        [b"references:" + line[-most:] if line.startswith(b"references:") else line[:most] for line in lines]
    )


def values(head: bytes, name: bytes) -> Iterator[bytes]:
    """Of all fields of that name (lower case), as they stand behind the colon."""
    lines, mark = b"\n%b\n" % head, b"\n%b:" % name
    at = lines.find(mark)
    while at >= 0:
        end = lines.index(b"\n", at + 1)
        yield lines[at + len(mark) : end]
        at = lines.find(mark, end)


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

"""Octets on their way into the store, sealed as they come (`store.api.Spool`), and how much of them a mailbox may have there.

What is not a message yet counts in no quota: without a bound of its own it could fill the disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from foundation.blobs import BlobWriter, PreparedBlob
from mailserver.store.api import StoreError

PIECE = 262144  # octets read back at once
ROOM = 512 << 20  # octets of one mailbox in one process, of all the commands under way


class Room:
    """Octets spooled, by mailbox."""

    def __init__(self, most: int = ROOM) -> None:
        self._most = most
        self._held: Counter[int] = Counter()

    def check(self, box_id: int, octets: int) -> None:
        if self._held[box_id] + octets > self._most:
            raise StoreError("LIMIT", "too many large messages are on their way into this mailbox")

    def take(self, box_id: int, octets: int) -> None:
        self._held[box_id] += octets
        if not self._held[box_id]:
            del self._held[box_id]


class BlobSpool:
    """A blob that no row names yet; `finish` gives it to the store, which answers for it from then on.

    `expected` octets are taken from the mailbox's room at once, more as they come; `discard` gives all back.
    """

    def __init__(self, writer: BlobWriter, room: Room, box_id: int, expected: int) -> None:
        room.check(box_id, expected)
        room.take(box_id, expected)
        self._writer = writer
        self._room, self._box_id, self._taken = room, box_id, expected
        self._blob: PreparedBlob | None = None
        self._fault: OSError | None = None
        self._stored = False
        self.size = 0

    def write(self, octets: bytes | memoryview) -> None:
        self.size += len(octets)
        if self.size > self._taken:
            self._take(self.size)
        if self._fault is None:
            try:
                self._writer.write(octets)
            except OSError as fault:  # a full disk, as a rule
                self._fault = fault

    def end(self) -> None:
        if self._fault is None:
            try:
                self._writer.end()
            except OSError as fault:
                self._fault = fault

    def pieces(self) -> Iterator[bytes]:
        blob = self._finished()
        for at in range(0, self.size, PIECE):
            yield blob.read(at, PIECE)

    def finish(self) -> PreparedBlob:
        """On disk when this returns (blocks)."""
        blob = self._finished()
        self._stored = True
        return blob

    def discard(self) -> None:
        self._take(0)
        if self._stored:
            return
        self._stored = True
        if self._blob is None:
            self._writer.abort()
        else:
            self._blob.discard()

    def _take(self, octets: int) -> None:
        self._room.take(self._box_id, octets - self._taken)
        self._taken = octets

    def _finished(self) -> PreparedBlob:
        if self._blob is not None:
            return self._blob
        try:
            if self._fault is not None:
                raise self._fault
            self._blob = self._writer.finish()
        except OSError as fault:
            raise StoreError("UNAVAILABLE", "the message cannot be written now") from fault
        return self._blob

"""A blob on its way in that is wanted again at once: it waits in memory, sealed and written once somebody answers for it.

What is given up never touches the disk, and what is kept is not read back from it. Few may wait in a process; what is longer, or
finds no place, goes to the disk as it comes (`BlobWriter`).
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from threading import Semaphore

from foundation.blob_chunks import CHUNK
from foundation.blobs import INLINE, Blobs, BlobWriter, PreparedBlob

LONGEST = 2 * 1024 * 1024  # octets: a letter with its attachments, as most are


class Receiver:
    """Takes octets as `BlobWriter` does; one larger than `INLINE` is on disk once it is `secure` (`PreparedBlob`)."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._held = BytesIO()
        self._place: Semaphore | None = None  # taken when it grows large
        self._writer: BlobWriter | None = None  # once it goes to the disk
        self._keeps_first = False

    @property
    def size(self) -> int:
        return self._held.tell() if self._writer is None else self._writer.size

    def keep_first(self) -> None:
        """From now on the first chunk stays open to `put`; called while nothing is written."""
        self._keeps_first = True

    def write(self, data: bytes) -> None:
        if self._writer is not None:
            self._writer.write(data)
            return
        self._held.write(data)
        if self._held.tell() > INLINE and not self._may_wait():
            self._spill()

    def put(self, offset: int, data: bytes) -> None:
        """Writes over octets of the first chunk."""
        if self._writer is not None:
            self._writer.put(offset, data)
        else:
            self._held.getbuffer()[offset : offset + len(data)] = data

    def pieces(self, offset: int) -> Iterator[bytes]:
        """What was written so far from `offset` on, a chunk at a time; nothing may be written meanwhile."""
        if self._writer is not None:
            yield from self._writer.pieces(offset)
            return
        content = self._held.getvalue()
        for at in range(offset, len(content), CHUNK):
            yield content[at : at + CHUNK]

    def finish(self) -> PreparedBlob:
        """Blocks when it is `large`: call it in a thread then."""
        if self._writer is not None:
            return self._writer.finish()
        place, self._place = self._place, None
        return self._blobs.held(self._held.getvalue(), place)

    @property
    def large(self) -> bool:
        """It waits for the disk."""
        return self._writer is not None

    def abort(self) -> None:
        self._leave()
        if self._writer is not None:
            self._writer.abort()

    def _may_wait(self) -> bool:
        if self._held.tell() > LONGEST:
            return False
        if self._place is None and self._blobs.places.acquire(blocking=False):
            self._place = self._blobs.places
        return self._place is not None

    def _spill(self) -> None:
        content, self._held = self._held.getbuffer(), BytesIO()
        self._leave()
        self._writer = self._blobs.writer()
        if self._keeps_first:
            self._writer.keep_first()
        for at in range(0, len(content), CHUNK):
            self._writer.write(content[at : at + CHUNK])

    def _leave(self) -> None:
        if self._place is not None:
            self._place.release()
            self._place = None

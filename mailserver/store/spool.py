"""Octets on their way into the store, sealed as they come (`store.api.Spool`)."""

from __future__ import annotations

from collections.abc import Iterator

from foundation.blobs import BlobWriter, PreparedBlob
from mailserver.store.api import StoreError

PIECE = 262144  # octets read back at once


class BlobSpool:
    """A blob that no row names yet; `finish` gives it to the store, which answers for it from then on."""

    def __init__(self, writer: BlobWriter) -> None:
        self._writer = writer
        self._blob: PreparedBlob | None = None
        self._fault: OSError | None = None
        self._stored = False
        self.size = 0

    def write(self, octets: bytes | memoryview) -> None:
        self.size += len(octets)
        if self._fault is None:
            try:
                self._writer.write(octets)
            except OSError as fault:  # a full disk, as a rule
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
        if self._stored:
            return
        self._stored = True
        if self._blob is None:
            self._writer.abort()
        else:
            self._blob.discard()

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

"""Messages that a client stores (APPEND, REPLACE), made ready outside the transaction: octets on disk, read once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from foundation.blobs import Blobs, PreparedBlob
from foundation.keys import KeyRing
from mailserver.mime.downgrade import without_nul
from mailserver.mime.fields import MAX_HEADER
from mailserver.mime.weight import LIGHT, weight
from mailserver.store.api import NewMessage, StoreError
from mailserver.store.digest import Digest
from mailserver.store.insert import Kept, keep
from mailserver.store.spool import BlobSpool, Room

LARGE = 4 * 1024 * 1024  # octets
SHORT = 16 * 1024  # octets of a command that is read on the loop, if it is light: a thread costs as much as reading it
AT_ONCE = 16  # each may sync a file, and other work waits for the thread


@dataclass(frozen=True, slots=True)
class Ready:
    """A message to append; its blob is on disk."""

    message: NewMessage
    blob: PreparedBlob
    kept: Kept
    digest: Digest


class Arrivals:
    """Large messages are read one at a time in a process: they are whole in memory meanwhile."""

    def __init__(self, keys: KeyRing, blobs: Blobs, digest: Callable[[bytes], Digest]) -> None:
        self._keys = keys
        self._blobs = blobs
        self._digest = digest
        self._large = asyncio.Semaphore(1)
        self._room = Room()

    def spool(self, box_id: int, expected: int) -> BlobSpool:
        return BlobSpool(self._blobs.writer(), self._room, box_id, expected)

    async def prepared(self, messages: Sequence[NewMessage], ready: list[Ready]) -> None:
        """Adds to `ready`, in their order: when it raises, the caller knows what to discard."""
        if short(messages) and sum(map(_weight, messages)) <= LIGHT:
            self._prepare(messages, ready)
            return
        for start in range(0, len(messages), AT_ONCE):
            some = messages[start : start + AT_ONCE]
            large = any(one.size > LARGE for one in some)
            async with self._large if large else nullcontext():
                await asyncio.to_thread(self._prepare, some, ready)

    def _prepare(self, messages: Sequence[NewMessage], ready: list[Ready]) -> None:
        for message in messages:
            blob, content = self._octets(message)
            digest = self._digest(content)
            try:
                check_header(digest)
            except StoreError:
                blob.discard()
                raise
            ready.append(Ready(message, blob, keep(self._keys, digest, blob.ref), digest))

    def _octets(self, message: NewMessage) -> tuple[PreparedBlob, bytes]:
        if isinstance(message.content, bytes):
            content = wire_octets(message.content)
            return self._blobs.prepare(content), content
        assert isinstance(message.content, BlobSpool)
        blob = message.content.finish()
        try:
            content = blob.plaintext()
            fit = wire_octets(content)
            if fit is content:
                return blob, content
        except BaseException:
            blob.discard()
            raise
        blob.discard()
        return self._blobs.prepare(fit), fit


def short(messages: Sequence[NewMessage]) -> bool:
    """They need no thread for their size, and no file."""
    return sum([one.size for one in messages]) <= SHORT


def _weight(message: NewMessage) -> int:
    return weight(message.content) if isinstance(message.content, bytes) else LIGHT + 1


def check_header(digest: Digest) -> None:
    """A header is in memory whole for everybody who lists the folder; mail that is delivered has a shorter one too."""
    if len(digest.card.header) > MAX_HEADER:
        raise StoreError("LIMIT", f"the header of a message has at most {MAX_HEADER} octets")


def wire_octets(content: bytes) -> bytes:
    """What a literal may hold: the message itself, but for parts that hold NUL (`NewMessage`)."""
    if b"\0" not in content:
        return content
    found = without_nul(content)
    if found is None:
        raise StoreError("UNKNOWN-CTE", "NUL outside of a binary part")
    return found

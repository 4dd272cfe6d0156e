"""A report handed in with what it gives back: the header of the message it is about, or all of it, copied a piece at a time.

Whoever is owed a report gets one: where the whole message cannot be given back (gone, damaged, no room for it), its header is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from foundation.blobs import BlobRef, Blobs, PreparedBlob
from foundation.database import Database
from foundation.keys import Tampered
from mailserver.delivery.api import Door, Envelope, Fate, Outcome, Recipient, Sender, Terms, Verdict
from mailserver.outbound.content import stored
from mailserver.outbound.report import Given, Report, header_of

BEGINNING = 64 * 1024  # octets read for a header
GONE = (KeyError, Tampered)

Accept = Callable[[Envelope, PreparedBlob], Awaitable[Outcome]]  # the one door in


class Draft(Protocol):
    """`report.report`, all else known."""

    def __call__(self, header: bytes, *, given: Given, is_ascii: bool | None = None) -> Report: ...


@dataclass(frozen=True, slots=True)
class GivingBack:
    db: Database
    blobs: Blobs
    accept: Accept

    async def send(self, to: str, draft: Draft, original: BlobRef, given: Given, terms: Terms) -> Verdict:
        """Behind the null reverse path; `terms`: of the original. The verdict of the last report that was tried."""
        envelope = Envelope(Sender(Door.SYSTEM), "", (Recipient(to, frozenset({"NEVER"})),), terms=terms.for_notice())
        try:
            header = header_of(await self._read(original, 0, BEGINNING))
        except GONE:
            header, given = b"", Given.HEADER
        if given is Given.MESSAGE:
            try:
                whole = await self._whole(draft, header, original)
            except GONE:
                given = Given.HEADER
            else:
                verdict = (await self.accept(envelope, whole)).verdicts[0]
                if verdict.fate is not Fate.REFUSED:
                    return verdict
                given = Given.TOO_LARGE
        content = draft(header, given=given).around(header)
        return (await self.accept(envelope, self.blobs.prepare(content))).verdicts[0]

    async def _whole(self, draft: Draft, header: bytes, original: BlobRef) -> PreparedBlob:
        content = await stored(partial(self._read, original), original.size)
        report = draft(header, given=Given.MESSAGE, is_ascii=content.is_ascii)
        writer = self.blobs.writer()
        try:
            writer.write(report.front)
            async for piece in content.pieces():
                await _to_its_end(partial(writer.write, piece))
            writer.write(report.back)
            return await asyncio.to_thread(writer.finish)
        except BaseException:
            writer.abort()
            raise

    async def _read(self, blob: BlobRef, offset: int, length: int) -> bytes:
        return await self.db.read(self.blobs.read, blob, offset, length)


async def _to_its_end(work: Callable[[], None]) -> None:
    """In a thread. Who is cancelled meanwhile waits for it: a file that it begins would outlive `abort`."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise

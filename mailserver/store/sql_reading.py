"""The reading half of the SQL store: which function of `reading` runs in which read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from foundation.blobs import Blobs
from foundation.database import Database, Transaction
from foundation.keys import Key, KeyRing
from mailserver.store import folders as folder_rows
from mailserver.store import reading, sheets
from mailserver.store.api import (
    Card,
    Changes,
    FolderStatus,
    Front,
    Origin,
    Row,
)
from mailserver.store.boxes import Boxes
from mailserver.store.columns import Columns
from mailserver.store.looking import Lookout

T = TypeVar("T")

CARDS_AT_ONCE = 256  # bounds memory, and the time a reader's snapshot is held
TEXTS_AT_ONCE = 64
KNOWN_FOLDERS = 100_000


class SqlReading:
    def __init__(self, db: Database, keys: KeyRing, blobs: Blobs, boxes: Boxes) -> None:
        self._db = db
        self._keys = keys
        self._blobs = blobs
        self._boxes = boxes
        self._box_of: dict[int, int] = {}  # a folder never changes its box, an id is never used twice
        self._lookout = Lookout(partial(db.read, reading.look), partial(db.glance, reading.glimpse))

    async def look(self, folder_id: int) -> Columns:
        return await self._lookout.look(folder_id)

    async def rows(self, folder_id: int) -> tuple[FolderStatus, list[Row]]:
        return await self._db.read(reading.all_rows, folder_id)

    async def changes(self, folder_id: int, since_modseq: int) -> Changes:
        return await self._db.read(reading.changes, folder_id, since_modseq)

    async def status(self, folder_id: int) -> FolderStatus:
        return await self._db.read(lambda conn: folder_rows.status_of(folder_rows.by_id(conn, folder_id)))

    async def statuses(self, box_id: int) -> dict[int, FolderStatus]:
        return await self._db.read(folder_rows.statuses, box_id)

    async def deleted_sizes(self, folder_ids: Sequence[int]) -> dict[int, int]:
        return await self._db.read(folder_rows.deleted_sizes, folder_ids) if folder_ids else {}

    async def cards(self, folder_id: int, uids: Sequence[int]) -> AsyncIterator[tuple[int, Card]]:
        for part in _batches(uids, CARDS_AT_ONCE):
            for item in await self._read_some(self._some_cards, folder_id, part):
                yield item

    def _some_cards(self, conn: Connection, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Card]]:
        return reading.some_cards(conn, self._key(conn, folder_id), folder_id, uids)

    async def fronts(self, folder_id: int, uids: Sequence[int]) -> dict[int, Front]:
        found, loose = await self._read_some(self._some_fronts, folder_id, uids)
        if loose:  # the next list finds them bound; nobody waits for it
            self._db.submit(self._bind, folder_id, loose)
        return found

    def _some_fronts(
        self, conn: Connection, folder_id: int, uids: Sequence[int]
    ) -> tuple[dict[int, Front], Collection[int]]:
        return reading.some_fronts(conn, self._key(conn, folder_id), folder_id, uids)

    def _bind(self, tx: Transaction, folder_id: int, pages: Collection[int]) -> None:
        sheets.bind(tx, self._key(tx.conn, folder_id), folder_id, pages)

    async def origins(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Origin]]:
        return await self._db.read(reading.some_origins, folder_id, uids)

    async def content(self, folder_id: int, uid: int, offset: int = 0, length: int | None = None) -> bytes | None:
        return await self._db.read(self.content_in, folder_id, uid, offset, length)

    def content_in(
        self, conn: Connection, folder_id: int, uid: int, offset: int = 0, length: int | None = None
    ) -> bytes | None:
        key = self._key(conn, folder_id)
        return reading.content(conn, key, self._blobs, folder_id, uid, offset, length)

    async def contents(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Card, bytes]]:
        return await self._read_some(self._some_contents, folder_id, uids)

    def _some_contents(self, conn: Connection, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Card, bytes]]:
        return reading.some_contents(conn, self._key(conn, folder_id), self._blobs, folder_id, uids)

    async def octets(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        return await self._read_some(self._some_octets, folder_id, uids)

    def _some_octets(self, conn: Connection, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        return reading.some_octets(conn, self._key(conn, folder_id), self._blobs, folder_id, uids)

    async def _read_some(
        self, work: Callable[[Connection, int, Sequence[int]], T], folder_id: int, uids: Sequence[int]
    ) -> T:
        """One message that is read at a time is not worth a thread."""
        found = self._db.glance(work, folder_id, uids) if len(uids) == 1 else None
        return await self._db.read(work, folder_id, uids) if found is None else found

    async def texts(self, folder_id: int, uids: Sequence[int]) -> AsyncIterator[tuple[int, str, str]]:
        for part in _batches(uids, TEXTS_AT_ONCE):
            heads = await self.heads(folder_id, part)
            bodies = dict(await self.bodies(folder_id, part))
            for uid, head in heads:
                if uid in bodies:
                    yield uid, head.decode(errors="replace"), bodies[uid].decode(errors="replace")

    async def heads(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        def work(conn: Connection) -> list[tuple[int, bytes]]:
            return reading.some_heads(conn, self._key(conn, folder_id), folder_id, uids)

        return await self._db.read(work)

    async def bodies(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        def work(conn: Connection) -> list[tuple[int, bytes]]:
            return reading.some_bodies(conn, self._key(conn, folder_id), folder_id, uids)

        return await self._db.read(work)

    async def quota(self, box_id: int) -> tuple[int, int]:
        return await self._db.read(self._boxes.quota, box_id)

    def _box(self, conn: Connection, folder_id: int) -> int:
        if folder_id not in self._box_of:
            if len(self._box_of) >= KNOWN_FOLDERS:
                self._box_of.clear()
            self._box_of[folder_id] = folder_rows.by_id(conn, folder_id).box_id
        return self._box_of[folder_id]

    def _key(self, conn: Connection, folder_id: int) -> Key:
        return self._boxes.key(conn, self._box(conn, folder_id))


def _batches(uids: Sequence[int], size: int) -> list[list[int]]:
    ordered = sorted(set(uids))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]

"""COPY and MOVE to another mailbox: some messages in each transaction, each sealed again (`carrying`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from foundation.database import Transaction
from mailserver.store import carrying, changing, names
from mailserver.store import folders as folder_rows
from mailserver.store.api import CopyResult, Flag, Flags, StoreError
from mailserver.store.insert import Entry, Place, counterpart, own_threads, put_all
from mailserver.store.sql_messages import SqlMessages, pieces


class SqlCarrying(SqlMessages):
    async def carry(
        self, folder_id: int, uids: Sequence[int], target_folder_id: int, by: int, leave: bool, undeleted: bool = False
    ) -> CopyResult:
        carried = self._carried(folder_id, uids, target_folder_id, by, leave, undeleted)
        return await asyncio.shield(asyncio.ensure_future(carried))

    async def _carried(
        self, folder_id: int, uids: Sequence[int], target_folder_id: int, by: int, leave: bool, undeleted: bool
    ) -> CopyResult:
        done = await self._db.read(self._room_for, folder_id, uids, target_folder_id)
        for some in pieces(uids):
            try:
                more = await self._db.write(self._carry, folder_id, some, target_folder_id, by, leave, undeleted)
            except Exception as fault:
                if leave and done.target:
                    await self._db.write(self._take_back, target_folder_id, done.target, by)
                elif done.target and isinstance(fault, StoreError):
                    return replace(done, fault=fault)
                raise
            done = CopyResult(more.uid_validity, done.source + more.source, done.target + more.target)
        return done

    def _room_for(self, conn: Connection, folder_id: int, uids: Sequence[int], target_folder_id: int) -> CopyResult:
        """Said before the first is carried, and looked at again with each piece; nothing carried yet."""
        target = folder_rows.by_id(conn, target_folder_id)
        whole = changing.tally_of(conn, folder_id, uids)
        names.check_messages(folder_rows.messages_in(conn, target.box_id) + whole.messages)
        used, limit = self._boxes.quota(conn, target.box_id)
        if whole.messages and used + whole.size > limit:
            raise StoreError("OVERQUOTA", "the mailbox is full")
        return CopyResult(target.uid_validity, [], [])

    def _take_back(self, tx: Transaction, folder_id: int, uids: list[int], by: int) -> None:
        """The copies of a COPY that could not be ended."""
        folder = folder_rows.locked(tx, folder_id)[0]
        here = changing.present(tx, folder_id, uids)
        self._remove(tx, folder_id, folder.box_id, here)
        self._crossed(tx, by, folder.box_id, folder.box_id, messages=len(here), taken_back=True)

    def _carry(
        self,
        tx: Transaction,
        folder_id: int,
        uids: Sequence[int],
        target_folder_id: int,
        by: int,
        leave: bool,
        undeleted: bool,
    ) -> CopyResult:
        source, target = folder_rows.locked(tx, folder_id, target_folder_id)
        chosen = changing.present(tx, folder_id, uids)
        if not chosen:
            return CopyResult(target.uid_validity, [], [])
        tally = changing.tally_of(tx, folder_id, chosen)
        names.check_messages(folder_rows.messages_in(tx.conn, target.box_id) + len(chosen))
        charged = {target.box_id: tally.size, source.box_id: 0 if leave else -tally.size}
        for box_id in sorted(charged):  # two that carry both ways never wait for each other
            if not self._boxes.charge(tx, box_id, charged[box_id]):
                raise StoreError("OVERQUOTA", "the mailbox is full")
        new = self._put_carried(tx, source, target, chosen, undeleted)
        if not leave:
            changing.remove(tx, folder_rows.by_id(tx.conn, folder_id), chosen, tally, self._clock())
        self._crossed(tx, by, source.box_id, target.box_id, messages=len(chosen), moved=not leave)
        return CopyResult(target.uid_validity, chosen, new)

    def _put_carried(
        self,
        tx: Transaction,
        source: folder_rows.FolderRow,
        target: folder_rows.FolderRow,
        chosen: Sequence[int],
        undeleted: bool,
    ) -> list[int]:
        key, now = self._boxes.key(tx.conn, source.box_id), self._clock() // 1000
        place = Place(target.box_id, target.id, self._boxes.key(tx.conn, target.box_id))
        own = self._boxes.address(tx.conn, target.box_id)
        left = Flag.DELETED if undeleted else Flag(0)
        new: list[int] = []
        for some in carrying.opened(tx, self._keys, key, source.box_id, source.id, chosen, self._digest):
            others = [counterpart(self._keys, one.digest.counterpart(own)) for one in some]
            named = [(other, one.kept, one.blob_id) for other, one in zip(others, some, strict=True)]
            threads = own_threads(tx, target.box_id, named)
            entries = [
                Entry(one.kept, one.blob_id, thread, Flags(one.flags.system & ~left, one.flags.keywords), one.date)
                for one, thread in zip(some, threads, strict=True)
            ]
            new += put_all(tx, place, entries, now)
        return new

"""The mail store on SQLAlchemy: SQLite or PostgreSQL. Which function runs in which transaction.

Folders: `folders`; reading: `reading`; the way in: `insert`; flags, copies, expunges: `changing`; unused blobs: `sweep`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection

from foundation.audit import Audit
from foundation.blobs import Blobs
from foundation.clock import Clock, system_clock
from foundation.database import Database, Transaction
from foundation.keys import KeyRing
from foundation.signals import concerns
from mailserver.store import annotations as annotation_rows
from mailserver.store import changing, emptying, forgetting, names
from mailserver.store import folders as folder_rows
from mailserver.store.api import (
    Folder,
    StoreError,
)
from mailserver.store.boxes import Boxes
from mailserver.store.digest import Digest, digest_of
from mailserver.store.insert import TOPIC
from mailserver.store.sql_carrying import SqlCarrying
from mailserver.store.sql_messages import ClosingHook
from mailserver.store.sweep import sweep
from mailserver.store.watching import Wake, Watchers
from mssante.cache import Cache
from mssante.rights import Rights, written

KNOWN_BOXES, LISTED_SECONDS = 5_000, 60.0  # lists of folders in memory; a lost signal harms for a minute at most


class SqlMailStore(SqlCarrying):
    """Implements `store.api.MailStore`; `on_closed` closes exchanges from the mail client (docs/rules.md section 4); `audit` has a
    row for each change of rights, and for what is carried to another mailbox."""

    def __init__(
        self,
        db: Database,
        keys: KeyRing,
        blobs: Blobs,
        boxes: Boxes,
        *,
        on_closed: ClosingHook | None = None,
        audit: Audit | None = None,
        clock: Clock = system_clock,
        digest: Callable[[bytes], Digest] = digest_of,
    ) -> None:
        super().__init__(db, keys, blobs, boxes, on_closed, clock, digest, audit)
        self._folder_watchers, self._box_watchers = Watchers(), Watchers()
        self._listed: Cache[int, list[Folder]] = Cache(KNOWN_BOXES, LISTED_SECONDS)
        db.subscribe(TOPIC, self._folder_watchers.wake)
        db.subscribe(folder_rows.LISTED, self.forget)
        db.subscribe(folder_rows.LISTED, self._box_watchers.wake)

    async def open_box(self, box_id: int, professional: bool = False) -> None:
        await self._db.write(self.open_box_in, box_id, professional)

    def open_box_in(self, tx: Transaction, box_id: int, professional: bool = False) -> None:
        """The default folders, in the transaction that creates the mailbox."""
        folder_rows.open_box(tx, self._keys, self._boxes.key(tx.conn, box_id), box_id, professional)

    async def folders(self, box_id: int) -> list[Folder]:
        """Kept in memory until one of them changes, in any process: nearly every command names a folder."""
        now, generation = time.monotonic(), self._listed.generation
        found = self._listed.get(box_id, now)
        if found is None:
            found = await self._db.read(lambda conn: folder_rows.listed(conn, self._boxes.key(conn, box_id), box_id))
            self._listed.keep(box_id, found, now, generation)
        return list(found)

    def forget(self, box_id: int) -> None:
        """What is kept in memory of a box: its folders changed, or its key may be gone."""
        self._listed.forget(lambda box, _: concerns(box_id, box))

    async def create(self, box_id: int, name: str, special_use: str | None = None) -> Folder:
        return await self._db.write(self._create, box_id, name, special_use)

    def _create(self, tx: Transaction, box_id: int, name: str, special_use: str | None = None) -> Folder:
        return folder_rows.create(tx, self._keys, self._boxes.key(tx.conn, box_id), box_id, name, special_use)

    async def delete(self, box_id: int, name: str) -> None:
        await self._db.write(self._delete, box_id, name)

    def _delete(self, tx: Transaction, box_id: int, name: str) -> None:
        folder = folder_rows.named(tx.conn, self._keys, box_id, name)
        use = folder.special_use
        first = folder_rows.special(tx.conn, box_id, use) == folder.id if use else False
        names.check_removable(names.normal(name), first)
        folder_rows.locked(tx, folder.id)
        self._remove(tx, folder.id, box_id, changing.present(tx, folder.id, None))
        folder_rows.remove(tx, folder)
        annotation_rows.remove(tx, box_id, folder.id)
        tx.signal(TOPIC, folder.id)

    async def rename(self, box_id: int, name: str, new_name: str) -> None:
        await self._db.write(self._rename, box_id, name, new_name)

    def _rename(self, tx: Transaction, box_id: int, name: str, new_name: str) -> None:
        old, new = names.normal(name), names.normal(new_name)
        folder = folder_rows.named(tx.conn, self._keys, box_id, old)
        if old == names.INBOX:  # RFC 9051 6.3.6: its messages move, INBOX stays, empty
            target = self._create(tx, box_id, new)
            self._move(tx, folder.id, changing.present(tx, folder.id, None), target.id, "")
            return
        folder_rows.rename(tx, self._keys, self._boxes.key(tx.conn, box_id), box_id, old, new)

    async def subscribe(self, box_id: int, name: str, subscribed: bool, member: int = 0) -> None:
        def work(tx: Transaction) -> None:
            if member:
                folder = folder_rows.named(tx.conn, self._keys, box_id, name)
                folder_rows.subscribe_member(tx, folder.id, box_id, member, subscribed)
                return
            if not subscribed and folder_rows.forget_lost(tx, self._keys, box_id, names.normal(name)):
                return
            folder_rows.subscribe(tx, folder_rows.named(tx.conn, self._keys, box_id, name).id, box_id, subscribed)

        await self._db.write(work)

    async def set_rights(self, box_id: int, folder_id: int, member: int, rights: Rights | None, by: int) -> None:
        await self._db.write(self._set_rights, box_id, folder_id, member, rights, by)

    def _set_rights(
        self, tx: Transaction, box_id: int, folder_id: int, member: int, rights: Rights | None, by: int
    ) -> None:
        if folder_rows.locked(tx, folder_id)[0].box_id != box_id:
            raise StoreError("NONEXISTENT", "no such folder")
        folder_rows.set_rights(tx, box_id, folder_id, member, rights)
        tx.signal(TOPIC, folder_id)  # who has it open looks again
        if self._audit is not None:
            given = "role" if rights is None else written(rights)
            details = {"box": box_id, "folder": folder_id, "member": member, "rights": given}
            self._audit.record(tx, "rights:folder:set", f"credential {by}", details)

    async def set_quota(self, box_id: int, octets: int, by: int) -> None:
        await self._db.write(self._set_quota, box_id, octets, by)

    def _set_quota(self, tx: Transaction, box_id: int, octets: int, by: int) -> None:
        used, limit = self._boxes.quota(tx.conn, box_id)
        names.check_quota(used, octets)
        self._boxes.set_quota(tx, box_id, octets)
        if self._audit is not None:
            details = {"box": box_id, "from": limit, "to": octets}
            self._audit.record(tx, "quota:mailbox:set", f"credential {by}", details)

    async def lost(self, box_id: int) -> list[str]:
        return await self._db.read(lambda conn: folder_rows.lost(conn, self._boxes.key(conn, box_id), box_id))

    async def annotations(self, box_id: int, member: int, folder_ids: Sequence[int]) -> dict[int, dict[str, bytes]]:
        def work(conn: Connection) -> dict[int, dict[str, bytes]]:
            return annotation_rows.found(conn, self._boxes.key(conn, box_id), box_id, member, folder_ids)

        return await self._db.read(work)

    async def annotate(self, box_id: int, member: int, folder_id: int, values: Mapping[str, bytes | None]) -> None:
        await self._db.write(self._annotate, box_id, member, folder_id, values)

    def _annotate(
        self, tx: Transaction, box_id: int, member: int, folder_id: int, values: Mapping[str, bytes | None]
    ) -> None:
        # INBOX is held for all of them: no two writers count together.
        wanted = {self._inbox(tx.conn, box_id), folder_id or self._inbox(tx.conn, box_id)}
        if any(folder.box_id != box_id for folder in folder_rows.locked(tx, *wanted)):
            raise StoreError("NONEXISTENT", "no such folder")
        annotation_rows.change(tx, self._keys, self._boxes.key(tx.conn, box_id), box_id, member, folder_id, values)
        tx.signal(folder_rows.LISTED, box_id)

    def watch(self, folder_id: int, wake: Wake) -> Wake:
        return self._folder_watchers.add(folder_id, wake)

    def watch_box(self, box_id: int, wake: Wake) -> Wake:
        return self._box_watchers.add(box_id, wake)

    async def sweep(self) -> int:
        """Removes the blobs that no message points to any more, after their grace, and returns how many; forgets old expunges, and
        all of mailboxes whose key is destroyed. For a daily job."""
        for box_id in await self._db.read(emptying.erased):
            while await self._db.write(emptying.empty, box_id, self._clock()):
                continue
        old = await self._db.read(forgetting.due, self._clock())
        for start in range(0, len(old), forgetting.AT_ONCE):
            await self._db.write(forgetting.forget_all, old[start : start + forgetting.AT_ONCE])
        total, more = 0, True
        while more:
            count, more = await self._db.write(sweep, self._blobs, self._clock())
            total += count
        return total

"""The mail store on SQLAlchemy: SQLite or PostgreSQL. This file only says which function runs in which transaction.

Folders: `folders`; reading: `reading`; the way in: `insert`; flags, copies, expunges: `changing`; unused blobs: `sweep`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial

from sqlalchemy import Connection

from foundation.audit import Audit
from foundation.blobs import Blobs
from foundation.clock import Clock, system_clock
from foundation.database import Database, Transaction
from foundation.keys import Key, KeyRing
from mailserver.store import annotations as annotation_rows
from mailserver.store import changing, names, reading
from mailserver.store import flags as flag_rules
from mailserver.store import folders as folder_rows
from mailserver.store.api import (
    Card,
    Changes,
    CopyResult,
    Flag,
    FlagOp,
    Flags,
    Folder,
    FolderStatus,
    Front,
    NewMessage,
    Origin,
    Row,
    Spool,
    StoreError,
    StoreResult,
)
from mailserver.store.arriving import Arrivals, Ready
from mailserver.store.boxes import Boxes
from mailserver.store.columns import Columns
from mailserver.store.digest import Digest, digest_of
from mailserver.store.insert import TOPIC, Entry, Kept, Place, Thread, own_threads, put, put_all
from mailserver.store.looking import Lookout
from mailserver.store.sweep import sweep
from mailserver.store.watching import Wake, Watchers
from mssante.cache import Cache
from mssante.rights import Rights, written

CARDS_AT_ONCE = 256  # bounds memory, and the time a reader's snapshot is held
TEXTS_AT_ONCE = 64
KNOWN_FOLDERS = 100_000
KNOWN_BOXES, LISTED_SECONDS = 5_000, 60.0  # lists of folders in memory; a lost signal harms for a minute at most

ClosingHook = Callable[[Transaction, int, list[int], str], None]
"""(tx, box_id, exchange ids, actor): messages were moved to « Conversations closes », in the same transaction."""


class SqlMailStore:
    """Implements `store.api.MailStore`; `on_closed` closes exchanges from the mail client (docs/rules.md section 4); `audit` has a
    row for each change of rights."""

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
        self._db = db
        self._keys = keys
        self._blobs = blobs
        self._boxes = boxes
        self._on_closed = on_closed
        self._audit = audit
        self._clock = clock
        self._arrivals = Arrivals(keys, blobs, digest)
        self._box_of: dict[int, int] = {}  # a folder never changes its box, an id is never used twice
        self._inbox_of: dict[int, int] = {}
        self._folder_watchers, self._box_watchers = Watchers(), Watchers()
        self._lookout = Lookout(partial(db.read, reading.look))
        self._listed: Cache[int, list[Folder]] = Cache(KNOWN_BOXES, LISTED_SECONDS)
        db.subscribe(TOPIC, self._folder_watchers.wake)
        db.subscribe(folder_rows.LISTED, self.forget)
        db.subscribe(folder_rows.LISTED, self._box_watchers.wake)

    async def open_box(self, box_id: int, professional: bool = False) -> None:
        await self._db.write(self.open_box_in, box_id, professional)

    def open_box_in(self, tx: Transaction, box_id: int, professional: bool = False) -> None:
        """The default folders, in the transaction that creates the mailbox."""
        folder_rows.open_box(tx, self._keys, self._boxes.key(tx.conn, box_id), box_id, professional)

    def deliver_in(
        self, tx: Transaction, box_id: int, kept: Kept, blob_id: int, thread: Thread, flags: Flags, date: int
    ) -> tuple[int, int]:
        """Into the INBOX, in the caller's transaction; returns (folder id, UID)."""
        key = self._boxes.key(tx.conn, box_id)
        place = Place(box_id, self._inbox(tx.conn, box_id), key)
        try:
            uid = put(tx, place, kept, blob_id, thread, flags, date)
        except StoreError:  # remembered from a transaction that was never committed
            del self._inbox_of[box_id]
            place = Place(box_id, self._inbox(tx.conn, box_id), key)
            uid = put(tx, place, kept, blob_id, thread, flags, date)
        return place.folder_id, uid

    def sent_copy_in(
        self, tx: Transaction, box_id: int, kept: Kept, blob_id: int, thread: Thread, date: int
    ) -> tuple[int, int]:
        """Into the folder with the special use \\Sent, read; returns (folder id, UID)."""
        folder_id = folder_rows.special(tx.conn, box_id, "\\Sent") or self._inbox(tx.conn, box_id)
        place = Place(box_id, folder_id, self._boxes.key(tx.conn, box_id))
        return folder_id, put(tx, place, kept, blob_id, thread, Flags(Flag.SEEN), date)

    def _inbox(self, conn: Connection, box_id: int) -> int:
        """INBOX is never renamed nor deleted."""
        if box_id not in self._inbox_of:
            if len(self._inbox_of) >= KNOWN_FOLDERS:
                self._inbox_of.clear()
            self._inbox_of[box_id] = folder_rows.named(conn, self._keys, box_id, names.INBOX).id
        return self._inbox_of[box_id]

    # ---------------------------------------------------------------- folders
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
        self._listed.forget(lambda box, _: box == box_id)

    async def create(self, box_id: int, name: str, special_use: str | None = None) -> Folder:
        return await self._db.write(self._create, box_id, name, special_use)

    def _create(self, tx: Transaction, box_id: int, name: str, special_use: str | None = None) -> Folder:
        return folder_rows.create(tx, self._keys, self._boxes.key(tx.conn, box_id), box_id, name, special_use)

    async def delete(self, box_id: int, name: str) -> None:
        await self._db.write(self._delete, box_id, name)

    def _delete(self, tx: Transaction, box_id: int, name: str) -> None:
        folder = folder_rows.named(tx.conn, self._keys, box_id, name)
        use = folder.special_use
        names.check_removable(names.normal(name), bool(use) and folder_rows.special(tx.conn, box_id, use) == folder.id)
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

    async def subscribe(self, box_id: int, name: str, subscribed: bool) -> None:
        def work(tx: Transaction) -> None:
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

    async def lost(self, box_id: int) -> list[str]:
        return await self._db.read(lambda conn: folder_rows.lost(conn, self._boxes.key(conn, box_id), box_id))

    async def statuses(self, box_id: int) -> dict[int, FolderStatus]:
        return await self._db.read(folder_rows.statuses, box_id)

    async def deleted_sizes(self, folder_ids: Sequence[int]) -> dict[int, int]:
        return await self._db.read(folder_rows.deleted_sizes, folder_ids) if folder_ids else {}

    async def status(self, folder_id: int) -> FolderStatus:
        return await self._db.read(lambda conn: folder_rows.status_of(folder_rows.by_id(conn, folder_id)))

    # ---------------------------------------------------------------- annotations
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

    # ---------------------------------------------------------------- messages, read
    async def look(self, folder_id: int) -> Columns:
        return await self._lookout.look(folder_id)

    async def rows(self, folder_id: int) -> tuple[FolderStatus, list[Row]]:
        return await self._db.read(reading.all_rows, folder_id)

    async def changes(self, folder_id: int, since_modseq: int) -> Changes:
        return await self._db.read(reading.changes, folder_id, since_modseq)

    async def cards(self, folder_id: int, uids: Sequence[int]) -> AsyncIterator[tuple[int, Card]]:
        for part in _batches(uids, CARDS_AT_ONCE):
            for item in await self._db.read(self._some_cards, folder_id, part):
                yield item

    def _some_cards(self, conn: Connection, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Card]]:
        return reading.some_cards(conn, self._key(conn, folder_id), folder_id, uids)

    async def fronts(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Front]]:
        def work(conn: Connection) -> list[tuple[int, Front]]:
            return reading.some_fronts(conn, self._key(conn, folder_id), folder_id, uids)

        return await self._db.read(work)

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
        return await self._db.read(self._some_contents, folder_id, uids)

    def _some_contents(self, conn: Connection, folder_id: int, uids: Sequence[int]) -> list[tuple[int, Card, bytes]]:
        return reading.some_contents(conn, self._key(conn, folder_id), self._blobs, folder_id, uids)

    async def octets(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        def work(conn: Connection) -> list[tuple[int, bytes]]:
            return reading.some_octets(conn, self._key(conn, folder_id), self._blobs, folder_id, uids)

        return await self._db.read(work)

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

    # ---------------------------------------------------------------- messages, write
    def spool(self) -> Spool:
        return self._arrivals.spool()

    async def append(self, folder_id: int, messages: Sequence[NewMessage]) -> list[int]:
        return await self._stored(messages, partial(self._append, folder_id=folder_id)) if messages else []

    async def replace(self, folder_id: int, uid: int, target_folder_id: int, message: NewMessage) -> int:
        work = partial(self._replace, folder_id=folder_id, uid=uid, target_folder_id=target_folder_id)
        return (await self._stored((message,), work))[0]

    async def _stored(
        self, messages: Sequence[NewMessage], work: Callable[[Transaction, list[Ready]], list[int]]
    ) -> list[int]:
        for message in messages:
            flag_rules.check(message.flags)
        ready: list[Ready] = []
        try:
            await self._arrivals.prepared(messages, ready)
            return await self._db.write(work, ready)
        except Exception:  # not when cancelled: the commit may be under way
            for one in ready:
                one.blob.discard()
            raise

    def _append(self, tx: Transaction, ready: Sequence[Ready], folder_id: int) -> list[int]:
        box_id = self._box(tx.conn, folder_id)
        place = Place(box_id, folder_id, self._boxes.key(tx.conn, box_id))
        self._charge(tx, box_id, sum(one.kept.size for one in ready))
        own, now = self._boxes.address(tx.conn, box_id), self._clock() // 1000
        blob_ids = self._blobs.insert_all(tx, [one.blob for one in ready])
        others = [counterpart(self._keys, one.digest.counterpart(own)) for one in ready]
        kept = [one.kept for one in ready]
        threads = own_threads(tx, box_id, list(zip(others, kept, blob_ids, strict=True)))
        entries = [
            Entry(one.kept, blob_id, thread, one.message.flags, one.message.internal_date or now)
            for one, blob_id, thread in zip(ready, blob_ids, threads, strict=True)
        ]
        return put_all(tx, place, entries, now)

    def _replace(
        self, tx: Transaction, ready: Sequence[Ready], folder_id: int, uid: int, target_folder_id: int
    ) -> list[int]:
        """The old one goes first: only what is more counts in the quota (RFC 8508 3.4)."""
        source, target = folder_rows.locked(tx, folder_id, target_folder_id)
        if source.box_id != target.box_id:
            raise StoreError("NOPERM", "messages stay inside their mailbox")
        if not changing.present(tx, folder_id, [uid]):
            raise StoreError("EXPUNGEISSUED", "the message is gone")
        self._remove(tx, folder_id, source.box_id, [uid])
        return self._append(tx, ready, target_folder_id)

    async def store_flags(
        self, folder_id: int, uids: Sequence[int], op: FlagOp, flags: Flags, unchanged_since: int | None = None
    ) -> StoreResult:
        flag_rules.check(flags)
        result, status = await self._db.write(changing.store_flags, folder_id, uids, op, flags, unchanged_since)
        if result.modseq != result.previous:
            limit = result.previous if unchanged_since is None else unchanged_since

            def change(columns: Columns) -> Columns:
                return columns.stored(status, sorted(set(uids)), op, flags.system, limit)

            if not flags.keywords and op in (FlagOp.ADD, FlagOp.REMOVE):
                self._lookout.advance(folder_id, result.previous, change)
        return result

    async def copy(
        self, folder_id: int, uids: Sequence[int], target_folder_id: int, actor: str = "", undeleted: bool = False
    ) -> CopyResult:
        """`actor` as in `move`: some clients (mutt) move by COPY, \\Deleted, EXPUNGE."""
        return await self._db.write(self._copy, folder_id, uids, target_folder_id, actor, undeleted)

    async def move(
        self, folder_id: int, uids: Sequence[int], target_folder_id: int, actor: str = "", undeleted: bool = False
    ) -> CopyResult:
        """`actor`: who acts, for the closing of an exchange by a move to « Conversations closes »."""
        return await self._db.write(self._move, folder_id, uids, target_folder_id, actor, undeleted)

    def _move(
        self,
        tx: Transaction,
        folder_id: int,
        uids: Sequence[int],
        target_folder_id: int,
        actor: str,
        undeleted: bool = False,
    ) -> CopyResult:
        return self._copy(tx, folder_id, uids, target_folder_id, actor, undeleted, leave=False)

    def _copy(
        self,
        tx: Transaction,
        folder_id: int,
        uids: Sequence[int],
        target_folder_id: int,
        actor: str,
        undeleted: bool,
        leave: bool = True,
    ) -> CopyResult:
        """With `leave`, the originals stay and count twice in the quota."""
        source, target = folder_rows.locked(tx, folder_id, target_folder_id)
        if source.box_id != target.box_id:
            raise StoreError("NOPERM", "messages stay inside their mailbox")
        chosen = changing.present(tx, folder_id, uids)
        if not chosen:
            return CopyResult(target.uid_validity, [], [])
        self._tell_closed(tx, target.box_id, bytes(target.name_key), folder_id, chosen, actor)
        tally = changing.tally_of(tx, folder_id, chosen)
        if leave:
            self._charge(tx, target.box_id, tally.size)
        new = changing.copy(tx, folder_id, target, chosen, tally, self._clock() // 1000, undeleted)
        if not leave:
            modseq = folder_rows.by_id(tx.conn, folder_id).highest_modseq + 1
            changing.move_out(tx, folder_id, chosen, tally, modseq)
        return CopyResult(target.uid_validity, chosen, new)

    def _tell_closed(
        self, tx: Transaction, box_id: int, target_key: bytes, folder_id: int, uids: Sequence[int], actor: str
    ) -> None:
        if self._on_closed is None or target_key != folder_rows.name_key(self._keys, box_id, names.CLOSED):
            return
        if exchanges := changing.exchanges_of(tx, folder_id, uids):
            self._on_closed(tx, box_id, exchanges, actor)

    async def expunge(self, folder_id: int, uids: Sequence[int] | None = None) -> list[int]:
        return await self._db.write(self._expunge, folder_id, uids)

    def _expunge(self, tx: Transaction, folder_id: int, uids: Sequence[int] | None) -> list[int]:
        folder = folder_rows.locked(tx, folder_id)[0]
        chosen = changing.present(tx, folder_id, uids, deleted_only=True)
        self._remove(tx, folder_id, folder.box_id, chosen)
        return chosen

    def _remove(self, tx: Transaction, folder_id: int, box_id: int, uids: list[int]) -> None:
        if not uids:
            return
        tally = changing.tally_of(tx, folder_id, uids)
        modseq = folder_rows.by_id(tx.conn, folder_id).highest_modseq + 1
        changing.remove(tx, folder_id, box_id, uids, tally, modseq, self._clock())
        self._boxes.charge(tx, box_id, -tally.size)

    # ---------------------------------------------------------------- quota and changes
    async def quota(self, box_id: int) -> tuple[int, int]:
        return await self._db.read(self._boxes.quota, box_id)

    def watch(self, folder_id: int, wake: Wake) -> Wake:
        return self._folder_watchers.add(folder_id, wake)

    def watch_box(self, box_id: int, wake: Wake) -> Wake:
        return self._box_watchers.add(box_id, wake)

    async def sweep(self) -> int:
        """Removes the blobs that no message points to any more, after their grace; for a daily job. Returns how many."""
        total, more = 0, True
        while more:
            count, more = await self._db.write(sweep, self._blobs, self._clock())
            total += count
        return total

    # ---------------------------------------------------------------- inside
    def _box(self, conn: Connection, folder_id: int) -> int:
        if folder_id not in self._box_of:
            if len(self._box_of) >= KNOWN_FOLDERS:
                self._box_of.clear()
            self._box_of[folder_id] = folder_rows.by_id(conn, folder_id).box_id
        return self._box_of[folder_id]

    def _key(self, conn: Connection, folder_id: int) -> Key:
        return self._boxes.key(conn, self._box(conn, folder_id))

    def _charge(self, tx: Transaction, box_id: int, octets: int) -> None:
        if not self._boxes.charge(tx, box_id, octets):
            raise StoreError("OVERQUOTA", "the mailbox is full")


def counterpart(keys: KeyRing, address: str) -> bytes:
    """How a thread remembers the other side."""
    return keys.lookup("counterpart", address)


def _batches(uids: Sequence[int], size: int) -> list[list[int]]:
    ordered = sorted(set(uids))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]

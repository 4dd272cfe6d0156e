"""Messages into and out of folders: what delivery, APPEND, STORE, COPY, MOVE and EXPUNGE do, each in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from sqlalchemy import Connection

from foundation.audit import Audit
from foundation.blobs import Blobs
from foundation.clock import Clock
from foundation.database import Database, Transaction
from foundation.keys import Key, KeyRing
from mailserver.store import changing, names, reading, team
from mailserver.store import flags as flag_rules
from mailserver.store import folders as folder_rows
from mailserver.store.api import (
    Answer,
    CopyResult,
    Flag,
    FlagOp,
    Flags,
    NewMessage,
    Spool,
    StoreError,
    StoreResult,
)
from mailserver.store.arriving import Arrivals, Ready, short
from mailserver.store.boxes import Boxes
from mailserver.store.columns import Columns
from mailserver.store.digest import Digest
from mailserver.store.insert import Entry, Kept, Place, Thread, counterpart, message_key, own_threads, put, put_all
from mailserver.store.sql_reading import KNOWN_FOLDERS, SqlReading

ClosingHook = Callable[[Transaction, int, list[int], str], None]
"""(tx, box_id, exchange ids, actor): messages were moved to « Conversations closes », in the same transaction."""


class SqlMessages(SqlReading):
    def __init__(
        self,
        db: Database,
        keys: KeyRing,
        blobs: Blobs,
        boxes: Boxes,
        on_closed: ClosingHook | None,
        clock: Clock,
        digest: Callable[[bytes], Digest],
        audit: Audit | None,
    ) -> None:
        super().__init__(db, keys, blobs, boxes)
        self._audit = audit
        self._digest = digest
        self._on_closed = on_closed
        self._clock = clock
        self._arrivals = Arrivals(keys, blobs, digest)
        self._inbox_of: dict[int, int] = {}

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

    def answered_in(self, tx: Transaction, box_id: int, message_id: str, answer: Answer) -> None:
        """A member sent an answer to a message of the team's; to another, nothing is noted."""
        name = message_key(self._keys, message_id)
        if team.known(tx, box_id, name):
            team.note_answer(tx, self._boxes.key(tx.conn, box_id), box_id, name, answer, again=True)

    def sent_copy_in(
        self, tx: Transaction, box_id: int, kept: Kept, blob_id: int, thread: Thread, date: int
    ) -> tuple[int, int]:
        """Into the folder with the special use \\Sent, read; returns (folder id, UID)."""
        folder_id = folder_rows.special(tx.conn, box_id, "\\Sent") or self._inbox(tx.conn, box_id)
        place = Place(box_id, folder_id, self._boxes.key(tx.conn, box_id))
        return folder_id, put(tx, place, kept, blob_id, thread, Flags(Flag.SEEN), date)

    def spool(self, box_id: int, expected: int = 0) -> Spool:
        return self._arrivals.spool(box_id, expected)

    async def append(self, folder_id: int, messages: Sequence[NewMessage], team: bool = False) -> list[int]:
        if team and len(messages) == 1:
            return await asyncio.shield(asyncio.ensure_future(self._append_once(folder_id, messages)))
        return await self._stored(messages, partial(self._append, folder_id=folder_id)) if messages else []

    async def _append_once(self, folder_id: int, messages: Sequence[NewMessage]) -> list[int]:
        """What `sent_copy_in` filed is not stored twice."""
        unused: list[Ready] = []

        def work(tx: Transaction, ready: list[Ready]) -> list[int]:
            unused.clear()
            box_id, name = self._box(tx.conn, folder_id), ready[0].kept.message_key
            uid = None if name is None else team.filed_copy(tx, box_id, name, folder_id)
            if uid is None:
                return self._append(tx, ready, folder_id)
            unused.extend(ready)
            return [uid]

        uids = await self._stored(messages, work)
        for one in unused:
            one.blob.discard()
        return uids

    async def answered(self, folder_id: int, uids: Sequence[int], member: int, actor: str) -> None:
        for some in pieces(uids):
            await self._db.write(self._answered, folder_id, some, member, actor)

    def _answered(self, tx: Transaction, folder_id: int, uids: Sequence[int], member: int, actor: str) -> None:
        box_id, answer = self._box(tx.conn, folder_id), Answer(member, actor, self._clock())
        key = self._boxes.key(tx.conn, box_id)
        for name in self._message_keys(tx.conn, key, folder_id, uids).values():
            team.note_answer(tx, key, box_id, name, answer, again=False)

    async def answers(self, folder_id: int, uids: Sequence[int]) -> dict[int, tuple[Answer, ...]]:
        return await self._db.read(self._answers, folder_id, uids)

    def _answers(self, conn: Connection, folder_id: int, uids: Sequence[int]) -> dict[int, tuple[Answer, ...]]:
        box_id = self._box(conn, folder_id)
        key = self._boxes.key(conn, box_id)
        named = self._message_keys(conn, key, folder_id, uids)
        found = team.answers_to(conn, key, box_id, list(named.values())) if named else {}
        return {uid: found[name] for uid, name in named.items() if name in found}

    def _message_keys(self, conn: Connection, key: Key, folder_id: int, uids: Sequence[int]) -> dict[int, bytes]:
        cards = reading.some_cards(conn, key, folder_id, uids)
        read = {uid: self._digest(card.header).message_id for uid, card in cards}
        return {uid: message_key(self._keys, name) for uid, name in read.items() if name}

    async def replace(self, folder_id: int, uid: int, target_folder_id: int, message: NewMessage, by: int = 0) -> int:
        work = partial(self._replace, folder_id=folder_id, uid=uid, target_folder_id=target_folder_id, by=by)
        return (await self._stored((message,), work))[0]

    async def _stored(
        self, messages: Sequence[NewMessage], work: Callable[[Transaction, list[Ready]], list[int]]
    ) -> list[int]:
        for message in messages:
            flag_rules.check(message.flags)
        if short(messages):
            return await self._to_the_end(messages, work)
        # To its end when the client is lost on the way: cut in the middle, it would leave files that no row names.
        return await asyncio.shield(asyncio.ensure_future(self._to_the_end(messages, work)))

    async def _to_the_end(
        self, messages: Sequence[NewMessage], work: Callable[[Transaction, list[Ready]], list[int]]
    ) -> list[int]:
        ready: list[Ready] = []
        try:
            await self._arrivals.prepared(messages, ready)
            return await self._db.write(work, ready)
        except Exception:
            for one in ready:
                one.blob.discard()
            raise

    def _append(self, tx: Transaction, ready: Sequence[Ready], folder_id: int) -> list[int]:
        box_id = self._box(tx.conn, folder_id)
        place = Place(box_id, folder_id, self._boxes.key(tx.conn, box_id))
        self._charge(tx, box_id, sum(one.kept.size for one in ready), len(ready))
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
        self, tx: Transaction, ready: Sequence[Ready], folder_id: int, uid: int, target_folder_id: int, by: int
    ) -> list[int]:
        """In one mailbox the old one goes first: only what is more counts in the quota (RFC 8508 3.4). In two, the lower number's
        quota is charged first, as in `_carry`."""
        source, target = folder_rows.locked(tx, folder_id, target_folder_id)
        if not changing.present(tx, folder_id, [uid]):
            raise StoreError("EXPUNGEISSUED", "the message is gone")
        if source.box_id <= target.box_id:
            self._remove(tx, folder_id, source.box_id, [uid])
            new = self._append(tx, ready, target_folder_id)
        else:
            new = self._append(tx, ready, target_folder_id)
            self._remove(tx, folder_id, source.box_id, [uid])
        if source.box_id != target.box_id:
            self._crossed(tx, by, source.box_id, target.box_id, messages=1, moved=True)
        return new

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
            self._charge(tx, target.box_id, tally.size, tally.messages)
        new = changing.copy(tx, folder_id, target, chosen, tally, self._clock() // 1000, undeleted)
        if not leave:
            changing.move_out(tx, folder_rows.by_id(tx.conn, folder_id), chosen, tally, self._clock())
        return CopyResult(target.uid_validity, chosen, new)

    def _crossed(self, tx: Transaction, by: int, source: int, target: int, **more: int) -> None:
        if self._audit is not None:
            details = {"from": source, "to": target, **more}
            self._audit.record(tx, "message:mailbox:carry", f"credential {by}", details)

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
        changing.remove(tx, folder_rows.by_id(tx.conn, folder_id), uids, tally, self._clock())
        self._boxes.charge(tx, box_id, -tally.size)

    def _inbox(self, conn: Connection, box_id: int) -> int:
        """INBOX is never renamed nor deleted."""
        if box_id not in self._inbox_of:
            if len(self._inbox_of) >= KNOWN_FOLDERS:
                self._inbox_of.clear()
            self._inbox_of[box_id] = folder_rows.named(conn, self._keys, box_id, names.INBOX).id
        return self._inbox_of[box_id]

    def _charge(self, tx: Transaction, box_id: int, octets: int, messages: int) -> None:
        names.check_messages(folder_rows.messages_in(tx.conn, box_id) + messages)
        if not self._boxes.charge(tx, box_id, octets):
            raise StoreError("OVERQUOTA", "the mailbox is full")


def pieces(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    """For a transaction each."""
    return (uids[start : start + names.CARRIED] for start in range(0, len(uids), names.CARRIED))

"""Changing many messages at once: STORE, COPY, MOVE, EXPUNGE (RFC 9051 6.4, RFC 7162, RFC 6851), as set operations in SQL.

No message is touched one by one. Each command takes one MODSEQ. The folder's row is locked first (`folders.locked`), so that
MODSEQs are committed in their order and the counters add up. UIDs given to `copy`, `move_out` and `remove` exist (`present`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    not_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from foundation.database import Transaction
from foundation.prepared import Prepared
from mailserver.store import flags as flag_rules
from mailserver.store import folders as folder_rows
from mailserver.store import forgetting, sheets
from mailserver.store.api import Flag, FlagOp, Flags, FolderStatus, StoreResult
from mailserver.store.insert import TOPIC
from mailserver.store.keywords import check_room
from mailserver.store.ranges import Chunk, chunks
from mailserver.store.tables import WITH_KEYWORDS, cards, expunged, folders, loose_blobs, messages

_IS_SEEN = messages.c.flags.op("&")(int(Flag.SEEN)) != 0
_OTHER = messages.alias("other")
_OTHERS = select(_OTHER.c.uid).join(folders, folders.c.id == _OTHER.c.folder_id)
_IS_DELETED = messages.c.flags.op("&")(int(Flag.DELETED)) != 0

Statement = Select[Any] | Update
_HERE = messages.c.folder_id == bindparam("folder")
_REFUSED = select(messages.c.uid).where(_HERE, messages.c.modseq > bindparam("limit")).order_by(messages.c.uid)
_KINDS = (
    select(messages.c.flags, messages.c.keywords, func.count())
    .where(_HERE, messages.c.modseq <= bindparam("limit"))
    .group_by(messages.c.flags, messages.c.keywords)
)
_CHANGE = (
    update(messages)
    .where(_HERE, messages.c.modseq <= bindparam("limit"))
    .where(messages.c.flags == bindparam("old_system"), messages.c.keywords == bindparam("old_keywords"))
    .values(flags=bindparam("new_system"), keywords=bindparam("new_keywords"), modseq=bindparam("new_modseq"))
)
_COUNTED = (
    update(folders)
    .where(folders.c.id == bindparam("folder"))
    .values(
        uid_next=folders.c.uid_next + bindparam("new_uids"),
        highest_modseq=bindparam("new_modseq"),
        messages=folders.c.messages + bindparam("more"),
        unseen=folders.c.unseen + bindparam("more_unseen"),
        deleted=folders.c.deleted + bindparam("more_deleted"),
        size=folders.c.size + bindparam("octets"),
    )
)
_GROW = Prepared(_COUNTED)
_SHRINK = Prepared(_COUNTED.values(remembered=folders.c.remembered + bindparam("gone")))
_GROW_STORED = Prepared(_COUNTED.values(flags_modseq=bindparam("new_modseq")))


@dataclass(slots=True)
class Tally:
    """What a set of messages adds to a folder's counters."""

    messages: int = 0
    unseen: int = 0
    deleted: int = 0
    size: int = 0
    with_keywords: int = 0  # among `messages`

    def __neg__(self) -> Tally:
        return Tally(-self.messages, -self.unseen, -self.deleted, -self.size)


def store_flags(
    tx: Transaction, folder_id: int, uids: Sequence[int], op: FlagOp, wish: Flags, unchanged_since: int | None
) -> tuple[StoreResult, FolderStatus]:
    """What happened, and the folder after it."""
    folder = folder_rows.locked(tx, folder_id)[0]
    modseq = folder.highest_modseq + 1
    limit = folder.highest_modseq if unchanged_since is None else unchanged_since
    modified: list[int] = []
    tally, changed = Tally(), False
    for chunk in chunks(uids):
        where = {"folder": folder_id, "limit": limit}
        if unchanged_since is not None:
            modified += [uid for (uid,) in _on(tx, _REFUSED, chunk, where).fetchall()]
        changed |= _apply(tx, chunk, where, op, wish, modseq, tally)
    if changed and wish.keywords and op is not FlagOp.REMOVE:
        check_room(tx, folder_id)
    before = folder_rows.status_of(folder)
    if not changed:
        return StoreResult(before.highest_modseq, before.highest_modseq, modified), before
    grow(tx, folder_id, modseq, tally, stored=True)
    unseen, deleted = before.unseen + tally.unseen, before.deleted + tally.deleted
    after = replace(before, unseen=unseen, deleted=deleted, highest_modseq=modseq)
    return StoreResult(before.highest_modseq, modseq, modified), after


def _apply(
    tx: Transaction, chunk: Chunk, where: dict[str, int], op: FlagOp, wish: Flags, modseq: int, tally: Tally
) -> bool:
    """One UPDATE per distinct set of flags found, there are few; a row once changed has left `where` by its MODSEQ."""
    changed = False
    for system, keywords, number in _on(tx, _KINDS, chunk, where).fetchall():
        before = flag_rules.flags_of(system, keywords)
        after = flag_rules.apply(op, wish, before)
        if after == before:
            continue
        changed = True
        old = {"old_system": system, "old_keywords": keywords}
        keywords_after = flag_rules.keywords_text(after)
        new = {"new_system": int(after.system), "new_keywords": keywords_after, "new_modseq": modseq}
        _on(tx, _CHANGE, chunk, {**where, **old, **new})
        tally.unseen += number * (flag_rules.unseen(after) - flag_rules.unseen(before))
        tally.deleted += number * (flag_rules.deleted(after) - flag_rules.deleted(before))
    return changed


def _on(tx: Transaction, statement: Statement, chunk: Chunk, values: Mapping[str, object]) -> Any:
    """The statement on the messages of `chunk`; a cursor. A range, which clients send most, costs nothing to prepare."""
    if chunk.listed:
        return tx.execute(_listed(statement), {**values, "uids": chunk.listed})
    return _ranged(statement).run(tx.conn, {**values, "first": chunk.first, "last": chunk.last})


@cache
def _ranged(statement: Statement) -> Prepared:
    return Prepared(statement.where(messages.c.uid.between(bindparam("first"), bindparam("last"))))


@cache
def _listed(statement: Statement) -> Statement:
    return statement.where(messages.c.uid.in_(bindparam("uids", expanding=True)))


def present(tx: Transaction, folder_id: int, uids: Sequence[int] | None, deleted_only: bool = False) -> list[int]:
    """Those of `uids` (all when None) that exist, in ascending order."""
    query = select(messages.c.uid).where(messages.c.folder_id == folder_id).order_by(messages.c.uid)
    if deleted_only:
        query = query.where(_IS_DELETED)
    if uids is None:
        return list(tx.execute(query).scalars())
    return [uid for chunk in chunks(uids) for uid in tx.execute(query.where(chunk.holds(messages.c.uid))).scalars()]


def tally_of(tx: Transaction | Connection, folder_id: int, uids: Sequence[int]) -> Tally:
    total = Tally()
    for chunk in chunks(uids):
        query = select(
            func.count(),
            func.sum(case((_IS_SEEN, 0), else_=1)),
            func.sum(case((_IS_DELETED, 1), else_=0)),
            func.sum(messages.c.size),
            func.sum(case((WITH_KEYWORDS, 1), else_=0)),
        ).where(messages.c.folder_id == folder_id, chunk.holds(messages.c.uid))
        count, unseen, gone, size, named = (int(value or 0) for value in tx.execute(query).one())
        total.messages += count
        total.unseen += unseen
        total.deleted += gone
        total.size += size
        total.with_keywords += named
    return total


def exchanges_of(tx: Transaction, folder_id: int, uids: Sequence[int]) -> list[int]:
    """Exchanges that these messages belong to."""
    found: set[int] = set()
    for chunk in chunks(uids):
        query = select(messages.c.exchange_id).distinct()
        query = query.where(messages.c.folder_id == folder_id, chunk.holds(messages.c.uid))
        found.update(tx.execute(query.where(messages.c.exchange_id.is_not(None))).scalars())
    return sorted(found)


def copy(
    tx: Transaction,
    source_id: int,
    target: folder_rows.FolderRow,
    uids: Sequence[int],
    tally: Tally,
    now: int,
    undeleted: bool = False,
) -> list[int]:
    """Copies `uids` to `target`; returns the new UIDs. `now` in seconds. Blobs and cards are shared: same box, same key."""
    modseq, at = target.highest_modseq + 1, target.uid_next
    for chunk in chunks(uids):
        rank = func.row_number().over(order_by=messages.c.uid)
        given = {
            "folder_id": literal(target.id),
            "uid": literal(at - 1) + rank,
            "modseq": literal(modseq),
            "saved_at": literal(now),  # RFC 8514 4.2: of COPY and MOVE too
        }
        if undeleted:
            given["flags"] = messages.c.flags.bitwise_and(int(~Flag.DELETED))
        rows = select(*(given.get(column.name, column) for column in messages.c))
        rows = rows.where(messages.c.folder_id == source_id, chunk.holds(messages.c.uid))
        tx.execute(insert(messages).from_select([column.name for column in messages.c], rows))
        at += chunk.count
    grow(tx, target.id, modseq, replace(tally, deleted=0) if undeleted else tally, new_uids=len(uids))
    if tally.with_keywords:
        check_room(tx, target.id)
    return list(range(target.uid_next, at))


def move_out(tx: Transaction, folder: folder_rows.FolderRow, uids: Sequence[int], tally: Tally, now: int) -> None:
    """Takes `uids` away and remembers them (RFC 7162 VANISHED); they are in another folder of the box already. `now` in ms."""
    for chunk in chunks(uids):
        _take(tx, folder, chunk, now)
    _shrink(tx, folder, tally)


def remove(tx: Transaction, folder: folder_rows.FolderRow, uids: Sequence[int], tally: Tally, now: int) -> None:
    """Like `move_out`, of messages that may have been their blobs' last; `now` in ms, when the blobs' grace begins."""
    folder_id, box_id = folder.id, folder.box_id
    for chunk in chunks(uids):
        here = and_(messages.c.folder_id == folder_id, chunk.holds(messages.c.uid))
        _loosen(tx, select(messages.c.blob_id, literal(now)).distinct().where(here))
        gone = select(messages.c.blob_id).where(here)
        others = _OTHERS.where(_OTHER.c.blob_id == cards.c.blob_id, folders.c.box_id == box_id)
        others = others.where(not_(and_(_OTHER.c.folder_id == folder_id, chunk.holds(_OTHER.c.uid))))
        tx.execute(delete(cards).where(cards.c.box_id == box_id, cards.c.blob_id.in_(gone), ~others.exists()))
        _take(tx, folder, chunk, now)
    _shrink(tx, folder, tally)


def _take(tx: Transaction, folder: folder_rows.FolderRow, chunk: Chunk, now: int) -> None:
    here = and_(messages.c.folder_id == folder.id, chunk.holds(messages.c.uid))
    values = literal(folder.id), literal(folder.highest_modseq + 1), messages.c.uid, literal(forgetting.day(now))
    tx.execute(insert(expunged).from_select(["folder_id", "modseq", "uid", "day"], select(*values).where(here)))
    tx.execute(delete(messages).where(here))
    sheets.unbind(tx, folder.id, chunk)


def _shrink(tx: Transaction, folder: folder_rows.FolderRow, tally: Tally) -> None:
    """The counters after `_take`, and what they say of older expunges."""
    values = _counted(folder.id, folder.highest_modseq + 1, -tally)
    _SHRINK.run(tx.conn, {**values, "gone": tally.messages})
    tx.signal(TOPIC, folder.id)
    forgetting.trim(tx, folder, folder.messages - tally.messages, tally.messages)


def _loosen(tx: Transaction, rows: Select[tuple[int, int]]) -> None:
    columns = ["blob_id", "since"]
    if tx.conn.dialect.name == "sqlite":
        tx.execute(sqlite.insert(loose_blobs).from_select(columns, rows).on_conflict_do_nothing())
    else:
        tx.execute(postgresql.insert(loose_blobs).from_select(columns, rows).on_conflict_do_nothing())


def grow(tx: Transaction, folder_id: int, modseq: int, tally: Tally, new_uids: int = 0, stored: bool = False) -> None:
    """The folder's counters after a change, and the signal that wakes its sessions. `stored`: flags changed."""
    (_GROW_STORED if stored else _GROW).run(tx.conn, _counted(folder_id, modseq, tally, new_uids))
    tx.signal(TOPIC, folder_id)


def _counted(folder_id: int, modseq: int, tally: Tally, new_uids: int = 0) -> dict[str, int]:
    return {
        "folder": folder_id,
        "new_uids": new_uids,
        "new_modseq": modseq,
        "more": tally.messages,
        "more_unseen": tally.unseen,
        "more_deleted": tally.deleted,
        "octets": tally.size,
    }

"""Bell entries: ringing, listing, marking as read. Who may read whose entries is decided by the caller (`may_act_for`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from foundation.database import Transaction
from foundation.keys import KeyRing
from health_space.notices.rules import Kind
from health_space.notices.tables import notices

TOPIC = "notices"


@dataclass(frozen=True, slots=True)
class Notice:
    id: int
    box_id: int
    kind: Kind
    at: int
    read_at: int | None
    mail: str | None  # sent | no_address | not_wanted | failed; None: under way
    target: str  # path of what it is about, "" when it is only a kind


def ring(
    tx: Transaction, keys: KeyRing, box_id: int, kind: Kind, targets: Sequence[str], cause: bytes, now: int
) -> None:
    """One entry per target, or one without; a second call for the same cause adds nothing."""
    if tx.conn.execute(select(notices.c.id).where(notices.c.cause == cause).limit(1)).first() is not None:
        return
    for number, target in enumerate(targets or [""]):
        sealed = keys.registry.seal(target.encode(), _context(box_id)) if target else None
        row = {
            "box_id": box_id,
            "kind": kind.value,
            "at": now,
            "cause": cause,
            "number": number,
            "sealed_target": sealed,
        }
        tx.insert(notices, row)
    tx.signal(TOPIC, box_id)


def note_mail(tx: Transaction, cause: bytes, outcome: str) -> None:
    tx.execute(update(notices).where(notices.c.cause == cause).values(mail=outcome))


def notices_of(
    conn: Connection, keys: KeyRing, box_ids: Sequence[int], limit: int = 50, offset: int = 0, unread_only: bool = False
) -> list[Notice]:
    """The newest first, of all these boxes."""
    query = select(notices).where(notices.c.box_id.in_(box_ids))
    if unread_only:
        query = query.where(notices.c.read_at.is_(None))
    query = query.order_by(notices.c.at.desc(), notices.c.id.desc()).limit(limit).offset(offset)
    return [_notice(keys, row) for row in conn.execute(query).all()]


def find(conn: Connection, keys: KeyRing, box_id: int, notice_id: int) -> Notice | None:
    """One entry of this box; None for any other id."""
    row = conn.execute(select(notices).where(notices.c.box_id == box_id, notices.c.id == notice_id)).first()
    return None if row is None else _notice(keys, row)


def count(conn: Connection, box_ids: Sequence[int]) -> int:
    return conn.execute(select(func.count()).where(notices.c.box_id.in_(box_ids))).scalar_one()


def unread(conn: Connection, box_ids: Sequence[int]) -> int:
    """Number beside the bell."""
    query = select(func.count()).where(notices.c.box_id.in_(box_ids), notices.c.read_at.is_(None))
    return conn.execute(query).scalar_one()


def mark_read(tx: Transaction, box_ids: Sequence[int], now: int, notice_id: int | None = None) -> int:
    """One entry, or all; returns how many became read. An entry of another box is not touched."""
    query = update(notices).where(notices.c.box_id.in_(box_ids), notices.c.read_at.is_(None)).values(read_at=now)
    if notice_id is not None:
        query = query.where(notices.c.id == notice_id)
    return tx.execute(query).rowcount


def mark_oldest_read(tx: Transaction, box_id: int, kind: Kind, number: int, now: int) -> int:
    """For entries that do not say what they are about: `number` things of this kind were seen; returns how many became read."""
    if number < 1:
        return 0
    is_unread = (notices.c.box_id == box_id) & (notices.c.kind == kind.value) & notices.c.read_at.is_(None)
    oldest = select(notices.c.id).where(is_unread).order_by(notices.c.at, notices.c.id).limit(number)
    return tx.execute(update(notices).where(is_unread, notices.c.id.in_(oldest)).values(read_at=now)).rowcount


def unread_about(conn: Connection, keys: KeyRing, box_id: int, kind: Kind, target: str) -> list[int]:
    """Ids of the unread entries that lead to `target`; sealed, so each unread one of this kind is opened."""
    query = select(notices).where(notices.c.box_id == box_id, notices.c.kind == kind.value, notices.c.read_at.is_(None))
    return [row.id for row in conn.execute(query).all() if _notice(keys, row).target == target]


def _notice(keys: KeyRing, row: Any) -> Notice:
    return Notice(
        id=row.id,
        box_id=row.box_id,
        kind=Kind(row.kind),
        at=row.at,
        read_at=row.read_at,
        mail=row.mail,
        target=keys.registry.open(row.sealed_target, _context(row.box_id)).decode() if row.sealed_target else "",
    )


def _context(box_id: int) -> bytes:
    return b"notice %d" % box_id

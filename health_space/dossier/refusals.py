"""Attachments that could not enter the dossier: kept so that the citizen sees them and the sender is told once.

The file stays in its message; only its name, its size and the reason are kept here, sealed under the dossier's key.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from foundation.database import Transaction
from foundation.keys import KeyRing
from health_space.dossier.formats import MAX_BYTES
from health_space.dossier.operations import Dossier, dossier_of, message_key
from health_space.dossier.reasons import sentence
from health_space.dossier.tables import filings


@dataclass(frozen=True, slots=True)
class NewRefusal:
    part: str
    reason: str  # a name of `reasons.ALL`
    size: int
    file_name: str
    sender_name: str
    sender_address: str


@dataclass(frozen=True, slots=True)
class Refusal:
    part: str
    reason: str
    size: int
    at: int
    told_at: int | None
    file_name: str
    sender_name: str
    sender_address: str

    @property
    def sentence(self) -> str:
        """In French, with both figures where the size is at fault."""
        return sentence(self.reason, self.size, MAX_BYTES)


def record_refusals(tx: Transaction, dossier: Dossier, key: bytes, refused: Sequence[NewRefusal], now: int) -> None:
    for new in refused:
        detail = {"file_name": new.file_name, "sender_name": new.sender_name, "sender_address": new.sender_address}
        row = {
            "dossier_id": dossier.id,
            "message_key": key,
            "part": new.part,
            "reason": new.reason,
            "size": new.size,
            "at": now,
            "sealed_detail": dossier.key.seal(
                json.dumps(detail, ensure_ascii=False).encode("utf-8", "replace"), b"refusal" + key
            ),
        }
        tx.execute(insert(filings), row)


def refusals(conn: Connection, dossier: Dossier, key: bytes | None = None, limit: int = 50) -> list[Refusal]:
    """The newest first; of one message when `key` is given."""
    query = select(filings).where(filings.c.dossier_id == dossier.id, filings.c.reason.is_not(None))
    if key is not None:
        query = query.where(filings.c.message_key == key)
    query = query.order_by(filings.c.at.desc(), filings.c.part).limit(limit)
    return [_refusal(dossier, row) for row in conn.execute(query).all()]


def refusals_of(conn: Connection, keys: KeyRing, box_id: int, message: str | None = None) -> list[Refusal]:
    """For pages that know a box and perhaps a message (its `message_name`): what could not be filed, newest first."""
    dossier = dossier_of(conn, keys, box_id)
    if dossier is None:
        return []
    return refusals(conn, dossier, None if message is None else message_key(dossier, message))


def mark_told(tx: Transaction, dossier: Dossier, key: bytes, now: int) -> None:
    """The sender was told of every refusal of this message."""
    ours = (filings.c.dossier_id == dossier.id) & (filings.c.message_key == key) & filings.c.reason.is_not(None)
    tx.execute(update(filings).where(ours, filings.c.told_at.is_(None)).values(told_at=now))


def _refusal(dossier: Dossier, row: Any) -> Refusal:
    detail = json.loads(dossier.key.open(row.sealed_detail, b"refusal" + row.message_key))
    return Refusal(
        part=row.part,
        reason=row.reason,
        size=row.size,
        at=row.at,
        told_at=row.told_at,
        file_name=detail["file_name"],
        sender_name=detail["sender_name"],
        sender_address=detail["sender_address"],
    )

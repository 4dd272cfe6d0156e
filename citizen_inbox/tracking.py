"""What became of a prescription sent to a pharmacy: steps, each with its evidence, never a guess (rules.md section 5).

« Remise »: a row in the pharmacy's mailbox. « Ouverte »: that row has been read by the team. With another operator we say that we
cannot know.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from citizen_inbox import conversations
from citizen_inbox.conversations import Arrival
from citizen_inbox.deps import Deps
from citizen_inbox.tables import sent_prescriptions
from foundation.database import Transaction
from foundation.web import french

_CONTEXT = b"sent prescription"


@dataclass(frozen=True, slots=True)
class Tracked:
    id: int
    document: int
    thread: int | None
    relayed: bool
    sent_at: int
    pharmacy: str
    address: str
    title: str
    phone: str


@dataclass(frozen=True, slots=True)
class Progress:
    """`steps`: (label, when in words, done)."""

    steps: list[tuple[str, str, bool]]
    answered: bool  # the pharmacy wrote back in the conversation


def record(
    tx: Transaction,
    deps: Deps,
    box: int,
    document: int,
    thread: int | None,
    relayed: bool,
    now: int,
    said: dict[str, str],
) -> int:
    """`said`: pharmacy, address, title, phone."""
    sealed = deps.mailboxes.key(tx.conn, box).seal(json.dumps(said).encode(), _CONTEXT)
    row = {
        "box_id": box,
        "document_id": document,
        "thread_id": thread,
        "relayed": relayed,
        "sent_at": now,
        "sealed": sealed,
    }
    return tx.insert(sent_prescriptions, row)


def find(conn: Connection, deps: Deps, box: int, number: int) -> Tracked | None:
    table = sent_prescriptions
    row = conn.execute(select(table).where(table.c.box_id == box, table.c.id == number)).first()
    return None if row is None else _opened(conn, deps, box, row)


def latest(conn: Connection, deps: Deps, box: int, limit: int = 3) -> list[Tracked]:
    table = sent_prescriptions
    query = select(table).where(table.c.box_id == box).order_by(table.c.sent_at.desc(), table.c.id.desc()).limit(limit)
    return [_opened(conn, deps, box, row) for row in conn.execute(query).all()]


def earlier(conn: Connection, deps: Deps, box: int, document: int) -> list[Tracked]:
    """Where this same document was already sent."""
    table = sent_prescriptions
    query = select(table).where(table.c.box_id == box, table.c.document_id == document).order_by(table.c.sent_at)
    return [_opened(conn, deps, box, row) for row in conn.execute(query).all()]


def progress(conn: Connection, box: int, tracked: Tracked) -> Progress:
    places = []
    if tracked.thread is not None:
        places = conversations.thread(conn, conversations.folders_of(conn, box), tracked.thread)
    sent = next((p for p in places if p.mine and p.at >= tracked.sent_at // 1000 * 1000), None)
    arrived = conversations.arrival(conn, sent) if sent else Arrival()
    answers = [p for p in places if not p.mine and p.at >= tracked.sent_at // 1000 * 1000]
    answered_at = answers[0].at if answers else None
    steps = [("Envoyée", _when(tracked.sent_at), True)]
    if tracked.relayed:
        steps.append(("Transmise au service de messagerie de la pharmacie", "", True))
    else:
        steps.append(("Remise à la pharmacie", _when(arrived.at), arrived.at is not None))
        steps.append(("Ouverte par l’équipe", "", arrived.opened))  # IMAP keeps no time of reading
    return Progress([*steps, ("Réponse de la pharmacie", _when(answered_at), bool(answers))], bool(answers))


def _when(at: int | None) -> str:
    return "" if at is None else "le" + french.NBSP + french.date_and_hour(at)


def _opened(conn: Connection, deps: Deps, box: int, row: Any) -> Tracked:
    said = json.loads(deps.mailboxes.key(conn, box).open(row.sealed, _CONTEXT))
    return Tracked(row.id, row.document_id, row.thread_id, row.relayed, row.sent_at, **said)

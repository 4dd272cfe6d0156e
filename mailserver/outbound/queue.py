"""The operator's hands on what waits to leave, and on what is held until its hour: see it, have it tried now, call it off.

A message that a worker is trying at this moment is left alone: its outcome is already on the way. Calling off is a verdict like any
other: the relay job itself tells the sender, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, or_, select, update

from foundation.database import Transaction
from foundation.jobs import TOPIC, Jobs
from foundation.tables import jobs
from mailserver.delivery.traces import Step, Traces
from mailserver.outbound import errand as words
from mailserver.outbound.errand import Errand
from mailserver.outbound.peer import Problem
from mailserver.outbound.report import Told

KIND = "relay"
HELD = "held"  # payload as `Errand` reads it, for recipients here too

CALLED_OFF = Problem(
    "called_off",
    "5.3.0",
    "L’envoi a été annulé par l’exploitant de votre messagerie.",
    "The operator of your mail service called the sending off.",
    permanent=True,
)


class State(Enum):
    WAITING = "waiting"
    HELD = "held"  # until the hour that its sender chose
    RUNNING = "running"
    FAILED = "failed"  # given up without anybody to tell: for the operator


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message for one domain, or one that is held (`domain` is empty); times in milliseconds; `last_reason` is a name without
    personal data.
    """

    id: int
    domain: str
    state: State
    created_at: int
    attempts: int
    next_try: int
    priority: int
    last_reason: str | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which messages an act is about: by number, of a domain, or all (both None)."""

    ids: tuple[int, ...] | None = None
    domain: str | None = None

    def where(self, *kinds: str) -> Any:
        picked: list[ColumnElement[bool]] = [jobs.c.kind.in_(kinds)]
        if self.ids is not None:
            picked.append(jobs.c.id.in_(self.ids))
        if self.domain is not None:
            picked.append(jobs.c.lane == self.domain.lower())
        return and_(*picked)


def listed(conn: Connection, chosen: Chosen, now: int) -> list[Waiting]:
    """In the order in which they are tried: of those that are due, the higher priority goes first."""
    order = (case((jobs.c.due_at > now, jobs.c.due_at), else_=now), jobs.c.priority.desc(), jobs.c.due_at, jobs.c.id)
    return [_waiting(row) for row in conn.execute(select(jobs).where(chosen.where(KIND, HELD)).order_by(*order))]


def shown(conn: Connection, work: Jobs, number: int) -> tuple[Waiting, Errand] | None:
    """One message with its addresses."""
    row = conn.execute(select(jobs).where(Chosen((number,)).where(KIND, HELD))).first()
    return None if row is None else (_waiting(row), Errand.read(work.open(row.kind, row.payload)))


def retry(tx: Transaction, chosen: Chosen, now: int) -> list[int]:
    """Due now, those given up included; the numbers of those it applies to. Not what is held: its hour is the sender's."""
    found = [row.id for row in _resting(tx, chosen, now, KIND)]
    for number in found:
        tx.execute(update(jobs).where(jobs.c.id == number).values(state="waiting", due_at=now, lease_until=0))
    tx.signal(TOPIC, 0)
    return found


def cancel(tx: Transaction, work: Jobs, traces: Traces, chosen: Chosen, now: int, silent: bool) -> list[int]:
    """Never tried again. The sender is told, unless `silent` or unwished (RFC 3461 4.1); verdicts already given stay owed."""
    found = _resting(tx, chosen, now, KIND, HELD)
    for row in found:
        errand = Errand.read(work.open(row.kind, row.payload))
        traces.stepped(tx, errand.blob.name, [Step(now, one.address, "called_off") for one in errand.recipients], now)
        told = () if silent or not errand.reverse_path else tuple(_verdicts(errand))
        if not errand.reports and not told:
            tx.execute(delete(jobs).where(jobs.c.id == row.id))
            continue
        left = replace(errand, recipients=(), reports=errand.reports + told)
        values = {"kind": KIND, "state": "waiting", "due_at": now, "lease_until": 0, "last_reason": CALLED_OFF.name}
        tx.execute(update(jobs).where(jobs.c.id == row.id).values(**values, payload=work.seal(KIND, left.payload())))
    tx.signal(TOPIC, 0)
    return [row.id for row in found]


def _verdicts(errand: Errand) -> list[Told]:
    return [words.failed(one, CALLED_OFF) for one in errand.recipients if words.wants(one, "FAILURE")]


def _resting(tx: Transaction, chosen: Chosen, now: int, *kinds: str) -> Sequence[Any]:
    """Those that no worker holds."""
    free = or_(jobs.c.state != "running", jobs.c.lease_until <= now)
    return tx.execute(select(jobs).where(chosen.where(*kinds), free).order_by(jobs.c.id).with_for_update()).all()


def _waiting(row: Any) -> Waiting:
    held = row.kind == HELD
    state = State.HELD if held and row.state == "waiting" else State(row.state)
    domain = "" if held else row.lane
    return Waiting(row.id, domain, state, row.created_at, row.attempts, row.due_at, row.priority, row.last_reason)

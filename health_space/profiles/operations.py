"""Who may act for whom: a parent for a child, a carer for the person helped (rules.md section 3, FAM-01, FAM-10).

The one question every page asks is `may_act_for`. It does not follow chains: the parent of a carer has no right on the person
helped.
What a carer may not do (other carers, contact data, closure: mes-features.md 2.10) is for the pages that offer it to refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from foundation.database import Transaction
from health_space.profiles.tables import guardianships


class Kind(Enum):
    SELF = "self"
    PARENT = "parent"
    CARER = "carer"


@dataclass(frozen=True, slots=True)
class Profile:
    """A box the signed-in person may act for, and in which quality."""

    box_id: int
    kind: Kind


def may_act_for(conn: Connection, actor_box: int, person_box: int) -> bool:
    """True for one's own box, and for the boxes one is parent or carer of."""
    return actor_box == person_box or _guardianship(conn, actor_box, person_box) is not None


def profiles_of(conn: Connection, actor_box: int) -> list[Profile]:
    """For the header's switch: oneself first, then the others in the order they were added."""
    query = (
        select(guardianships)
        .where(guardianships.c.guardian_box_id == actor_box)
        .order_by(guardianships.c.since_at, guardianships.c.person_box_id)
    )
    return [Profile(actor_box, Kind.SELF)] + [
        Profile(row.person_box_id, Kind(row.kind)) for row in conn.execute(query).all()
    ]


def guardians_of(conn: Connection, person_box: int, kind: Kind | None = None) -> list[int]:
    """Boxes of those who act for the person (all, or of one kind), the oldest first."""
    query = (
        select(guardianships.c.guardian_box_id)
        .where(guardianships.c.person_box_id == person_box)
        .order_by(guardianships.c.since_at, guardianships.c.guardian_box_id)
    )
    if kind is not None:
        query = query.where(guardianships.c.kind == kind.value)
    return list(conn.execute(query).scalars())


def add_guardian(tx: Transaction, guardian_box: int, person_box: int, kind: Kind, now: int) -> None:
    """Adding twice keeps the first date and takes the new kind."""
    if kind is Kind.SELF or guardian_box == person_box:
        raise ValueError("nobody is their own guardian")
    if _guardianship(tx.conn, guardian_box, person_box) is None:
        row = {"guardian_box_id": guardian_box, "person_box_id": person_box, "kind": kind.value, "since_at": now}
        tx.execute(insert(guardianships), row)
    else:
        tx.execute(update(guardianships).where(_pair(guardian_box, person_box)).values(kind=kind.value))


def remove_guardian(tx: Transaction, guardian_box: int, person_box: int) -> None:
    tx.execute(delete(guardianships).where(_pair(guardian_box, person_box)))


def _guardianship(conn: Connection, guardian_box: int, person_box: int) -> str | None:
    return conn.execute(select(guardianships.c.kind).where(_pair(guardian_box, person_box))).scalar()


def _pair(guardian_box: int, person_box: int) -> ColumnElement[bool]:
    return (guardianships.c.guardian_box_id == guardian_box) & (guardianships.c.person_box_id == person_box)

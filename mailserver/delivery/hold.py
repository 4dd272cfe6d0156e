"""Messages that wait for the hour their sender chose (RFC 4865): whose, and how many.

A message is held whole, for recipients here and elsewhere alike; at its hour, `release` takes it on.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from foundation.tables import jobs
from mailserver.delivery.api import Sender
from mailserver.delivery.space import Space
from mssante.reason import Reason
from mssante.reasons import TOO_MANY_HELD

KIND = "held"


def lane(box_id: int) -> str:
    return f"box {box_id}"


def fault(conn: Connection, space: Space, sender: Sender) -> Reason | None:
    """Why this sender may hold no message more (RFC 4865 6): others' mail needs the room too."""
    assert sender.box_id is not None  # only submission takes the wish
    theirs = (jobs.c.kind == KIND, jobs.c.lane == lane(sender.box_id))
    count = conn.execute(select(func.count()).select_from(jobs).where(*theirs)).scalar_one()
    return TOO_MANY_HELD if count >= space.held_messages else None

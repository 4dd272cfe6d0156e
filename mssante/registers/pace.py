"""Requests to a server begin one after the other, at most so many a second, whichever process of ours asks: what it allows is
of the application. Whose turn comes next is a row of the database, for processes may be on several machines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil

from sqlalchemy import case, update

from foundation.clock import MINUTE, SECOND, Clock, system_clock
from foundation.database import Database, Transaction
from mssante.tables import paces
from mssante.upsert import upsert

PER_SECOND = 17  # what the Annuaire Santé allows
STEP = ceil(SECOND / PER_SECOND)  # ms
FAR = MINUTE  # a turn further away was taken before the clock was set back


@dataclass(frozen=True, slots=True)
class Pace:
    """`name`: of the server, up to 64 characters. `clock` is the machine's own: it goes with `sleep`."""

    db: Database
    name: str
    clock: Clock = system_clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def turn(self) -> None:
        """Comes back when the next request may begin."""
        begins = await self.db.write(_taken, self.name, self.clock())
        if (wait := begins - self.clock()) > 0:
            await self.sleep(wait / SECOND)


def _taken(tx: Transaction, name: str, now: int) -> int:
    """When this turn begins (ms); the next one is `STEP` later."""
    upsert(tx, paces, {"name": name, "next_at": 0}, key=("name",), change=())
    begins = case((paces.c.next_at.between(now, now + FAR), paces.c.next_at), else_=now)
    following = update(paces).where(paces.c.name == name).values(next_at=begins + STEP)
    return int(tx.execute(following.returning(paces.c.next_at)).scalar_one()) - STEP

"""At most 17 requests a second to one server, whichever process asks, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from foundation.clock import HOUR, SECOND
from foundation.database import Database
from mssante.registers.pace import Pace

NOW = 1_796_000_000_000


@dataclass
class Process:
    """One that stands still at a moment: how long it was told to wait says when its requests begin."""

    db: Database
    now: int = NOW
    begun: list[int] = field(default_factory=list)

    def pace(self, name: str = "annuaire") -> Pace:
        async def sleep(seconds: float) -> None:
            self.begun.append(self.now + round(seconds * SECOND))

        return Pace(self.db, name, lambda: self.now, sleep)


async def test_two_processes_take_turns(space: Any) -> None:
    other = Database(space.url)
    first, second = Process(space.db), Process(other)
    try:
        await asyncio.gather(*(one.pace().turn() for one in (first, second) for _ in range(20)))
    finally:
        await other.close()
    begun = sorted(first.begun + second.begun)
    assert begun == [NOW + 59 * turn for turn in range(1, 40)]  # the very first waited for nobody
    assert max(sum(start <= one < start + SECOND for one in begun) for start in begun) == 17


async def test_who_asks_seldom_does_not_wait_and_saves_nothing_up(space: Any) -> None:
    one = Process(space.db)
    for later in (0, 60, 10 * SECOND):
        one.now = NOW + later
        await one.pace().turn()
    assert one.begun == []
    await one.pace().turn()
    assert one.begun == [one.now + 59]


async def test_another_server_has_a_pace_of_its_own(space: Any) -> None:
    one = Process(space.db)
    await one.pace().turn()
    await one.pace("another").turn()
    assert one.begun == []


async def test_a_clock_set_back_holds_nobody_up(space: Any) -> None:
    one = Process(space.db)
    await one.pace().turn()
    one.now -= HOUR
    await one.pace().turn()
    assert one.begun == []

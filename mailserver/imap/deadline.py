"""One timer a connection, armed again only when it expires: putting the deadline off costs an addition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Deadline:
    """Calls `expired` once `allow`'s seconds are over; each `allow` replaces the one before."""

    __slots__ = ("_at", "_expired", "_timer")

    def __init__(self, expired: Callable[[], None]) -> None:
        self._expired = expired
        self._at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def allow(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._at = loop.time() + seconds
        if self._timer is None or self._timer.when() > self._at:
            self.cancel()
            self._timer = loop.call_at(self._at, self._ring)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        if loop.time() < self._at:
            self._timer = loop.call_at(self._at, self._ring)
        else:
            self._expired()

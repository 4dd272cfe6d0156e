"""How many connections one client may hold, per door and process."""

from __future__ import annotations

from collections import Counter

from foundation.places import place_of
from mailserver.smtp.limits import Limits


class Guard:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held: Counter[str] = Counter()
        self.total = 0

    def enter(self, client_ip: str) -> bool:
        """False when there is no room; otherwise `leave` must follow once."""
        place = place_of(client_ip)
        if self.total >= self._limits.connections or self._held[place] >= self._limits.connections_per_address:
            return False
        self._held[place] += 1
        self.total += 1
        return True

    def leave(self, client_ip: str) -> None:
        place = place_of(client_ip)
        self.total -= 1
        self._held[place] -= 1
        if not self._held[place]:
            del self._held[place]

"""When to try again, when to tell the sender of a delay, when to stop: pure arithmetic on milliseconds (rules.md section 7)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from foundation.clock import HOUR, MINUTE


@dataclass(frozen=True, slots=True)
class Patience:
    """`waits` after the 1st, 2nd, ... try, the last one for ever; `limit` from the arrival; `urgent_limit` for urgent mail.

    A wait is shortened by up to `spread` of itself, drawn by `chance` (0 to 1): what failed together is not tried together.
    """

    waits: tuple[int, ...] = (1 * MINUTE, 5 * MINUTE, 15 * MINUTE, 60 * MINUTE, 60 * MINUTE)
    notice: int = 15 * MINUTE
    limit: int = 72 * HOUR
    urgent_limit: int = 1 * HOUR
    spread: float = 0.2
    chance: Callable[[], float] = random.random

    def until(self, created_at: int, urgent: bool) -> int:
        return created_at + (self.urgent_limit if urgent else self.limit)

    def wait(self, tries: int, now: int, marks: Iterable[int]) -> int:
        """Milliseconds to the next try after `tries` failed ones; no later than the next of `marks`, when a verdict or a notice is
        due.
        """
        after = int(self.waits[min(tries, len(self.waits)) - 1] * (1 - self.spread * self.chance()))
        return min([after, *(mark - now for mark in marks if mark > now)])

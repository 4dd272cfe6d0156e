"""Expiry alarms: which certificates and revocation lists must be spoken of now. Pure; who is told is the caller's
matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from foundation.clock import DAY

THRESHOLDS = (60, 30, 7, 1)  # days before the end
EXPIRED = 0


@dataclass(frozen=True, slots=True)
class Expiring:
    """Something with an end: `name` is ours ("certificate of the MX door"), `not_after` in ms."""

    name: str
    not_after: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """`threshold` in days (0: over); `days_left` rounded down, negative once over."""

    name: str
    threshold: int
    days_left: int


def threshold(not_after: int, now: int, thresholds: Iterable[int] = THRESHOLDS) -> int | None:
    """The smallest threshold reached, `EXPIRED` once over, None while it is far."""
    if now > not_after:
        return EXPIRED
    return min((days for days in thresholds if not_after - now <= days * DAY), default=None)


def alarms(
    items: Iterable[Expiring], now: int, told: Mapping[str, int], thresholds: Iterable[int] = THRESHOLDS
) -> tuple[Alarm, ...]:
    """What must be said now; `told` gives the last threshold said per name, so each is said once, the nearest only.

    A renewed item has no threshold: the caller forgets its name then (`current` does it).
    """
    limits = tuple(thresholds)
    found = []
    for item in items:
        reached = threshold(item.not_after, now, limits)
        if reached is not None and reached < told.get(item.name, max(limits, default=0) + 1):
            found.append(Alarm(item.name, reached, (item.not_after - now) // DAY))
    return tuple(found)


def current(items: Iterable[Expiring], now: int) -> dict[str, int]:
    """What to keep as `told` for the next time: renewed items are forgotten."""
    reached = ((item.name, threshold(item.not_after, now)) for item in items)
    return {name: days for name, days in reached if days is not None}

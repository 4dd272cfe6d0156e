"""Milliseconds since the epoch (the project's time) to and from the dates of X.509."""

from __future__ import annotations

from datetime import UTC, datetime

from foundation.clock import SECOND


def to_ms(moment: datetime) -> int:
    """`moment` must carry its zone (the `*_utc` properties of cryptography)."""
    return int(moment.timestamp()) * SECOND


def to_datetime(at: int) -> datetime:
    """Whole seconds, as X.509 wants them."""
    return datetime.fromtimestamp(at // SECOND, UTC)

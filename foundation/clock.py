"""Time as an argument (principle 6): a clock is a function that returns milliseconds since the epoch, UTC."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

Clock = Callable[[], int]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def system_clock() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def steady_clock() -> int:
    """Milliseconds since some moment; never set back or forth, unlike the clock on the wall."""
    return time.monotonic_ns() // 1_000_000


def is_synchronised() -> bool:
    """Whether a time daemon keeps this machine's clock right, as the kernel knows it (adjtimex(2): state TIME_ERROR)."""
    only_ask = ctypes.create_string_buffer(512)  # a struct timex, all zero: no modes
    return bool(ctypes.CDLL(None).adjtimex(only_ask) != 5)

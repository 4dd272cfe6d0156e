"""Time as an argument (principle 6): a clock is a function that returns milliseconds since the epoch, UTC."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], int]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_TIME_ERROR = 5  # adjtimex(2)


def system_clock() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def steady_clock() -> int:
    """Milliseconds since some moment; never set back or forth, unlike the clock on the wall."""
    return time.monotonic_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class KernelClock:
    """What the kernel knows of its clock: whether a time daemon keeps it right, and how wrong it may be at most."""

    synchronised: bool
    error_ms: int


class _Timex(ctypes.Structure):
    """The first fields of struct timex, adjtimex(2); `tail`: more than all others."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),  # microseconds
        ("tail", ctypes.c_char * 480),
    )


def kernel_clock() -> KernelClock | None:
    """None where we may not ask (a container, a filter of system calls)."""
    only_ask = _Timex()  # all zero: no modes
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(only_ask))
    return None if state == -1 else KernelClock(state != _TIME_ERROR, only_ask.maxerror // 1000)


def is_synchronised() -> bool:
    """False when the kernel knows that no time daemon keeps this machine's clock right."""
    found = kernel_clock()
    return found is None or found.synchronised

"""One core for each process among several, so that its threads hand the interpreter's lock over where their memory is near.

Its loop and its writer never compute at the same time; on two cores, each hand-over wakes the other one, and what both work on
moves along. Measured with two processes on two cores (docs/performance.md): about a tenth more deliveries a
second, up to a fifth with ten sessions.
What computes for long without the lock, and programs of ours that are started, roam over all cores that the process was given.
A sandbox that forbids these calls costs this speed, nothing else.
"""

from __future__ import annotations

import os
from contextlib import suppress

_given = os.sched_getaffinity(0)


def keep_to_one(number: int) -> None:
    """This thread, and those that it starts, stay on the core whose turn is `number`."""
    cores = sorted(_given)
    with suppress(OSError):
        os.sched_setaffinity(0, {cores[number % len(cores)]})


def roam(program: int = 0) -> None:
    """This thread, or a program of ours by its number, runs again on all that this process was given when it began."""
    with suppress(OSError):
        os.sched_setaffinity(program, _given)

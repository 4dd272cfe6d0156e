"""A small bounded memory of what the database said: least recently used out first, nothing older than its time to live.

The table is the truth. What changed is forgotten by a signal after the commit; the time to live bounds the harm of a lost signal.
A value read before something was forgotten is not kept: it may already be the old one. Safe between threads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """`ttl` in the unit of the `now` that callers give."""

    def __init__(self, size: int, ttl: float) -> None:
        self._size = size
        self._ttl = ttl
        self._entries: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._generation = 0
        self._lock = Lock()

    @property
    def generation(self) -> int:
        return self._generation

    def get(self, key: K, now: float) -> V | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry[1] <= now:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def keep(self, key: K, value: V, now: float, generation: int) -> None:
        """`generation` as it was before the value was read."""
        with self._lock:
            if generation != self._generation:
                return
            self._entries[key] = (value, now + self._ttl)
            self._entries.move_to_end(key)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def forget(self, stale: Callable[[K, V], bool]) -> None:
        with self._lock:
            self._generation += 1
            for key in [key for key, (value, _) in self._entries.items() if stale(key, value)]:
                del self._entries[key]

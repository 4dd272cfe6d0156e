"""Who wants to hear of what: a folder's messages by its id, a box's folders by the box's. A word only; the table is the truth."""

from __future__ import annotations

from collections.abc import Callable

from foundation.signals import ANY

Wake = Callable[[], None]


class Watchers:
    def __init__(self) -> None:
        self._wakes: dict[int, list[Wake]] = {}

    def add(self, key: int, wake: Wake) -> Wake:
        """Returns the undo, that may be called more than once."""
        self._wakes.setdefault(key, []).append(wake)

        def undo() -> None:
            wakes = self._wakes.get(key, [])
            if wake in wakes:
                wakes.remove(wake)
            if not wakes:
                self._wakes.pop(key, None)

        return undo

    def wake(self, key: int) -> None:
        wakes = self._wakes.get(key, ()) if key != ANY else [one for wakes in self._wakes.values() for one in wakes]
        for wake in tuple(wakes):
            wake()

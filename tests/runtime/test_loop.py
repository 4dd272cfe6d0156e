"""The private name of Twisted that `runtime.loop` replaces is still the one that calls every reader and writer; what the collector
looks through."""

from __future__ import annotations

import gc

import pytest
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

from runtime.loop import keep_what_is_there


@pytest.mark.parametrize("way", ["addReader", "addWriter"])
def test_events_are_called_through_the_name_that_is_replaced(way: str) -> None:
    assert "callWithLogger" in getattr(AsyncioSelectorReactor, way).__code__.co_names


def test_faults_of_a_connection_are_caught_below_it() -> None:
    class Broken:
        def fileno(self) -> int:
            return 1

        def doRead(self) -> None:
            raise LookupError

    lost: list[object] = []

    class Reactor(AsyncioSelectorReactor):
        def _disconnectSelectable(self, *facts: object) -> None:
            lost.append(facts[1])  # the selectable, why, whether it was read

    reactor = object.__new__(Reactor)
    reactor._log = type("Log", (), {"failure": lambda self, text: None})()
    reactor._readOrWrite(Broken(), True)  # type: ignore[no-untyped-call]
    assert isinstance(lost[0], LookupError)


def test_what_the_start_made_is_looked_through_no_more() -> None:
    """Only what came since is: with a hundred thousand objects each pass held the loop for as many milliseconds."""
    old = [[number] for number in range(1_000)]
    try:
        keep_what_is_there()
        new = [[number] for number in range(1_000)]
        seen = {id(one) for one in gc.get_objects()}
        assert not any(id(one) in seen for one in old)
        assert all(id(one) in seen for one in new)
    finally:
        gc.unfreeze()

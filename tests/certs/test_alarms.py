"""Expiry alarms: each threshold once, the nearest only, forgotten after renewal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.alarms import EXPIRED, Alarm, Expiring, alarms, current, threshold
from foundation.clock import DAY

NOW = 1_795_000_000_000

THRESHOLDS = [
    (61 * DAY, None),
    (60 * DAY + 1, None),
    (60 * DAY, 60),
    (31 * DAY, 60),
    (30 * DAY, 30),
    (7 * DAY, 7),
    (DAY + 1, 7),
    (DAY, 1),
    (0, 1),
    (-1, EXPIRED),
    (-100 * DAY, EXPIRED),
]


@pytest.mark.parametrize(("left", "reached"), THRESHOLDS)
def test_threshold(left: int, reached: int | None) -> None:
    assert threshold(NOW + left, NOW) == reached


def test_each_threshold_is_said_once() -> None:
    """A daily check over the whole life of a certificate, and its renewal."""
    item, said = Expiring("door", NOW + 70 * DAY), list[tuple[int, int, int]]()
    told = current([item], NOW)
    for day in range(80):
        now = NOW + day * DAY
        said += [(day, alarm.threshold, alarm.days_left) for alarm in alarms([item], now, told)]
        told = current([item], now)
    assert said == [(10, 60, 60), (40, 30, 30), (63, 7, 7), (69, 1, 1), (71, EXPIRED, -1)]
    renewed = Expiring("door", NOW + 1000 * DAY)
    assert alarms([renewed], NOW + 80 * DAY, told) == ()
    told = current([renewed], NOW + 80 * DAY)
    assert alarms([renewed], NOW + 999 * DAY, told) == (Alarm("door", 1, 1),)


def test_a_check_after_a_long_silence_says_only_the_nearest() -> None:
    found = alarms([Expiring("a", NOW + 3 * DAY), Expiring("b", NOW + 90 * DAY)], NOW, {})
    assert found == (Alarm("a", 7, 3),)


@given(st.integers(-200 * DAY, 200 * DAY), st.integers(0, 50 * DAY))
def test_thresholds_only_come_nearer(left: int, later: int) -> None:
    first, second = threshold(NOW + left, NOW), threshold(NOW + left, NOW + later)
    assert (
        second is None
        if first is None and second is None
        else second is not None and second <= (first if first is not None else 60)
    )

"""How many examples a property has: its own number in the everyday profile, in proportion in another (tests/conftest.py)."""

from __future__ import annotations

import hypothesis

EVERYDAY = 100  # Hypothesis's own default


def examples(number: int) -> int:
    return max(1, number * hypothesis.settings().max_examples // EVERYDAY)

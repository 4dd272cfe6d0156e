"""The targets themselves are kept alive: each takes what lies in the repository, and some noise."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

EVERY_SEED = [seed for sown in SEEDS.values() for seed in sown()]


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_every_seed_whole_cut_and_changed(name: str) -> None:
    pick = random.Random(20261129)
    assert len(EVERY_SEED) > 50
    for data in EVERY_SEED:
        TARGETS[name](data)
        TARGETS[name](data[: pick.randrange(len(data))])
        noisy = bytearray(data)
        for _ in range(20):
            noisy[pick.randrange(len(noisy))] = pick.randrange(256)
        TARGETS[name](bytes(noisy))

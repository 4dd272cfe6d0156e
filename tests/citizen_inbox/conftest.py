"""A town whose site runs, and its first reader."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.citizen import Town, open_town
from tests.support.web import Visitor


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Town, str]]:
    """The town and the address of its site."""
    async with open_town(tmp_path) as found:
        yield found


@pytest.fixture
def here(place: tuple[Town, str]) -> Town:
    return place[0]


@pytest.fixture
async def jacqueline(place: tuple[Town, str]) -> Visitor:
    return await place[0].visitor(place[1])

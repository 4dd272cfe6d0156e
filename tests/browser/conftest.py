"""Each test has its own town; Chromium is shared (tests/support/chromium.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.chromium import on_the_loop_of_chromium
from tests.support.citizen import Town, open_town


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_the_loop_of_chromium(items, "browser")


@pytest_asyncio.fixture(loop_scope="session")
async def place(tmp_path: Path) -> AsyncIterator[tuple[Town, str]]:
    async with open_town(tmp_path) as found:
        yield found

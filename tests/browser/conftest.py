"""One headless Chromium for all browser tests of a run; each test has its own context and its own town."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.support.citizen import Town, open_town
from tests.support.web import CHROMIUM_FLAGS


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium, "these tests need Debian's chromium"
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield found
        await found.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Town, str]]:
    async with open_town(tmp_path) as found:
        yield found

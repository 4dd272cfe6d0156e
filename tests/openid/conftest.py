"""One of the tests has a browser: all are on its loop."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.care_desk.office import Office
from tests.openid.real import RealProvider
from tests.support.chromium import on_the_loop_of_chromium
from tests.support.port import a_port
from tests.support.web import serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where Node.js is read from a cold disk by a busy machine it starts in a minute and more."""
    on_the_loop_of_chromium(items, "openid")
    for item in items:
        if "/tests/openid/" in str(item.path):
            item.add_marker(pytest.mark.timeout(300))


@pytest_asyncio.fixture(loop_scope="session")
async def provider() -> AsyncIterator[RealProvider]:
    with a_port() as port:
        yield RealProvider(port)


@pytest_asyncio.fixture(loop_scope="session")
async def origin(office: Office, provider: RealProvider) -> AsyncIterator[str]:
    """The account's pages and the provider, running; `office` is the test's own."""
    async with provider.running(), serving(office.app) as found:
        yield found

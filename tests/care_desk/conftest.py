"""The account's pages of an invented office, over a real socket; `party` is what devices take it for, where they are asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mssante.ceremonies import RelyingParty
from tests.care_desk.office import ACCOUNT, Office
from tests.support.chromium import on_the_loop_of_chromium
from tests.support.web import Visitor, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_the_loop_of_chromium(items, "care_desk")


@pytest.fixture
def party() -> RelyingParty | None:
    return None


@pytest_asyncio.fixture(loop_scope="session")
async def office(tmp_path: Path, party: RelyingParty | None) -> AsyncIterator[Office]:
    made = Office(tmp_path, party)
    yield made
    await made.db.close()


@pytest_asyncio.fixture(loop_scope="session")
async def origin(office: Office) -> AsyncIterator[str]:
    async with serving(office.app) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def camille(office: Office, origin: str) -> Visitor:
    """Signed in."""
    visitor = Visitor(origin)
    assert (await office.enter(visitor)).location == ACCOUNT
    return visitor

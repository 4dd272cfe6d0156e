"""The pages of the dossier on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.health_space.site import Site
from tests.support.clamd import EICAR, clamd  # noqa: F401  a fixture
from tests.support.web import serving


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    yield made
    await made.readers.close()
    await made.db.close()


@pytest.fixture
async def origin(site: Site) -> AsyncIterator[str]:
    async with serving(site.app) as address:
        yield address

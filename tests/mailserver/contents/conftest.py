"""Files opened as the server opens them, in the fenced process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mailserver.contents.opening import Opener, Shut
from tests.mailserver.contents.test_kinds import SCRIPTS

LETTER, SCRIPT = b"%PDF-1.7 " * 100, b"x()"


@pytest.fixture
async def opener() -> AsyncIterator[Opener]:
    made = Opener(workers=1, seconds=60.0)  # on a machine that does much else
    yield made
    await made.close()


async def found(opener: Opener, data: bytes, name: str = "a.bin", scripts: frozenset[str] = SCRIPTS) -> list[str]:
    opened = await opener.open([Shut("2", name, scripts, data)])
    return [f"{one.kind.value}: {one.label}" for one in opened["2", scripts]]

"""Every transcript, whole and byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mailserver.imap.player import Player, Store
from tests.mailserver.store.conftest import sql_parts

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
async def test_whole(path: Path) -> None:
    await Player(path, byte_by_byte=False).play()


@pytest.mark.parametrize(
    "path", [path for path in TRANSCRIPTS if "\nonly: whole\n" not in path.read_text()], ids=lambda path: path.stem
)
async def test_byte_by_byte(path: Path) -> None:
    await Player(path, byte_by_byte=True).play()


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
async def test_on_disk(path: Path, tmp_path: Path) -> None:
    """The same words over the SQL store."""
    parts = None

    async def make() -> Store:
        nonlocal parts
        parts = await sql_parts(f"sqlite:///{tmp_path}/mail.db", tmp_path)
        return parts.store

    try:
        await Player(path, byte_by_byte=False, make=make).play()
    finally:
        if parts is not None:
            await parts.db.close()


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) > 10

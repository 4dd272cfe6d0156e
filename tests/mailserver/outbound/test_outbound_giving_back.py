"""A report that gives a whole message back leaves nothing behind when it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest

from foundation.blob_files import FolderFiles, SealedFile
from foundation.blobs import BlobRef, Blobs
from foundation.database import Database
from mailserver.outbound.giving_back import Accept, GivingBack
from mailserver.outbound.report import Given, Report

CONTENT = b"Subject: x\r\n\r\n" + b"a" * 200_000


class Disk:
    """Where the message is read."""

    async def read(self, _work: Callable[..., Any], _blob: BlobRef, offset: int, length: int) -> bytes:
        return CONTENT[offset : offset + length]


class SlowFiles(FolderFiles):
    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.begun, self.go_on = Event(), Event()

    def create(self) -> SealedFile:
        self.begun.set()
        assert self.go_on.wait(10)
        return super().create()


def draft(header: bytes, *, given: Given, is_ascii: bool | None = None) -> Report:
    assert (header, given, is_ascii) == (b"", Given.MESSAGE, True)
    return Report(b"front", b"back")


def test_a_lost_lease_leaves_no_file(tmp_path: Path) -> None:
    files = SlowFiles(tmp_path)
    desk = GivingBack(cast(Database, Disk()), Blobs(files), cast(Accept, None))

    async def work() -> None:
        copying = asyncio.ensure_future(desk._whole(draft, b"", BlobRef("", b"", len(CONTENT))))
        await asyncio.to_thread(files.begun.wait)
        copying.cancel()
        asyncio.get_running_loop().call_later(0.05, files.go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await copying
        files.go_on.set()

    asyncio.run(work())  # ends when its threads have
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

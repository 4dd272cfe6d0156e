"""Where messages that clients store are read: light ones on the loop, all others beside it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from foundation.blob_files import FolderFiles
from foundation.blobs import Blobs
from foundation.keys import KeyRing
from mailserver.store.api import NewMessage
from mailserver.store.arriving import SHORT, Arrivals, Ready
from mailserver.store.digest import Digest, digest_of
from tests.mailserver.test_mime_weight import HOSTILE, LETTERS


async def off_the_loop(folder: Path, *contents: bytes) -> bool:
    """Whether they were read in another thread; all of them were, in their order."""
    readers: set[int] = set()

    def watched(content: bytes) -> Digest:
        readers.add(threading.get_ident())
        return digest_of(content)

    ready: list[Ready] = []
    await Arrivals(KeyRing(b"k" * 32), Blobs(FolderFiles(folder)), watched).prepared(
        [NewMessage(content) for content in contents], ready
    )
    assert [one.blob.plaintext() for one in ready] == list(contents)
    [reader] = readers
    return reader != threading.get_ident()


@pytest.mark.parametrize("content", LETTERS.values(), ids=LETTERS.keys())
async def test_an_ordinary_letter_needs_no_thread(content: bytes, tmp_path: Path) -> None:
    assert not await off_the_loop(tmp_path, content)


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
async def test_what_is_made_to_be_slow_holds_up_nobody(content: bytes, tmp_path: Path) -> None:
    assert len(content) <= SHORT
    assert await off_the_loop(tmp_path, content)


async def test_many_that_are_light_are_heavy_together(tmp_path: Path) -> None:
    few = b"Content-Type: text/html\r\n\r\n" + b"<p>" * 200
    assert not await off_the_loop(tmp_path, few)
    assert await off_the_loop(tmp_path, few, few, few)

"""SORT and THREAD of a large folder hold what they compare, never the headers it comes from."""

from __future__ import annotations

import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from mailserver.imap import finding
from mailserver.imap.finding import Finder
from mailserver.imap.heads import LONGEST
from mailserver.imap.shelf import Shelf
from mailserver.imap.sorting import Criterion
from mailserver.imap.threads import ALGORITHMS, thread_text
from mailserver.imap.view import FolderView
from mailserver.store.api import Folder, FolderStatus
from mailserver.store.columns import columns_of

MESSAGES = 4_000
MB = 1 << 20


class Heads:
    """A store that gives one kind of head to all messages, nearly as long as is kept."""

    def __init__(self, head: Callable[[int], bytes]) -> None:
        self._head = head

    async def heads(self, folder_id: int, uids: Sequence[int]) -> list[tuple[int, bytes]]:
        return [(uid, self._head(uid)) for uid in uids]


def finder(head: Callable[[int], bytes], messages: int = MESSAGES) -> Finder:
    status = FolderStatus(messages, 0, 0, messages + 1, 1, 2, 0)
    columns = columns_of(status, [(uid, 2, 0, "", uid, 100) for uid in range(1, messages + 1)])
    store: Any = Heads(head)
    return Finder(store, Shelf(room=1), FolderView(Folder(1, 1, "INBOX", 1), False, columns))


async def peak(work: Awaitable[Any]) -> int:
    """Octets that it took on the way."""
    tracemalloc.start()
    try:
        await work
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def padded(line: bytes) -> bytes:
    return line + b"\nto: " + b"x" * (LONGEST - len(line) - 10)


async def test_sort_holds_the_keys() -> None:
    """31 MB of heads."""
    made = finder(lambda uid: padded(b"subject: %d" % (uid * 7_919 % MESSAGES)))
    found: list[int] = []

    async def work() -> None:
        found.extend(await made.ordered(range(MESSAGES), (Criterion(b"SUBJECT"), Criterion(b"FROM"))))

    assert await peak(work()) < 20 * MB
    assert found == sorted(range(MESSAGES), key=lambda index: str((index + 1) * 7_919 % MESSAGES))


@pytest.mark.parametrize("name", [b"DISPLAYFROM", b"SUBJECT", b"TO"])
async def test_a_key_is_short_whatever_a_sender_wrote(name: bytes) -> None:
    long = b"y" * (LONGEST // 2)
    made = finder(lambda uid: b"subject: %d %b\nfrom: %b <a@x>\nto: %b <a@x>" % (uid, long, long, long))
    assert await peak(made.ordered(range(MESSAGES), (Criterion(name),))) < 28 * MB


async def test_of_a_large_folder_the_beginnings_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "KEYS_IN_ALL", 1)
    made = finder(lambda uid: b"subject: " + b"z" * (99 + uid % 2) + b"%d" % (9 - uid), messages=9)
    assert await made.ordered(range(9), (Criterion(b"SUBJECT"),)) == [7, 5, 3, 1, 0, 2, 4, 6, 8]


async def test_thread_holds_no_text() -> None:
    """Hostile: each names a hundred others that nobody knows, in 31 MB of heads."""
    made = finder(
        lambda uid: padded(b"references:" + b"".join(b" <%07d.%02d@x.example>" % (uid, one) for one in range(100)))
    )

    async def work() -> None:
        letters = await made.letters(range(1, MESSAGES + 1), range(MESSAGES))
        assert all(len(letter.references) == 100 for letter in letters)

    assert await peak(work()) < 20 * MB


async def test_of_a_large_folder_the_nearest_references_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of 40: each message names all those before it."""
    monkeypatch.setattr(finding, "NAMES_IN_ALL", 40)

    def head(uid: int) -> bytes:
        before = b" ".join(b"<%d@x.example>" % one for one in range(1, uid))
        return b"message-id: <%d@x.example>\nreferences: %b" % (uid, before)

    letters = await finder(head, messages=40).letters(range(1, 41), range(40))
    assert max(len(letter.references) for letter in letters) == finding.FEWEST
    assert thread_text(ALGORITHMS[b"REFS"](letters)) == b"(%b)" % b" ".join(b"%d" % one for one in range(1, 41))

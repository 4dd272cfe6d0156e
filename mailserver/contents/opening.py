"""Attachments that only opening shows, opened in processes of their own: what is worth a word in them, in a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from foundation.fenced import WORKERS, Fenced, Patience
from mailserver.contents.kinds import Found, Kind, unreadable

PROGRAM = Path(__file__).with_name("worker.py")
SECONDS = 10.0  # for all files of one message; an archive of documents takes some milliseconds
LABEL_MOST = 200  # characters
LIBRARY = {"LIBARCHIVE": "libarchive.so.13"}  # its name, so that nobody has to look for it


@dataclass(frozen=True, slots=True)
class Shut:
    """One of them, decoded; `section` in its message."""

    section: str
    name: str
    scripts: frozenset[str]
    content: bytes


Opened = dict[tuple[str, frozenset[str]], list[Found]]  # by section and scripts


class Opener:
    """`close()` ends the processes; there are none before the first file."""

    def __init__(self, workers: int = WORKERS, seconds: float = SECONDS) -> None:
        self._pool = Fenced(PROGRAM, workers, seconds, LIBRARY)
        self._seconds = seconds
        self._turns: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def open(self, files: Sequence[Shut], whose: Hashable = None) -> Opened:
        """What took too long, or too much, is unreadable. One message of each sender at a time: who sends many that are slow waits
        for themselves, and a process stays for the others."""
        patience = Patience(self._seconds)
        async with self._turns.setdefault(whose, asyncio.Lock()):
            return {(file.section, file.scripts): await self._found(file, patience) for file in files}

    async def close(self) -> None:
        await self._pool.close()

    async def _found(self, file: Shut, patience: Patience) -> list[Found]:
        head = {"name": file.name, "scripts": sorted(file.scripts)}
        answer = await self._pool.ask(head, file.content, patience)
        found = None if answer is None else _told(answer[0].get("found"))
        return [unreadable("archive")] if found is None else found


def _told(found: Any) -> list[Found] | None:
    """None: nothing that our program says. Labels go into replies and pages."""
    try:
        told = [Found(Kind(kind), label) for kind, label in found]
    except (TypeError, ValueError):
        return None
    labels = [one.label for one in told]
    fit = all(isinstance(label, str) and label.isprintable() and len(label) <= LABEL_MOST for label in labels)
    return told if fit else None

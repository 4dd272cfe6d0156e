"""One suite, three stores: memory, SQLite, and a PostgreSQL that the tests start themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from foundation.blob_files import FolderFiles
from foundation.blobs import Blobs
from foundation.database import Database, Transaction, metadata
from foundation.keys import Key, KeyRing
from mailserver.store.memory import MemoryMailStore
from mailserver.store.sql import SqlMailStore

BOX, OTHER_BOX = 1, 2
QUOTA = 1_000_000


class FixedBoxes:
    """Boxes with fixed keys; what is used is counted here, and put back by nobody: enough for one test."""

    def __init__(self, limit: int = QUOTA) -> None:
        self.limit = limit
        self.limits: dict[int, int] = {}
        self.used: defaultdict[int, int] = defaultdict(int)

    def key(self, conn: Connection, box_id: int) -> Key:
        return Key(box_id.to_bytes(32, "big"))

    def address(self, conn: Connection, box_id: int) -> str:
        return f"box{box_id}@space.example"

    def quota(self, conn: Connection, box_id: int) -> tuple[int, int]:
        return self.used[box_id], self.limits.get(box_id, self.limit)

    def set_quota(self, tx: Transaction, box_id: int, octets: int) -> None:
        self.limits[box_id] = octets

    def charge(self, tx: Transaction, box_id: int, octets: int) -> bool:
        if octets > 0 and self.used[box_id] + octets > self.limits.get(box_id, self.limit):
            return False
        self.used[box_id] += octets
        return True


@dataclass
class SqlParts:
    """What tests of the SQL store alone look behind."""

    db: Database
    keys: KeyRing
    blobs: Blobs
    boxes: FixedBoxes
    store: SqlMailStore
    folder: Path
    closed: list[tuple[int, list[int], str]]


def clock() -> int:
    return 1_800_000_000_000


async def sql_parts(url: str, folder: Path) -> SqlParts:
    made = quiet_parts(url, folder)
    await made.db.start()
    return made


def quiet_parts(url: str, folder: Path) -> SqlParts:
    """Not listening to signals: belongs to no event loop."""
    db = Database(url)
    if url.startswith("sqlite"):
        with db.engine.begin() as conn:
            metadata.create_all(conn)
    keys, blobs, boxes = KeyRing(b"k" * 32), Blobs(FolderFiles(folder / "blobs")), FixedBoxes()
    closed: list[tuple[int, list[int], str]] = []

    def on_closed(tx: Transaction, box_id: int, exchanges: list[int], actor: str) -> None:
        closed.append((box_id, exchanges, actor))

    store = SqlMailStore(db, keys, blobs, boxes, on_closed=on_closed, clock=clock)
    return SqlParts(db, keys, blobs, boxes, store, folder, closed)


@pytest.fixture(params=["sqlite", "postgresql"])
async def parts(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlParts]:
    url = f"sqlite:///{tmp_path}/mail.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    made = await sql_parts(url, tmp_path)
    await made.store.open_box(BOX, professional=True)
    yield made
    await made.db.close()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """A store with the default folders of two boxes."""
    db = None
    if request.param == "memory":
        made: Any = MemoryMailStore(limit=QUOTA, clock=lambda: clock() // 1000)
    else:
        sqlite = f"sqlite:///{tmp_path}/mail.db"
        url = sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url")
        parts = await sql_parts(url, tmp_path)
        made, db = parts.store, parts.db
    await made.open_box(BOX, professional=True)
    await made.open_box(OTHER_BOX)
    yield made
    if db is not None:
        await db.close()

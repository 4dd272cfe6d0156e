"""A database of the trust space, on SQLite and on PostgreSQL; with shorthands for mailboxes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foundation.database import Database, metadata
from foundation.keys import KeyRing
from mssante.exchanges import Exchanges
from mssante.identity import demo_ins
from mssante.kinds import BoxKind, ProfileState
from mssante.mailbox import Holder, Mailbox, NewMailbox
from mssante.mailboxes import Mailboxes


@dataclass
class Space:
    """One operator: `url` lets a test open it again, as another process would."""

    url: str
    db: Database
    keys: KeyRing
    boxes: Mailboxes
    exchanges: Exchanges

    async def box(self, address: str, kind: BoxKind = BoxKind.PER, **values: Any) -> Mailbox:
        return await self.db.write(self.boxes.create, NewMailbox(address, kind, **values), 1_000)

    async def citizen(self, serial: int = 1, profile: ProfileState = ProfileState.ACTIVATED) -> Mailbox:
        address = f"{demo_ins(serial).value}@patient.example"
        return await self.box(address, BoxKind.CIT, profile=profile, holder=Holder("Jacqueline Morel"))


@pytest.fixture(params=["sqlite", "postgresql"])
async def space(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Space]:
    sqlite = f"sqlite:///{tmp_path}/space.db"
    url = sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    db = Database(url)
    metadata.create_all(db.engine)
    await db.start()
    keys = KeyRing(b"k" * 32)
    boxes = Mailboxes(keys)
    boxes.listen(db)
    yield Space(url, db, keys, boxes, Exchanges(keys, boxes))
    await db.close()

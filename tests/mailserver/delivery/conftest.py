"""A small space: one operator with its mailboxes, a second one only named in the trust list."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from foundation.audit import Audit
from foundation.blob_files import FolderFiles
from foundation.blobs import Blobs
from foundation.database import Database, Transaction, metadata
from foundation.jobs import Jobs
from foundation.keys import KeyRing
from foundation.tables import jobs as job_rows
from mailserver.delivery.accept import Delivery
from mailserver.delivery.api import Door, Envelope, Outcome, Recipient, Sender
from mailserver.delivery.closing_by_folder import closing_hook
from mailserver.delivery.notices import promise_filling
from mailserver.delivery.space import Space
from mailserver.store.api import Folder, Row
from mailserver.store.sql import SqlMailStore
from mssante import directory
from mssante.credential_rows import CredentialRows
from mssante.exchanges import Exchange, Exchanges
from mssante.kinds import BoxKind, ProfileState
from mssante.mailbox import Holder, NewMailbox
from mssante.mailboxes import Mailboxes
from mssante.operators import Operator
from mssante.sent_for_later import StillSends

START = 1_800_000_000_000
DOCTOR, SERVICE, PHARMACY = "dr.martin@cabinet.example", "cardio@cabinet.example", "officine@cabinet.example"
CITIZEN, CHILD = "279035121518989@patient.example", "185127512345688@patient.example"
PEER = "dr.loin@hopital.example"  # another operator's
TRUSTED = frozenset({"cabinet.example", "patient.example", "hopital.example", "labo.example"})


@dataclass
class World:
    """One operator, running; `ids` by address."""

    space: Space
    delivery: Delivery
    folder: Path
    now: int = START
    ids: dict[str, int] = field(default_factory=dict)

    # ------------------------------------------------------------ sending
    def sender(self, address: str) -> Sender:
        """The door that this address stands behind."""
        if address in self.ids:
            door = Door.WEB if "@patient." in address else Door.SUBMISSION
            return Sender(door, box_id=self.ids[address])
        if not address:
            return Sender(Door.MX, peer_domains=TRUSTED)
        return Sender(Door.MX, peer_domains=frozenset({address.partition("@")[2]}))

    async def send(
        self,
        sender: str,
        to: str | Sequence[str | Recipient],
        content: bytes,
        *,
        reverse_path: str | None = None,
        **more: Any,
    ) -> Outcome:
        names = [to] if isinstance(to, str) else to
        recipients = tuple(name if isinstance(name, Recipient) else Recipient(name) for name in names)
        who = more.pop("who", None) or self.sender(sender)
        envelope = Envelope(who, sender if reverse_path is None else reverse_path, recipients, **more)
        return await self.delivery.accept(envelope, self.space.blobs.prepare(content))

    # ------------------------------------------------------------ looking
    async def folders(self, address: str) -> dict[str, Folder]:
        return {folder.name: folder for folder in await self.space.store.folders(self.ids[address])}

    async def rows(self, address: str, folder: str = "INBOX") -> list[Row]:
        return (await self.space.store.rows((await self.folders(address))[folder].id))[1]

    async def last(self, address: str, folder: str = "INBOX") -> bytes:
        rows = await self.rows(address, folder)
        content = await self.space.store.content((await self.folders(address))[folder].id, rows[-1].uid)
        assert content is not None
        return content

    async def exchange(self, citizen: str, contact: str) -> Exchange | None:
        return await self.space.db.read(self.space.exchanges.get, self.ids[citizen], contact)

    async def jobs(self, *kinds: str) -> list[tuple[str, dict[str, Any]]]:
        """(kind, payload) of what is owed, in order."""
        rows = await self.space.db.read(lambda conn: conn.execute(select(job_rows).order_by(job_rows.c.id)).all())
        opened = [
            (row.kind, json.loads(self.space.keys.registry.open(row.payload, b"job " + row.kind.encode())))
            for row in rows
        ]
        return [job for job in opened if not kinds or job[0] in kinds]


def mail(
    sender: str,
    to: str,
    subject: str = "Bonjour",
    text: str = "Texte",
    ident: str = "m1",
    more: tuple[str, ...] = (),
) -> bytes:
    lines = [
        f"From: Docteur <{sender}>",
        f"To: <{to}>",
        f"Subject: {subject}",
        f"Message-ID: <{ident}@x.example>",
        "Date: Thu, 12 Nov 2026 09:40:00 +0100",
        *more,
    ]
    return "\r\n".join([*lines, "Content-Type: text/plain; charset=utf-8", "", text, ""]).encode()


def people() -> list[NewMailbox]:
    per = Holder(display_name="Dr Claire Martin", profession="Médecin généraliste")
    return [
        NewMailbox(DOCTOR, BoxKind.PER, per),
        NewMailbox(SERVICE, BoxKind.ORG, Holder(display_name="Cardiologie")),
        NewMailbox(PHARMACY, BoxKind.ORG, Holder(display_name="Pharmacie du Pont"), sector="SA33"),
        NewMailbox(CITIZEN, BoxKind.CIT, Holder(display_name="Jacqueline"), profile=ProfileState.ACTIVATED),
        NewMailbox(CHILD, BoxKind.CIT, Holder(display_name="Louise"), profile=ProfileState.NOT_ACTIVATED),
    ]


async def make_world(url: str, folder: Path) -> World:
    db = Database(url)
    if url.startswith("sqlite"):
        with db.engine.begin() as conn:
            metadata.create_all(conn)
    await db.start()
    world: World

    def clock() -> int:
        return world.now

    keys, blobs = KeyRing(b"k" * 32), Blobs(FolderFiles(folder / "blobs"), clock)
    jobs = Jobs(db, keys, clock)
    boxes, audit = Mailboxes(keys, on_mark=promise_filling(jobs)), Audit(clock)
    boxes.listen(db)
    exchanges = Exchanges(keys, boxes)
    store = SqlMailStore(db, keys, blobs, boxes, on_closed=closing_hook(boxes, exchanges, audit, clock), clock=clock)
    domains = frozenset({"cabinet.example", "maison.example", "patient.example"})
    operator = Operator("mail.cabinet.example", domains, "patient.example")
    space = Space(
        db=db,
        keys=keys,
        blobs=blobs,
        store=store,
        mailboxes=boxes,
        exchanges=exchanges,
        operator=operator,
        trusted=TRUSTED.__contains__,
        jobs=jobs,
        audit=audit,
        clock=clock,
        product_number="PRODUIT-42",
        postmaster="postmaster@cabinet.example",
        may_send=StillSends(CredentialRows(keys, boxes), boxes),
    )
    world = World(space, Delivery(space), folder)

    def populate(tx: Transaction) -> None:
        for new in people():
            box = boxes.create(tx, new, START)
            world.ids[new.address] = box.id
            store.open_box_in(tx, box.id, professional=new.kind is not BoxKind.CIT)
        directory.add(tx, keys, directory.Entry(PHARMACY, BoxKind.ORG, "Pharmacie du Pont", sector="SA33"))

    await db.write(populate)
    return world


@pytest.fixture(params=["sqlite", "postgresql"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    url = f"sqlite:///{tmp_path}/mail.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    made = await make_world(url, tmp_path)
    yield made
    await made.space.db.close()

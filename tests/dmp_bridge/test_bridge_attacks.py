"""Attachments sent to keep the readers busy: one message has a bounded share of the workers' time."""

from __future__ import annotations

import os
import time
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from dmp_bridge import filing
from dmp_bridge.answers import Identity
from dmp_bridge.filing import Filer
from foundation.audit import Audit
from foundation.blob_files import FolderFiles
from foundation.blobs import Blobs, PreparedBlob
from foundation.database import Database, metadata
from foundation.jobs import Done, Job, Jobs
from foundation.keys import KeyRing
from health_space.dossier.readers import Readers
from health_space.dossier.tables import filings
from mailserver.delivery.api import Envelope, Fate, Outcome, Verdict
from mailserver.store.api import NewMessage
from mailserver.store.memory import MemoryMailStore

NOW = 1_778_000_000_000


def slow_pdf(depth: int = 9, wide: int = 10) -> bytes:
    """2 KB that draw a thousand million lines: each form draws the next one ten times."""
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</XObject<</F 5 0 R>>>>>>",
        stream("", "/F Do " * wide),
    ]
    for level in range(depth):
        inner = f"/Resources<</XObject<</F {6 + level} 0 R>>>>" if level < depth - 1 else ""
        draws = "/F Do " * wide if inner else "0 0 m 200 200 l S"
        objects.append(stream(f"/Type/XObject/Subtype/Form/BBox[0 0 200 200]{inner}", draws))
    body = "".join(f"{number} 0 obj\n{one}\nendobj\n" for number, one in enumerate(objects, 1))
    return f"%PDF-1.4\n{body}trailer<</Size {len(objects) + 1}/Root 1 0 R>>\n%%EOF".encode()


def stream(entries: str, content: str) -> str:
    return f"<<{entries}/Length {len(content)}>>stream\n{content}\nendstream"


class Nobody:
    """The door out."""

    async def judge(self, *_: object) -> Verdict:
        raise AssertionError

    async def room_to_hold(self, _: object) -> None:
        raise AssertionError

    async def accept(self, envelope: Envelope, content: PreparedBlob) -> Outcome:
        return Outcome((Verdict(envelope.recipients[0].address, Fate.DELIVERED),), "id")


def address(_: Connection, box_id: int) -> str:
    return "246017512345678@patient.example"


async def test_many_slow_files_have_one_share_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filing, "READING", 1.0)
    db, keys, store = Database(f"sqlite:///{tmp_path}/db.sqlite"), KeyRing(os.urandom(32)), MemoryMailStore()
    metadata.create_all(db.engine)
    readers = Readers(workers=1, seconds=2.0)
    blobs, identity = Blobs(FolderFiles(tmp_path / "blobs")), Identity("Espace", "p@patient.example", "1")
    filer = Filer(
        db, keys, blobs, Jobs(db, keys), Audit(), store, Nobody(), readers, address, identity, clock=lambda: NOW
    )
    message = EmailMessage(policy=SMTP)
    message["From"], message["Message-ID"] = "dr@cabinet.example", "<m@cabinet.example>"
    message.set_content("Bonjour")
    for number in range(20):
        message.add_attachment(slow_pdf(), maintype="application", subtype="pdf", filename=f"{number}.pdf")
    message.add_attachment("Une note.", filename="note.txt")
    await store.open_box(80)
    inbox = next(folder for folder in await store.folders(80) if folder.name == "INBOX")
    [uid] = await store.append(inbox.id, [NewMessage(message.as_bytes())])
    started = time.monotonic()
    answer = await filer({"box_id": 80, "folder_id": inbox.id, "uid": uid}, Job(1, "file", 1, NOW, NOW))
    took = time.monotonic() - started
    assert answer == Done()
    assert took < 15, "twenty times two seconds without the share"
    settled = await db.read(lambda conn: conn.execute(select(func.count()).select_from(filings)).scalar_one())
    assert settled == 21, "each attachment has its verdict; the text needs no worker and is filed"
    await readers.close()
    await db.close()

"""The bridge on a real database, blob folder, worker process and mail store in memory; only the door out is recorded."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Connection, select

from dmp_bridge.answers import Identity
from dmp_bridge.filing import Filer
from foundation.audit import Audit, verify
from foundation.blob_files import FolderFiles
from foundation.blobs import Blobs, PreparedBlob
from foundation.clock import HOUR
from foundation.database import Database, metadata
from foundation.jobs import Done, Job, Jobs, Retry
from foundation.keys import KeyRing
from foundation.tables import audit as audit_table
from health_space.dossier import operations as dossiers
from health_space.dossier import refusals
from health_space.dossier.operations import Document
from health_space.dossier.readers import Readers
from mailserver.delivery.api import Door, Envelope, Fate, Outcome, Verdict
from mailserver.store.api import NewMessage
from mailserver.store.memory import MemoryMailStore
from mssante import directory
from mssante.kinds import BoxKind
from mssante.reason import Reason
from tests.support import files

JACQUELINE, CLOSED = 80, 81
ADDRESS = "246017512345678@patient.example"
RECEIVED = 1_778_000_000_000  # 5 May 2026


class Door0:
    """Records what would leave; `judge` is never asked here."""

    def __init__(self) -> None:
        self.accepted: list[tuple[Envelope, bytes]] = []
        self.failing = False
        self.refusing: Reason | None = None

    async def judge(self, *_: object) -> Verdict:
        raise AssertionError("a notice of ours is not announced")

    async def room_to_hold(self, _: object) -> Reason | None:
        raise AssertionError("nor held")

    async def accept(self, envelope: Envelope, content: PreparedBlob) -> Outcome:
        if self.failing:
            raise ConnectionError("no door")
        if self.refusing is not None:
            return Outcome((Verdict(envelope.recipients[0].address, Fate.REFUSED, self.refusing),), "id")
        self.accepted.append((envelope, content.plaintext()))
        return Outcome((Verdict(envelope.recipients[0].address, Fate.DELIVERED),), "id")


class Bridge:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.db = Database(f"sqlite:///{root}/db.sqlite")
        metadata.create_all(self.db.engine)
        self.keys = KeyRing(os.urandom(32))
        self.blobs = Blobs(FolderFiles(root / "blobs"))
        self.jobs = Jobs(self.db, self.keys)
        self.store = MemoryMailStore()
        self.door = Door0()
        self.readers = Readers(workers=1, seconds=10)
        self.rings: list[dict[str, object]] = []
        self.jobs.handle("notify", self._ring)
        identity = Identity("Espace santé", "postmaster@patient.example", "123456")
        self.filer = Filer(
            self.db,
            self.keys,
            self.blobs,
            self.jobs,
            Audit(),
            self.store,
            self.door,
            self.readers,
            self._address,
            identity,
            clock=lambda: RECEIVED,
        )

    def _address(self, _: Connection, box_id: int) -> str | None:
        return ADDRESS if box_id == JACQUELINE else None

    async def _ring(self, payload: dict[str, object], _: Job) -> Done:
        self.rings.append(payload)
        return Done()

    async def deliver(self, message: EmailMessage | bytes, box_id: int = JACQUELINE) -> dict[str, int]:
        content = message if isinstance(message, bytes) else message.as_bytes(policy=policy.SMTP)
        await self.store.open_box(box_id)
        inbox = next(f for f in await self.store.folders(box_id) if f.name == "INBOX")
        [uid] = await self.store.append(inbox.id, [NewMessage(content)])
        return {"box_id": box_id, "folder_id": inbox.id, "uid": uid}

    async def file(self, message: EmailMessage | bytes, box_id: int = JACQUELINE) -> dict[str, int]:
        payload = await self.deliver(message, box_id)
        assert await self.filer(payload, Job(1, "file", 1, RECEIVED, RECEIVED)) == Done()
        await self.jobs.drain()
        return payload

    async def again(self, payload: dict[str, int]) -> None:
        assert await self.filer(payload, Job(1, "file", 2, RECEIVED, RECEIVED)) == Done()
        await self.jobs.drain()

    async def documents(self) -> list[Document]:
        dossier = await self.db.read(dossiers.dossier_of, self.keys, JACQUELINE)
        return [] if dossier is None else await self.db.read(dossiers.documents_in, dossier)

    async def refused(self) -> list[refusals.Refusal]:
        return await self.db.read(refusals.refusals_of, self.keys, JACQUELINE)


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    made = Bridge(tmp_path)
    yield made
    await made.readers.close()
    await made.db.close()


def letter(subject: str = "Votre consultation") -> EmailMessage:
    message = EmailMessage()
    message["Return-Path"] = "<a.diallo@cabinet.example>"
    message["From"] = "Dr Amélie Diallo <a.diallo@cabinet.example>"
    message["To"] = ADDRESS
    message["Subject"] = subject
    message["Date"] = "Sun, 03 May 2026 23:30:00 +0200"
    message["Message-ID"] = "<one@cabinet.example>"
    message.set_content("Bonjour,\nvoici votre ordonnance.\n")
    return message


def attach(message: EmailMessage, data: bytes, name: str, kind: str = "application/octet-stream", **more: Any) -> None:
    maintype, subtype = kind.split("/")
    message.add_attachment(data, maintype=maintype, subtype=subtype, filename=name, **more)


async def test_attachments_are_filed_with_author_and_date(bridge: Bridge) -> None:
    message = letter()
    attach(message, files.pdf(), "Ordonnance_mai.pdf")
    attach(message, files.png(), "IMG_0042.png")
    attach(message, "Compte rendu à conserver".encode("cp1252"), "compte rendu.txt")
    await bridge.file(message)
    found = {d.title: d for d in await bridge.documents()}
    assert set(found) == {"Ordonnance mai", "Votre consultation", "compte rendu"}
    ordonnance = found["Ordonnance mai"]
    assert (ordonnance.author_name, ordonnance.author_address) == ("Dr Amélie Diallo", "a.diallo@cabinet.example")
    assert ordonnance.act_date == date(2026, 5, 3)  # as the sender's clock said
    assert ordonnance.category == "ORD_SOIN"
    assert ordonnance.file_name == "Ordonnance_mai.pdf"
    assert found["Votre consultation"].media_type == "image/jpeg"
    assert await bridge.db.read(dossiers.read, bridge.blobs, ordonnance) == files.pdf()
    [ring] = bridge.rings  # one notice for the message, one bell entry for each document
    assert ring["kind"] == "document"
    assert sorted(ring["targets"]) == sorted(f"/documents/{d.id}" for d in found.values())  # type: ignore[call-overload]
    assert bridge.door.accepted == []


async def test_a_bare_address_bears_the_name_of_the_directory(bridge: Bridge) -> None:
    entry = directory.Entry("resultats@labo.example", BoxKind.APP, "Laboratoire des Tilleuls")
    await bridge.db.write(directory.add, bridge.keys, entry)
    for sender in ("resultats@labo.example", "Dr Ney <resultats@labo.example>", "inconnu@labo.example"):
        message = letter(sender)
        message.replace_header("From", sender)
        message.replace_header("Message-ID", f"<{len(sender)}@labo.example>")
        attach(message, files.pdf(sender), "bilan.pdf")
        await bridge.file(message)
    authors = {document.author_name for document in await bridge.documents()}
    assert authors == {"Laboratoire des Tilleuls", "Dr Ney", "inconnu@labo.example"}


async def test_a_job_that_runs_twice_files_tells_and_rings_once(bridge: Bridge) -> None:
    message = letter()
    attach(message, files.pdf(), "a.pdf")
    attach(message, files.archive(), "b.zip")
    payload = await bridge.file(message)
    await bridge.again(payload)
    assert len(await bridge.documents()) == 1
    assert len(await bridge.refused()) == 1
    assert len(bridge.rings) == 1
    assert len(bridge.door.accepted) == 1


async def test_two_workers_on_the_same_job(bridge: Bridge) -> None:
    import asyncio

    message = letter()
    for index in range(12):  # more than one batch
        attach(message, files.pdf(f"page {index}") + b"%" * 70_000, f"{index}.pdf")
    payload = await bridge.deliver(message)
    job = Job(1, "file", 1, RECEIVED, RECEIVED)
    await asyncio.gather(bridge.filer(payload, job), bridge.filer(payload, job))
    assert len(await bridge.documents()) == 12
    assert sum(1 for path in (bridge.root / "blobs").rglob("*") if path.is_file()) == 12  # no blob left behind


async def test_the_same_file_in_two_messages_is_one_document(bridge: Bridge) -> None:
    sent = {}
    for number in ("<one@x.example>", "<two@x.example>"):
        message = letter()
        message.replace_header("Message-ID", number)
        attach(message, files.pdf(), "ordonnance.pdf")
        sent[number] = message.as_bytes(policy=policy.SMTP)
        await bridge.file(sent[number])
    [document] = await bridge.documents()
    dossier = await bridge.db.read(dossiers.dossier_of, bridge.keys, JACQUELINE)
    assert dossier is not None
    for number, content in sent.items():  # each message shows that its attachment is in the dossier
        key = dossiers.message_key(dossier, dossiers.message_name(number, content))
        assert (await bridge.db.read(dossiers.documents_of_message, dossier, key))["2"].id == document.id
    assert len(bridge.rings) == 1


async def test_a_message_id_taken_before_hides_nobodys_documents(bridge: Bridge) -> None:
    for number, author in enumerate(("curieux@autre.example", "labo@labo.example")):
        message = letter()
        message.replace_header("From", author)
        message.replace_header("Message-ID", "<20260503-000124@labo.example>")
        attach(message, files.pdf(f"résultat {number}"), "resultats.pdf")
        await bridge.file(message)
    assert len(await bridge.documents()) == 2


async def test_refusals_are_seen_by_the_citizen_and_told_to_the_sender(bridge: Bridge) -> None:
    message = letter("Résultats")
    attach(message, b"%PDF-1.4\n" + bytes(6_200_000), "scanner thorax.pdf")
    attach(message, files.pdf(locked=True), "verrouillé.pdf")
    attach(message, files.archive(), "IHE_XDM.ZIP")
    attach(message, files.png_bomb(), "bombe.png")
    inner = EmailMessage()
    inner.set_content("transféré")
    message.add_attachment(inner)
    attach(message, files.pdf(), "bon.pdf")
    payload = await bridge.file(message)
    assert [d.title for d in await bridge.documents()] == ["bon"]
    told = {r.file_name: r for r in await bridge.refused()}
    assert {name: r.reason for name, r in told.items()} == {
        "scanner thorax.pdf": "document_too_large",
        "verrouillé.pdf": "document_locked",
        "IHE_XDM.ZIP": "document_archive",
        "bombe.png": "document_image_too_big",
        "message-6.eml": "document_attached_message",
    }
    assert told["scanner thorax.pdf"].sentence == "Ce fichier pèse 6,3\u00a0Mo. La limite est de 5\u00a0Mo."
    assert all(r.told_at == RECEIVED for r in told.values())

    [(envelope, content)] = bridge.door.accepted
    assert (envelope.sender.door, envelope.reverse_path) == (Door.SYSTEM, "")
    assert [r.address for r in envelope.recipients] == ["a.diallo@cabinet.example"]
    notice = message_from_bytes(content, policy=policy.default)
    assert notice["Subject"] == "Pièce jointe non rangée : Résultats"
    assert notice["In-Reply-To"] == "<one@cabinet.example>"
    assert notice["Auto-Submitted"] == "auto-replied"
    assert notice["X-MSS-NIL"] == "123456"
    assert notice["From"].addresses[0].addr_spec == "postmaster@patient.example"
    text = notice.get_content()
    assert "« scanner thorax.pdf » (6,3 Mo)" in text.replace("\u00a0", " ")
    assert "Ce PDF est protégé par un mot de passe." in text
    assert ADDRESS in text
    assert "bon.pdf" not in text
    await bridge.again(payload)
    assert len(bridge.door.accepted) == 1


async def test_the_notice_is_owed_until_it_is_accepted(bridge: Bridge) -> None:
    message = letter()
    attach(message, b"", "vide.pdf")
    payload = await bridge.deliver(message)
    bridge.door.failing = True
    with pytest.raises(ConnectionError):
        await bridge.filer(payload, Job(1, "file", 1, RECEIVED, RECEIVED))
    [refusal] = await bridge.refused()
    assert (refusal.reason, refusal.told_at) == ("document_empty", None)
    bridge.door.failing = False
    await bridge.again(payload)
    [refusal] = await bridge.refused()
    assert refusal.told_at == RECEIVED
    assert len(bridge.door.accepted) == 1


FULL = Reason("full", "rules 2", 452, "4.2.2", "Boîte pleine.", "Mailbox full.")
GONE = Reason("gone", "rules 3.1", 550, "5.1.1", "Boîte inconnue.", "No such mailbox.")


async def test_a_full_mailbox_is_told_later_and_a_closed_one_never(bridge: Bridge) -> None:
    message = letter()
    attach(message, files.archive(), "a.zip")
    payload = await bridge.deliver(message)
    bridge.door.refusing = FULL
    assert await bridge.filer(payload, Job(1, "file", 1, RECEIVED, RECEIVED)) == Retry(HOUR, "full")
    assert await bridge.filer(payload, Job(1, "file", 72, RECEIVED, RECEIVED)) == Done()
    bridge.door.refusing = GONE
    assert await bridge.filer(payload, Job(1, "file", 2, RECEIVED, RECEIVED)) == Done()
    [refusal] = await bridge.refused()
    assert refusal.told_at is None  # the page must not say that the sender knows
    bridge.door.refusing = None
    await bridge.again(payload)
    [refusal] = await bridge.refused()
    assert refusal.told_at == RECEIVED


async def test_a_message_without_a_way_back_is_refused_in_silence(bridge: Bridge) -> None:
    message = letter()
    message.replace_header("Return-Path", "<>")
    attach(message, files.archive(), "a.zip")
    await bridge.file(message)
    assert len(await bridge.refused()) == 1
    assert bridge.door.accepted == []


async def test_what_is_no_document_stays_in_the_message(bridge: Bridge) -> None:
    message = letter()
    attach(message, files.png(), "logo.png", "image/png", disposition="inline", cid="<logo@x>")
    attach(message, b"GIF89a" + bytes(90_000), "banniere.gif", "image/gif", disposition="inline", cid="<b@x>")
    attach(message, b"BEGIN:VCARD", "diallo.vcf", "text/vcard")
    attach(message, b"0\x80", "smime.p7s", "application/pkcs7-signature")
    attach(message, b"BEGIN:VCALENDAR", "rdv.ics", "text/calendar")
    await bridge.file(message)
    assert await bridge.documents() == []
    assert await bridge.refused() == []
    assert bridge.door.accepted == []


async def test_pictures_and_pdfs_shown_inline_by_apple_mail_are_documents(bridge: Bridge) -> None:
    message = letter()
    noise = Image.frombytes("RGB", (300, 300), os.urandom(270_000))
    noise.save(bridge.root / "photo.jpg", quality=95)
    attach(message, (bridge.root / "photo.jpg").read_bytes(), "plaie.jpg", "image/jpeg", disposition="inline")
    attach(message, files.pdf(), "ordonnance.pdf", "application/pdf", disposition="inline")
    await bridge.file(message)
    assert {d.title for d in await bridge.documents()} == {"plaie", "ordonnance"}


async def test_reports_and_mail_without_attachment_make_no_dossier(bridge: Bridge) -> None:
    report = (
        b"From: postmaster@x.example\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nEchec\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny\r\n--b--\r\n"
    )
    await bridge.file(report)
    await bridge.file(letter())
    assert await bridge.db.read(dossiers.dossier_of, bridge.keys, JACQUELINE) is None


async def test_closed_profile_and_deleted_message(bridge: Bridge) -> None:
    message = letter()
    attach(message, files.pdf(), "a.pdf")
    await bridge.file(message, CLOSED)
    assert await bridge.db.read(dossiers.dossier_of, bridge.keys, CLOSED) is None
    payload = await bridge.deliver(message)
    assert await bridge.filer({**payload, "uid": 999}, Job(1, "file", 1, RECEIVED, RECEIVED)) == Done()
    assert await bridge.documents() == []


async def test_hostile_headers(bridge: Bridge) -> None:
    raw = (
        b"From: =?utf-8?b?w7/DvyA=?= <>\r\nDate: Thu, 01 Jan 2099 00:00:00 +0000\r\nSubject: \xff\xfe\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n"
        b'Content-Disposition: attachment; filename="../../\xff\xfe.txt"\r\n\r\nbonjour\r\n--b--\r\n'
    )
    await bridge.file(raw)
    [document] = await bridge.documents()
    assert document.act_date == date(2026, 5, 5)  # a date that cannot be true is replaced by the day it came
    assert "/" not in document.file_name
    document.title.encode()
    document.author_name.encode()


async def test_audit_has_ids_only(bridge: Bridge) -> None:
    message = letter()
    attach(message, files.pdf(), "secret-ordonnance.pdf")
    attach(message, files.archive(), "secret.zip")
    await bridge.file(message)
    rows = (await bridge.db.read(lambda conn: conn.execute(select(audit_table)).all())) or []
    assert {row.event for row in rows} == {"bridge:document:file", "bridge:document:refuse"}
    assert {row.actor for row in rows} == {"box 80"}
    assert "secret" not in "".join(row.details for row in rows)
    assert await bridge.db.read(verify) == []

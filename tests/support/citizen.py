"""The citizens' whole site over real delivery, store, exchanges and directory, on a free port; mails come in as at the border."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import date
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

import citizen_inbox.app
import citizen_inbox.deps
import health_space.accounts.app
import health_space.accounts.deps
import health_space.app
import health_space.deps
from foundation.audit import Audit
from foundation.blob_files import FolderFiles
from foundation.blobs import Blobs
from foundation.clock import SECOND
from foundation.database import Database, Transaction, metadata
from foundation.jobs import Jobs
from foundation.keys import KeyRing
from foundation.web import sessions
from foundation.web.kit import Web
from foundation.web.sessions import Stage
from foundation.web.site import WebSettings
from health_space.accounts import chrome
from health_space.accounts.by_password import PageSignIn, citizens
from health_space.dossier import operations as dossier
from health_space.dossier.categories import PRESCRIPTIONS
from health_space.dossier.readers import Readers
from health_space.notices import operations as notices
from health_space.profiles.operations import Kind, add_guardian
from mailserver.delivery.accept import Delivery
from mailserver.delivery.api import Door, Envelope, Outcome, Recipient, Sender
from mailserver.delivery.space import Space
from mailserver.store.sql import SqlMailStore
from mssante import directory
from mssante.credentials import Credentials
from mssante.exchanges import Exchanges
from mssante.identity import demo_ins
from mssante.kinds import BoxKind, ProfileState
from mssante.mailbox import Holder, NewMailbox
from mssante.mailboxes import Mailboxes
from mssante.operators import Operator
from runtime.attachment_settings import Attachments, AttachmentsSent, policies_of
from tests.support import files
from tests.support.web import Visitor, serving

START = 1_794_472_800_000  # 12 November 2026, 9 h 40 in Paris
DOCTOR, PHARMACY, OTHER_PHARMACY = "dr.diallo@cabinet.example", "officine@cabinet.example", "etoile@cabinet.example"
PEER = "dr.loin@hopital.example"  # another operator's
TRUSTED = frozenset({"cabinet.example", "patient.example", "hopital.example"})
CITIZENS = {
    "jacqueline": (1, "Jacqueline Morel"),
    "claire": (2, "Claire Petit"),
    "louise": (3, "Louise Petit"),
    "paul": (4, "Paul Voisin"),
}


@dataclass
class Town:
    """`ids` and `addresses` by name ("jacqueline") or professional address."""

    db: Database
    space: Space
    delivery: Delivery
    web: Web
    app: Any
    now: int = START
    ids: dict[str, int] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    sent: list[tuple[str, str, str]] = field(default_factory=list)
    serial: int = 0

    async def visitor(self, origin: str, person: str = "jacqueline", profile: str | None = None) -> Visitor:
        """Signed in without going through the pages, which have tests of their own."""
        visitor = Visitor(origin)
        visitor.cookies[self.web.cookie] = await self.session(person, profile)
        return visitor

    async def session(self, person: str = "jacqueline", profile: str | None = None) -> str:
        opened = await self.db.write(
            sessions.open_session, self.web.keys, self.now, Stage.SIGNED_IN, self.ids[person], {}
        )
        if profile is not None:
            opened = replace(opened, profile=self.ids[profile])
            await self.db.write(sessions.save, self.web.keys, opened)
        return opened.id

    async def mail(self, message: EmailMessage, sender: str = DOCTOR) -> Outcome:
        """As if it came from the sender's mail client, or the other operator."""
        self.now += SECOND
        who = (
            Sender(Door.SUBMISSION, box_id=self.ids[sender])
            if sender in self.ids
            else Sender(Door.MX, peer_domains=frozenset({sender.partition("@")[2]}))
        )
        to = str(message["To"].addresses[0].addr_spec)
        return await self.delivery.accept(
            Envelope(who, sender, (Recipient(to),)), self.space.blobs.prepare(message.as_bytes())
        )

    def letter(
        self,
        to: str = "jacqueline",
        subject: str = "Vos résultats",
        text: str = "Bonjour,\n\nTout va bien.\n",
        sender: str = DOCTOR,
        name: str = "Dr Aïssata Diallo",
        **headers: str,
    ) -> EmailMessage:
        self.serial += 1
        message = EmailMessage()
        message["From"] = f"{name} <{sender}>"
        message["To"] = self.addresses.get(to, to)
        message["Subject"] = subject
        message["Message-ID"] = f"<m{self.serial}@cabinet.example>"
        message["Date"] = "Thu, 12 Nov 2026 09:40:00 +0100"
        for header, value in headers.items():
            message[header.replace("_", "-")] = value
        message.set_content(text)
        return message

    async def newest(self, person: str, folder: str = "INBOX") -> bytes:
        """The octets of the newest message of a folder."""
        found = next(f for f in await self.space.store.folders(self.ids[person]) if f.name == folder)
        rows = (await self.space.store.rows(found.id))[1]
        return await self.space.store.content(found.id, rows[-1].uid) or b""

    async def prescription(self, person: str = "jacqueline", title: str = "Ordonnance du 3 novembre") -> int:
        content = files.pdf("Amoxicilline")
        prepared = self.space.blobs.prepare(content)
        new = dossier.NewDocument(
            title,
            "ordonnance.pdf",
            "Dr Aïssata Diallo",
            DOCTOR,
            date(2026, 11, 3),
            PRESCRIPTIONS,
            "",
            "application/pdf",
            1,
            dossier.Origin.MESSAGE,
            sha256(content + title.encode()).digest(),
        )

        def file(tx: Transaction) -> int:
            found = dossier.open_dossier(tx, self.space.keys, self.ids[person], self.now)
            return dossier.file_document(tx, self.space.blobs, found, new, prepared, self.now).document_id

        return await self.db.write(file)


@contextlib.asynccontextmanager
async def town(folder: Path, url: str = "") -> AsyncIterator[Town]:
    """`url` of an empty PostgreSQL with its tables; SQLite in `folder` by default."""
    db = Database(url or f"sqlite:///{folder}/town.db")
    metadata.create_all(db.engine)
    made: Town

    def clock() -> int:
        return made.now

    keys, blobs, audit = KeyRing(bytes(range(32))), Blobs(FolderFiles(folder / "blobs"), clock), Audit(clock)
    boxes = Mailboxes(keys)
    exchanges = Exchanges(keys, boxes)
    store = SqlMailStore(db, keys, blobs, boxes, clock=clock)
    operator = Operator("mail.cabinet.example", frozenset({"cabinet.example", "patient.example"}), "patient.example")
    space = Space(
        db,
        keys,
        blobs,
        store,
        boxes,
        exchanges,
        operator,
        TRUSTED.__contains__,
        Jobs(db, keys, clock),
        audit,
        clock,
        attachments=policies_of(Attachments(), AttachmentsSent()),
    )
    readers, delivery = Readers(workers=1), Delivery(space)

    def name_of(conn: Connection, box_id: int) -> str:
        box = boxes.get(conn, box_id)
        assert box is not None
        return box.holder.display_name

    badges = {
        "/messagerie": citizen_inbox.app.unread,
        "/notifications": lambda conn, box: notices.unread(conn, [box]),
    }
    templates = {
        "accounts": chrome.TEMPLATES,
        "citizen_inbox": citizen_inbox.app.TEMPLATES,
        **health_space.app.TEMPLATES,
    }
    web = Web(
        db,
        keys,
        WebSettings(https=False),
        templates,
        chrome.NAV,
        chrome.around(name_of, badges),
        clock,
    )
    credentials = Credentials(db, keys, boxes)
    made = Town(db, space, delivery, web, None)

    async def send(to: str, subject: str, text: str) -> None:
        made.sent.append((to, subject, text))

    made.app = web.app(
        [
            *health_space.accounts.app.routes(
                health_space.accounts.deps.Deps(web, PageSignIn(db, keys, boxes, credentials, citizens, clock), send)
            ),
            *citizen_inbox.app.routes(
                citizen_inbox.deps.Deps(
                    web, db, keys, blobs, store, delivery, boxes, exchanges, readers, space.jobs, clock=clock
                )
            ),
            *health_space.app.routes(
                health_space.deps.Deps(web, db, keys, blobs, readers, audit, "/ordonnance/{document}/pharmacie")
            ),
        ]
    )
    await db.write(_populate, made, store)
    try:
        yield made
    finally:
        await readers.close()
        await db.close()


@contextlib.asynccontextmanager
async def open_town(folder: Path, url: str = "") -> AsyncIterator[tuple[Town, str]]:
    """The town and its address."""
    async with town(folder, url) as made, serving(made.app) as origin:
        yield made, origin


def _populate(tx: Transaction, made: Town, store: SqlMailStore) -> None:
    boxes, keys = made.space.mailboxes, made.space.keys
    people = [
        NewMailbox(DOCTOR, BoxKind.PER, Holder("Dr Aïssata Diallo", profession="Médecin généraliste")),
        NewMailbox(PHARMACY, BoxKind.ORG, Holder("Pharmacie du Pont"), sector="SA33"),
        NewMailbox(OTHER_PHARMACY, BoxKind.ORG, Holder("Officine de l'Étoile"), sector="SA33"),
    ]
    for name, (serial, shown) in CITIZENS.items():
        address = f"{demo_ins(serial).value}@patient.example"
        made.addresses[name] = address
        people.append(NewMailbox(address, BoxKind.CIT, Holder(shown), ProfileState.ACTIVATED))
    for new in people:
        box = boxes.create(tx, new, START)
        store.open_box_in(tx, box.id, professional=new.kind is not BoxKind.CIT)
        made.ids[next((n for n, a in made.addresses.items() if a == new.address), new.address)] = box.id
    entries = [
        directory.Entry(
            DOCTOR, BoxKind.PER, "Dr Aïssata Diallo", "Médecin généraliste", "Lyon", phone="04 00 00 00 01"
        ),
        directory.Entry(
            PHARMACY,
            BoxKind.ORG,
            "Pharmacie du Pont",
            "Pharmacie",
            "Lyon",
            "69003",
            "SA33",
            "",
            "04 00 00 00 02",
            "8 h 30 à 19 h 30",
        ),
        directory.Entry(
            OTHER_PHARMACY,
            BoxKind.ORG,
            "Officine de l'Étoile",
            "Pharmacie",
            "Givors",
            "69700",
            "SA33",
            "",
            "04 00 00 00 03",
        ),
        directory.Entry(
            "pharma.loin@hopital.example", BoxKind.ORG, "Pharmacie Lointaine", "Pharmacie", "Brest", "29200", "SA33"
        ),
        directory.Entry(
            "faux@cabinet.example", BoxKind.ORG, "Pharmacie du Faux", "Parapharmacie", "Lyon", "69003", "SA99"
        ),
    ]
    for entry in entries:
        directory.add(tx, keys, entry)
    add_guardian(tx, made.ids["claire"], made.ids["louise"], Kind.PARENT, START)

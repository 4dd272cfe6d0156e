"""Documents and Notifications over a database of their own, for Jacqueline, Sarah and her child Louise."""

from __future__ import annotations

import os
from datetime import date
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection
from starlette.responses import Response

from foundation.antivirus import Clamd
from foundation.audit import Audit
from foundation.blob_files import FolderFiles
from foundation.blobs import Blobs
from foundation.database import Database, Transaction, metadata
from foundation.keys import KeyRing
from foundation.web.kit import Page, Web
from foundation.web.sessions import Session, Stage, open_session
from foundation.web.site import WebSettings
from foundation.web.visit import Visit
from health_space import app as health
from health_space.accounts import chrome
from health_space.deps import Deps
from health_space.dossier import operations as ops
from health_space.dossier.operations import NewDocument, Origin
from health_space.dossier.readers import Readers
from health_space.notices import operations as bell
from health_space.notices.rules import Kind
from health_space.profiles import operations as profiles
from tests.support.clamd import EICAR, clamd  # noqa: F401  a fixture
from tests.support.web import Visitor

JACQUELINE, SARAH, LOUISE = 1, 2, 3
NAMES = {JACQUELINE: "Jacqueline Morel", SARAH: "Sarah Lambert", LOUISE: "Louise Lambert"}
FIELDS = {"nom": "", "date": "2026-05-03", "categorie": "ORD_SOIN"}


class Site:
    """The pages over a database of their own; sessions are opened directly."""

    def __init__(self, root: Path, antivirus: Clamd | None = None) -> None:
        self.now = 1_778_000_000_000  # 5 May 2026
        self.db = Database(f"sqlite:///{root}/db.sqlite")
        metadata.create_all(self.db.engine)
        self.keys = KeyRing(os.urandom(32))
        self.blobs = Blobs(FolderFiles(root / "blobs"))
        self.readers = Readers(workers=1, seconds=20)
        self.db.write_now(profiles.add_guardian, SARAH, LOUISE, profiles.Kind.PARENT, 1)
        badges = {"/notifications": lambda conn, box: bell.unread(conn, [box])}
        web = Web(
            self.db,
            self.keys,
            WebSettings(https=False),
            {"accounts": chrome.TEMPLATES, **health.TEMPLATES},
            chrome.NAV,
            chrome.around(self._name, badges),
            lambda: self.now,
        )
        self.deps = Deps(
            web,
            self.db,
            self.keys,
            self.blobs,
            self.readers,
            Audit(lambda: self.now),
            "/ordonnance/{document}",
            antivirus,
        )
        from health_space.accounts import sign_in

        switch = web.routes((Page("/profil", sign_in.switch_profile, "POST"), Page("/messagerie", _inbox)), None)
        self.app = web.app([*health.routes(self.deps), *switch])

    def _name(self, _: Connection, box: int) -> str:
        return NAMES[box]

    async def visitor(self, origin: str, person: int) -> Visitor:
        session: Session = await self.db.write(open_session, self.keys, self.now, Stage.SIGNED_IN, person, {})
        visitor = Visitor(origin)
        visitor.cookies["session"] = session.id
        return visitor

    async def put(self, box: int, content: bytes, media_type: str = "application/pdf", **changes: object) -> int:
        values: dict[str, object] = {
            "title": "Compte rendu",
            "file_name": "cr.pdf",
            "author_name": "Dr Camille Roche",
            "author_address": "camille.roche@medecins.alpha.example",
            "act_date": date(2026, 5, 3),
            "category": "CPT_REND",
            "type_code": "",
            "pages": 1,
            "origin": Origin.MESSAGE,
        }
        new = NewDocument(**{**values, **changes}, media_type=media_type, digest=sha256(content).digest())  # type: ignore[arg-type]
        prepared = self.blobs.prepare(content)

        def write(tx: Transaction) -> int:
            dossier = ops.open_dossier(tx, self.keys, box, 1)
            return ops.file_document(tx, self.blobs, dossier, new, prepared, self.now).document_id

        return await self.db.write(write)


async def _inbox(visit: Visit, _: object) -> Response:
    return visit.render("accounts/help.html", "Messagerie")


async def ring(site: Site, box: int, kind: Kind, targets: list[str], job_id: int, outcome: str = "sent") -> None:
    def write(tx: Transaction) -> None:
        bell.ring(tx, site.keys, box, kind, targets, b"%d" % job_id, site.now)
        bell.note_mail(tx, b"%d" % job_id, outcome)

    await site.db.write(write)

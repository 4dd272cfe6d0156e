"""The settings page of an invented operator, over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from care_desk.app import TEMPLATES, routes
from care_desk.deps import Deps
from care_desk.mail_doors import MailDoor, MailDoors
from foundation.database import Database, metadata
from foundation.keys import KeyRing
from foundation.web.kit import Web
from foundation.web.site import Around, WebSettings
from foundation.web.tables import web_kept_forms, web_once, web_sessions
from mssante.credentials import Credentials
from mssante.mailboxes import Mailboxes
from tests.support.web import serving

HOST = "mail.alpha.example"
TABLE = MailDoors(
    "Opérateur Alpha",
    HOST,
    ("medecins.alpha.example", "alpha.example"),
    (
        MailDoor(True, True, HOST, 993),
        MailDoor(False, True, HOST, 465),
        MailDoor(True, False, HOST, 143),
        MailDoor(False, False, HOST, 587),
    ),
)


@asynccontextmanager
async def settings_page(folder: Path) -> AsyncIterator[str]:
    """Where it is served."""
    db = Database(f"sqlite:///{folder}/web.db")
    metadata.create_all(db.engine, tables=[web_sessions, web_kept_forms, web_once])
    keys, settings = KeyRing(bytes(range(32))), WebSettings(https=False)
    web = Web(db, keys, settings, {"care_desk": TEMPLATES}, (), lambda conn, session: Around(()))
    deps = Deps(web, TABLE, db, Credentials(db, keys, Mailboxes(keys)))
    async with serving(web.app(routes(deps))) as found:
        yield found
    await db.close()

"""What the citizen's pages need; filled by `runtime`."""

from __future__ import annotations

from dataclasses import dataclass, field

from foundation.blobs import Blobs
from foundation.clock import Clock, system_clock
from foundation.database import Database
from foundation.jobs import Jobs
from foundation.keys import KeyRing
from foundation.web.kit import Web
from health_space.dossier.readers import Readers
from mailserver.delivery.api import Acceptor
from mailserver.store.api import MailStore
from mssante.exchanges import Exchanges
from mssante.mailboxes import Mailboxes


@dataclass(frozen=True, slots=True)
class InboxSettings:
    max_files: int = 7_000_000  # octets of all files of one message, before base64 (a 10 MB message)
    preview_pages: int = 20


@dataclass(frozen=True, slots=True)
class Deps:
    web: Web
    db: Database
    keys: KeyRing
    blobs: Blobs
    store: MailStore
    acceptor: Acceptor
    mailboxes: Mailboxes
    exchanges: Exchanges
    readers: Readers
    jobs: Jobs
    settings: InboxSettings = field(default_factory=InboxSettings)
    clock: Clock = system_clock

"""What the team's pages need; filled by `runtime`."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.database import Database
from foundation.web.kit import Web
from mailserver.store.api import MailStore
from mssante.credentials import Credentials
from mssante.mailboxes import Mailboxes


@dataclass(frozen=True, slots=True)
class Deps:
    """`web` of the realm "pro": in its sessions, `person` is the number of a credential."""

    web: Web
    db: Database
    credentials: Credentials
    mailboxes: Mailboxes
    store: MailStore

"""What the directory's page needs; filled by `runtime`."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.database import Database
from foundation.web.kit import Web
from mssante.credentials import Credentials


@dataclass(frozen=True, slots=True)
class Deps:
    """`web` of the realm "pro": in its sessions, `person` is the number of a credential."""

    web: Web
    db: Database
    credentials: Credentials

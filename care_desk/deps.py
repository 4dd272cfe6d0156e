"""What the professionals' pages need; filled by `runtime`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from care_desk.mail_doors import MailDoors
from foundation.database import Database
from foundation.web.kit import Web
from mssante.credentials import Credentials


@dataclass(frozen=True, slots=True)
class Deps:
    """`web` of the realm "pro": in its sessions, `person` is the number of a credential.

    `sign`: wraps a profile in a CMS signature by the key of the web certificate, where there is one.
    """

    web: Web
    table: MailDoors
    db: Database
    credentials: Credentials
    sign: Callable[[bytes], bytes] | None = None

    @property
    def has_profile(self) -> bool:
        return all(self.table.best(reads) is not None for reads in (True, False))

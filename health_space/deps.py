"""What the pages of the health space need; filled by `runtime`."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.antivirus import Antivirus
from foundation.audit import Audit
from foundation.blobs import Blobs
from foundation.database import Database
from foundation.keys import KeyRing
from foundation.web.kit import Web
from health_space.dossier.readers import Readers


@dataclass(frozen=True, slots=True)
class Deps:
    """`send_prescription` is the address where a prescription's way to a pharmacy starts, with `{document}`; "" hides the link."""

    web: Web
    db: Database
    keys: KeyRing
    blobs: Blobs
    readers: Readers
    audit: Audit
    send_prescription: str = ""
    antivirus: Antivirus | None = None
    unscanned: bool = False  # taken when the antivirus does not answer

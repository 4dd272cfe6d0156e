"""What the professionals' pages need; filled by `runtime`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from care_desk.mail_doors import MailDoors
from foundation.web.kit import Web


@dataclass(frozen=True, slots=True)
class Deps:
    """`sign`: wraps a profile in a CMS signature by the key of the web certificate, where there is one."""

    web: Web
    table: MailDoors
    sign: Callable[[bytes], bytes] | None = None

    @property
    def has_profile(self) -> bool:
        return all(self.table.best(reads) is not None for reads in (True, False))

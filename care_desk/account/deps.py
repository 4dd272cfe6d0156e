"""What the account's pages need; filled by `runtime`."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.audit import Audit
from foundation.database import Database
from foundation.keys import KeyRing
from foundation.web.kit import Web
from health_space.accounts.port import Send, SignIn
from mssante.ceremonies import RelyingParty
from mssante.credentials import Credentials


@dataclass(frozen=True, slots=True)
class Deps:
    """`web` of the realm "pro": in its sessions, `person` is the number of a credential.

    `operator`: the name that an authenticator shows. `party`: who asks for passkeys; None: they are not offered.
    """

    web: Web
    db: Database
    keys: KeyRing
    audit: Audit
    credentials: Credentials
    sign_in: SignIn
    send: Send
    operator: str
    party: RelyingParty | None = None

"""What the account's pages need; filled by `runtime`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from foundation.audit import Audit
from foundation.database import Database, Transaction
from foundation.keys import KeyRing
from foundation.web.kit import Web
from health_space.accounts.port import Send, SignIn
from mssante.ceremonies import RelyingParty
from mssante.ciba import Backchannel
from mssante.credentials import Credentials
from mssante.openid_code import CodeFlow

Tell = Callable[[Transaction, int, str], None]
"""`tell(tx, credential, what)`: a mail to their mailbox says what changed (`mailserver.outbound.account_notices`)."""


@dataclass(frozen=True, slots=True)
class Deps:
    """`web` of the realm "pro": in its sessions, `person` is the number of a credential.

    `operator`: the name that an authenticator shows. `party`: who asks for passkeys; `phone`: who asks
    people on their telephone; `code`: who signs them in on a page of theirs; None: not offered.
    """

    web: Web
    db: Database
    keys: KeyRing
    audit: Audit
    credentials: Credentials
    sign_in: SignIn
    send: Send
    operator: str
    tell: Tell
    party: RelyingParty | None = None
    phone: Backchannel | None = None
    code: CodeFlow | None = None

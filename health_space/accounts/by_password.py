"""Sign-in of people on pages, over `mssante.credentials` and `mssante.one_time`.

Short waits are held here, so that someone who mistypes once never notices; longer ones are told to the reader.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from foundation.clock import SECOND, Clock
from foundation.database import Database, Transaction
from foundation.keys import KeyRing
from health_space.accounts.port import Known, Wrong
from mssante import one_time, passkeys
from mssante.ceremonies import BadPasskey, RelyingParty
from mssante.credentials import WEB, Credentials, SignedIn, WrongPassword
from mssante.kinds import BoxKind
from mssante.mailbox import Mailbox
from mssante.mailboxes import Mailboxes

log = structlog.get_logger()

HELD = 2 * SECOND

Admit = Callable[[SignedIn, Mailbox], Known | None]


def citizens(found: SignedIn, box: Mailbox) -> Known | None:
    """A professional has pages of their own."""
    if found.kind is not BoxKind.CIT:
        return None
    return Known(found.credential_id, found.box_id, box.holder.private_email or None, found.totp)


class PageSignIn:
    """Implements `port.SignIn`. `admit`: None is answered like a wrong password, these pages are not for them. `party`: who asks
    for passkeys; None: nobody. `blocked(tx, credential)` hears of a passkey that may have been copied.
    """

    def __init__(
        self,
        db: Database,
        keys: KeyRing,
        mailboxes: Mailboxes,
        credentials: Credentials,
        admit: Admit,
        clock: Clock,
        party: RelyingParty | None = None,
        blocked: Callable[[Transaction, int], None] = lambda tx, credential: None,
    ) -> None:
        self._db, self._keys, self._clock = db, keys, clock
        self._party, self._blocked = party, blocked
        self._mailboxes, self._credentials, self._admit = mailboxes, credentials, admit

    async def password(self, login: str, password: str, client_ip: str) -> Known | Wrong:
        found = await self._credentials.check(login, password, self._clock(), client_ip, WEB)
        if isinstance(found, WrongPassword):
            return await _wrong(found.wait_ms)
        return await self._db.read(self._admitted, found) or Wrong()

    async def known(self, credential: int) -> Known | None:
        found = await self._db.read(self._credentials.of, credential)
        return None if found is None else await self._db.read(self._admitted, found)

    def _admitted(self, conn: Connection, found: SignedIn) -> Known | None:
        box = self._mailboxes.get(conn, found.box_id)
        return None if box is None else self._admit(found, box)

    async def expect_code(self, credential: int, code: str) -> int:
        return await self._db.write(one_time.expect_sent, self._keys, credential, code, self._clock())

    async def code(self, credential: int, code: str) -> Wrong | None:
        answer = await self._db.write(one_time.check_code, self._keys, credential, code, self._clock())
        return await _wrong(answer.wait_ms) if isinstance(answer, one_time.WrongCode) else None

    async def passkey_asked(self, credential: int, session: str) -> str | None:
        if self._party is None:
            return None
        return await self._db.write(passkeys.asking, self._keys, self._party, credential, session, self._clock())

    async def passkey(self, credential: int, session: str, answer: str) -> bool:
        return self._party is not None and await self._db.write(self._passkey, self._party, credential, session, answer)

    def _passkey(self, tx: Transaction, party: RelyingParty, credential: int, session: str, answer: str) -> bool:
        found = passkeys.check(tx, self._keys, party, credential, session, answer, self._clock())
        if isinstance(found, BadPasskey):
            log.info("account.passkey_refused", reason=found.name)
        if found is BadPasskey.COPIED:
            self._blocked(tx, credential)
        return isinstance(found, passkeys.RightPasskey)


async def _wrong(wait: int) -> Wrong:
    if wait > HELD:
        return Wrong(wait)
    await asyncio.sleep(wait / SECOND)
    return Wrong()

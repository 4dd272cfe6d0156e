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
from foundation.web import sessions
from foundation.web.sessions import Session
from health_space.accounts.port import Known, Recovered, Wrong
from mssante import one_time, passkeys, recovery, throttle
from mssante.ceremonies import BadPasskey, RelyingParty
from mssante.credentials import WEB, Credentials, SignedIn, WrongPassword, covers, login_form
from mssante.kinds import BoxKind
from mssante.mailbox import Mailbox
from mssante.mailboxes import Mailboxes
from mssante.password_choice import weak
from mssante.passwords import PasswordHash, hash_password
from mssante.recovery import Lost

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
    for passkeys; None: nobody. `blocked(tx, credential)` hears of a passkey that may have been copied, `renewed(tx, credential,
    recovery)` of a password chosen in place of one forgotten.
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
        renewed: Callable[[Transaction, int, int], None] = lambda tx, credential, recovery: None,
    ) -> None:
        self._db, self._keys, self._clock = db, keys, clock
        self._party, self._blocked, self._renewed = party, blocked, renewed
        self._mailboxes, self._credentials, self._admit = mailboxes, credentials, admit

    async def password(self, login: str, password: str, client_ip: str) -> Known | Wrong:
        found = await self._credentials.check(login, password, self._clock(), client_ip, WEB)
        if isinstance(found, WrongPassword):
            return await _wrong(found.wait_ms)
        return await self._db.read(self._admitted, found) or Wrong()

    async def recovered(self, login: str, code: str, client_ip: str) -> Recovered | Wrong:
        login, now = login_form(login), self._clock()
        asked = throttle.subjects(self._keys, login, client_ip)
        if wait := await self._db.read(throttle.wait, asked, now):
            return await _wrong(wait)
        found = await self._db.write(self._judged, login, code, asked, now)
        return found if isinstance(found, Recovered) else await _wrong(found)

    def _judged(
        self, tx: Transaction, login: str, code: str, asked: tuple[throttle.Subject, ...], now: int
    ) -> Recovered | int:
        """Or how long to wait. In one transaction: of guesses that come together each sees the one before."""
        if wait := throttle.wait(tx.conn, asked, now):
            return wait
        found = self._by_code(tx.conn, login, code, now)
        if found is None:
            return throttle.failed(tx, asked, now)
        throttle.succeeded(tx, asked, now)
        return found

    def _by_code(self, conn: Connection, login: str, code: str, now: int) -> Recovered | None:
        who = self._credentials.by_login(conn, login)
        found = None if who is None else recovery.of_code(conn, self._keys, who.credential_id, code, now)
        if who is None or found is None or found.lost is Lost.FACTOR or not covers(who, WEB):
            return None
        known = self._admitted(conn, who)
        return None if known is None else Recovered(known, found.id, found.lost)

    async def too_weak(self, credential: int, password: str) -> str:
        names = await self._db.read(self._names, credential)
        bad = weak(password, "", names)
        return bad.value if bad is not None else ""

    def _names(self, conn: Connection, credential: int) -> tuple[str, ...]:
        who = self._credentials.of(conn, credential)
        return (self._credentials.login_of(conn, credential), *((who.address, who.actor) if who is not None else ()))

    async def new_password(self, credential: int, recovery: int, password: str, session: Session) -> bool:
        salt = self._credentials.salt_for(await self._db.read(self._credentials.login_of, credential))
        made = await asyncio.to_thread(hash_password, password, salt)
        try:
            await self._db.write(self._renew, credential, recovery, made, session)
        except LookupError:
            return False
        return True

    def _renew(self, tx: Transaction, credential: int, number: int, made: PasswordHash, session: Session) -> None:
        recovery.password_chosen(tx, credential, number, self._clock())
        self._credentials.set_password(tx, credential, made)
        sessions.end_all(tx, session.person, sessions.realm_of(session.id), but=session)
        self._renewed(tx, credential, number)

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

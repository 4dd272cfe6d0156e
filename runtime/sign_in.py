"""Each door's own view of the one password check (`mssante.credentials`): IMAP, submission, web page."""

from __future__ import annotations

from foundation.clock import Clock
from foundation.database import Database
from foundation.keys import KeyRing
from health_space.accounts import port as web
from mailserver.imap import sign_in as imap
from mailserver.smtp import ports as smtp
from mssante import one_time
from mssante.credentials import MAIL, WEB, Credentials, SignedIn
from mssante.kinds import BoxKind
from mssante.mailboxes import Mailboxes


class MailSignIn:
    """Mail clients: professionals only; a citizen's mailbox is read on the web page."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock

    async def imap(self, login: str, password: str, client_ip: str) -> imap.SignedIn | imap.Refused:
        answer = await self._credentials.check(login, password, self._clock(), client_ip, MAIL)
        if not isinstance(answer, SignedIn):
            return imap.Refused(answer.wait_ms)
        return imap.SignedIn(answer.box_id, answer.actor, answer.actor)

    async def submission(self, login: str, password: str, client_ip: str) -> smtp.SignedIn | smtp.WrongPassword:
        answer = await self._credentials.check(login, password, self._clock(), client_ip, MAIL)
        if not isinstance(answer, SignedIn):
            return smtp.WrongPassword(answer.wait_ms)
        return smtp.SignedIn(answer.box_id, answer.address, answer.actor)


class WebSignIn:
    """Citizens, with a second factor: an authenticator when one is enrolled, else a code by e-mail."""

    def __init__(
        self, db: Database, keys: KeyRing, credentials: Credentials, mailboxes: Mailboxes, clock: Clock
    ) -> None:
        self._db, self._keys, self._clock = db, keys, clock
        self._credentials, self._mailboxes = credentials, mailboxes

    async def password(self, login: str, password: str, client_ip: str) -> web.Known | web.Wrong:
        answer = await self._credentials.check(login, password, self._clock(), client_ip, WEB)
        if not isinstance(answer, SignedIn):
            return web.Wrong(answer.wait_ms)
        box = await self._db.read(self._mailboxes.get, answer.box_id)
        if box is None or box.kind is not BoxKind.CIT:
            return web.Wrong()
        return web.Known(answer.credential_id, box.id, box.holder.private_email or None, answer.totp)

    async def expect_code(self, credential: int, code: str) -> None:
        await self._db.write(one_time.expect_code, self._keys, credential, code, self._clock())

    async def code(self, credential: int, code: str) -> web.Wrong | None:
        answer = await self._db.write(one_time.check_code, self._keys, credential, code, self._clock())
        return web.Wrong(answer.wait_ms) if isinstance(answer, one_time.WrongCode) else None

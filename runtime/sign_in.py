"""Each mail door's own view of the one password check (`mssante.credentials`): IMAP, submission."""

from __future__ import annotations

from foundation.clock import Clock
from mailserver.imap import sign_in as imap
from mailserver.smtp import ports as smtp
from mssante.credentials import MAIL, Credentials, SignedIn


class MailSignIn:
    """Mail clients: professionals only; a citizen's mailbox is read on the web page."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials, self._clock = credentials, clock

    async def imap(self, login: str, password: str, client_ip: str) -> imap.SignedIn | imap.Refused:
        answer = await self._credentials.check(login, password, self._clock(), client_ip, MAIL)
        if not isinstance(answer, SignedIn):
            return imap.Refused(answer.wait_ms)
        return imap.SignedIn(answer.box_id, answer.actor, answer.actor, answer.credential_id)

    async def submission(self, login: str, password: str, client_ip: str) -> smtp.SignedIn | smtp.WrongPassword:
        answer = await self._credentials.check(login, password, self._clock(), client_ip, MAIL)
        if not isinstance(answer, SignedIn):
            return smtp.WrongPassword(answer.wait_ms)
        return smtp.SignedIn(answer.box_id, answer.address, answer.actor)

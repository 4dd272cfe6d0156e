"""The mail doors' view of the one sign-in (`mssante.credentials`)."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from foundation.clock import Clock
from foundation.database import Database
from foundation.dn import DistinguishedName
from mailserver.sign_in import Member, Proven, Provider, Refused, SignedIn
from mailserver.store.watching import Watchers
from mssante import credentials, mailboxes
from mssante.certificate_sign_in import opened_by
from mssante.credentials import Credentials
from mssante.mailboxes import Mailboxes
from mssante.scram import Proof, Salt
from mssante.token_sign_in import TokenSignIn


class MailSignIn:
    """Mail clients: professionals only; a citizen's mailbox is read on the web page. `scope`: IMAP or SUBMISSION.

    `tokens` and `provider` go together; None: no token is taken. `seen(box_id)` hears of each sign-in.
    """

    def __init__(
        self,
        db: Database,
        credentials_: Credentials,
        mailboxes_: Mailboxes,
        clock: Clock,
        scope: str,
        tokens: TokenSignIn | None = None,
        provider: Provider | None = None,
        seen: Callable[[int], None] = lambda box_id: None,
    ) -> None:
        self._db, self._credentials, self._mailboxes = db, credentials_, mailboxes_
        self._clock, self._scope = clock, scope
        self._tokens, self._provider, self._heard = tokens, provider, seen
        self._people, self._boxes = Watchers(), Watchers()
        db.subscribe(credentials.TOPIC, self._people.wake)
        db.subscribe(mailboxes.TOPIC, self._boxes.wake)

    @property
    def provider(self) -> Provider | None:
        return self._provider

    async def by_password(self, login: str, password: str, client_ip: str) -> SignedIn | Refused:
        answer = await self._credentials.check(login, password, self._clock(), client_ip, self._scope)
        return self._known(answer) if isinstance(answer, credentials.SignedIn) else Refused(answer.wait_ms)

    async def by_token(self, login: str, token: str, client_ip: str) -> SignedIn | Refused:
        assert self._tokens is not None  # offered only then
        answer = await self._tokens.check(login, token, self._clock(), client_ip, self._scope)
        return self._known(answer) if isinstance(answer, credentials.SignedIn) else Refused(answer.wait_ms)

    async def by_certificate(self, address: str, certificate: DistinguishedName, client_ip: str) -> SignedIn | Refused:
        """Nobody guesses a certificate: there is nothing to slow down. No credential of a person stands for a program."""
        generation, who = -1, None
        while generation != self._credentials.generation:  # unbound or closed meanwhile, before anybody watches
            generation = self._credentials.generation
            who = await self._opened(certificate, address)
        if who is None:
            return Refused()
        self._heard(who.box_id)
        return who

    async def _opened(self, certificate: DistinguishedName, address: str) -> SignedIn | None:
        box = await self._db.read(opened_by, self._mailboxes, certificate, address)
        return None if box is None else SignedIn(box.id, box.address.key, box.holder.display_name, token=certificate)

    def nonce(self) -> str:
        return secrets.token_urlsafe(18)

    async def salt(self, login: str) -> Salt:
        return await self._credentials.salt(login)

    async def by_proof(self, login: str, proof: Proof, client_ip: str) -> Proven | Refused:
        answer = await self._credentials.check_proof(login, proof, self._clock(), client_ip, self._scope)
        if not isinstance(answer, credentials.Proven):
            return Refused(answer.wait_ms)
        return Proven(self._known(answer.who), answer.signature)

    def watch(self, who: SignedIn, doubt: Callable[[], None]) -> Callable[[], None]:
        person, box = self._people.add(who.member, doubt), self._boxes.add(who.box_id, doubt)

        def undo() -> None:
            person()
            box()

        return undo

    async def standing(self, who: SignedIn) -> SignedIn | None:
        if isinstance(who.token, DistinguishedName):
            return await self._opened(who.token, who.address)
        assert isinstance(who.token, credentials.SignedIn)
        now = await self._db.read(self._credentials.standing, who.token, self._scope)
        return None if now is None else _seen(now)

    async def members(self, box_id: int) -> list[Member]:
        found = await self._db.read(self._credentials.members, box_id)
        return [Member(one.credential_id, one.login, one.role) for one in found if one.active]

    def _known(self, who: credentials.SignedIn) -> SignedIn:
        self._heard(who.box_id)
        return _seen(who)


def _seen(who: credentials.SignedIn) -> SignedIn:
    return SignedIn(who.box_id, who.address, who.actor, who.credential_id, who.role, who)

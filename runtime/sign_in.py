"""The mail doors' view of the one sign-in (`mssante.credentials`)."""

from __future__ import annotations

import secrets

from foundation.clock import Clock
from foundation.database import Database
from mailserver.sign_in import Member, Proven, Provider, Refused, SignedIn
from mssante import credentials
from mssante.credentials import Credentials
from mssante.scram import Proof, Salt
from mssante.token_sign_in import TokenSignIn


class MailSignIn:
    """Mail clients: professionals only; a citizen's mailbox is read on the web page. `scope`: IMAP or SUBMISSION.

    `tokens` and `provider` go together; None: no token is taken.
    """

    def __init__(
        self,
        db: Database,
        credentials: Credentials,
        clock: Clock,
        scope: str,
        tokens: TokenSignIn | None = None,
        provider: Provider | None = None,
    ) -> None:
        self._db, self._credentials, self._clock, self._scope = db, credentials, clock, scope
        self._tokens, self._provider = tokens, provider

    @property
    def provider(self) -> Provider | None:
        return self._provider

    async def by_password(self, login: str, password: str, client_ip: str) -> SignedIn | Refused:
        answer = await self._credentials.check(login, password, self._clock(), client_ip, self._scope)
        return _seen(answer) if isinstance(answer, credentials.SignedIn) else Refused(answer.wait_ms)

    async def by_token(self, login: str, token: str, client_ip: str) -> SignedIn | Refused:
        assert self._tokens is not None  # offered only then
        answer = await self._tokens.check(login, token, self._clock(), client_ip, self._scope)
        return _seen(answer) if isinstance(answer, credentials.SignedIn) else Refused(answer.wait_ms)

    def nonce(self) -> str:
        return secrets.token_urlsafe(18)

    async def salt(self, login: str) -> Salt:
        return await self._credentials.salt(login)

    async def by_proof(self, login: str, proof: Proof, client_ip: str) -> Proven | Refused:
        answer = await self._credentials.check_proof(login, proof, self._clock(), client_ip, self._scope)
        if not isinstance(answer, credentials.Proven):
            return Refused(answer.wait_ms)
        return Proven(_seen(answer.who), answer.signature)

    async def members(self, box_id: int) -> list[Member]:
        found = await self._db.read(self._credentials.members, box_id)
        return [Member(one.credential_id, one.login, one.role) for one in found if one.active]


def _seen(who: credentials.SignedIn) -> SignedIn:
    return SignedIn(who.box_id, who.address, who.actor, who.credential_id, who.role)

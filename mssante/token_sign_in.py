"""Signing in by the token of an OpenID provider: the same mailboxes, scopes and waits as by password (`mssante.credentials`)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from foundation.database import Database
from foundation.keys import KeyRing
from mssante import throttle
from mssante.credentials import Credentials, SignedIn, WrongPassword, covers, login_form
from mssante.openid import BadToken
from mssante.openid_provider import OpenIdProvider, Unreachable

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Unnamed:
    """The token is good, and no login says which mailbox it is to open."""


class TokenSignIn:
    """Of one operator, who believes one provider. The provider has asked for a second factor: an own one is not asked for here."""

    def __init__(self, db: Database, keys: KeyRing, credentials: Credentials, provider: OpenIdProvider) -> None:
        self._db, self._keys, self._credentials, self.provider = db, keys, credentials, provider

    async def check(
        self, login: str, token: str, now: int, client_ip: str, scope: str
    ) -> SignedIn | WrongPassword | Unnamed:
        """`login` chooses among the mailboxes of one person; empty: their own. Why a token is refused is in the log only."""
        login = login_form(login)
        asked = throttle.subjects(self._keys, f"token {login}", client_ip)
        generation = self._credentials.generation
        if wait := await self._db.read(throttle.wait, asked, now):
            return WrongPassword(wait)
        try:
            found = await self.provider.judge(token)
        except Unreachable:
            log.warning("openid.unreachable")
            return WrongPassword(0)
        if found is BadToken.EXPIRED:
            return WrongPassword(0)  # an honest client's: it asks for another, and comes back at once
        who = None if isinstance(found, BadToken) else await self._db.read(self._credentials.held_by, found.name, login)
        if who is None and not login and not isinstance(found, BadToken):
            log.info("openid.token_refused", reason="NO_LOGIN")
            return Unnamed()  # nobody's guess: the token is right
        if who is None or not covers(who, scope):
            log.info("openid.token_refused", reason=found.name if isinstance(found, BadToken) else "NO_MAILBOX")
            return WrongPassword(await self._db.write(throttle.failed, asked, now))
        if await self._db.read(throttle.worth_recording, asked, now):
            await self._db.write(throttle.succeeded, asked, now)
        return await self._credentials.settled(replace(who, at=now), scope, generation) or WrongPassword(0)

"""« Je confirme sur mon téléphone »: the OpenID provider asks a person on a device of theirs, and we ask it what came of that.

OpenID Connect Client-Initiated Backchannel Authentication Core 1.0, in poll mode, the only one of Pro Santé Connect: a request
names the person (`login_hint`) and a number that both screens show (`binding_message`), so that nobody confirms somebody else's
sign-in; then the token endpoint is asked, never more often than it says. What comes back is an ID token, judged like any other
(`mssante.openid`): issuer, made for us, level, signature, end.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import Enum
from typing import Any

from foundation.clock import MINUTE, SECOND, Clock
from mssante.openid import BadToken, Rules, Subject, judge
from mssante.openid_provider import Asking, OpenIdProvider, Unreachable

ENDPOINT = "backchannel_authentication_endpoint"  # 4
GRANT = "urn:openid:params:grant-type:ciba"
REQUEST_CLAIM = "urn:openid:params:jwt:claim:auth_req_id"
INTERVAL = 5 * SECOND  # 7.3, when nothing is said
SLOWER = 5 * SECOND  # 11: « slow_down » adds as much
LONGEST_ID = 1_024  # characters of a request's id
LONGEST_LIFE = 10 * MINUTE


class No(Enum):
    """Why it did not come to a sign-in; `str` values are the provider's (11, 13)."""

    DENIED = "access_denied"
    EXPIRED = "expired_token"
    UNKNOWN = "unknown_user_id"
    TOKEN = "what it says is not to be believed"  # noqa: S105
    OTHER = "it refuses otherwise"
    UNREACHABLE = "it does not answer"


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """A request under way. Times in ms; not to be asked about before `next_at`."""

    id: str
    message: str
    until: int
    interval: int
    next_at: int

    def later(self, now: int, slower: bool = False) -> Asked:
        interval = self.interval + (SLOWER if slower else 0)
        return Asked(self.id, self.message, self.until, interval, now + interval)


def new_message() -> str:
    """Two figures, as the agency's own example sends them."""
    return f"{secrets.randbelow(90) + 10}"


class Backchannel:
    """`asking`: our name and secret at the provider. `rules`: as for access tokens, but the token is made for ourselves."""

    def __init__(self, provider: OpenIdProvider, asking: Asking, scope: str, clock: Clock) -> None:
        self._provider, self._asking, self._scope, self._clock = provider, asking, scope, clock
        rules = provider.rules
        self._rules = Rules(rules.issuer, asking.client_id, rules.subject, acr=rules.acr)

    async def begin(self, hint: str, message: str) -> Asked | No:
        """`hint`: how the provider names the person."""
        form = {"scope": self._scope, "login_hint": hint, "binding_message": message}
        if self._rules.acr:
            form["acr_values"] = " ".join(sorted(self._rules.acr))
        try:
            said = await self._provider.ask(ENDPOINT, form, self._asking)
        except Unreachable:
            return No.UNREACHABLE
        return _no(said) if "error" in said else self._asked(said, message)

    async def poll(self, asked: Asked) -> Asked | Subject | No:
        """The same request, to be asked about later; who confirmed; or why nobody did. Asks nothing before `asked.next_at`."""
        now = self._clock()
        if now >= asked.until:
            return No.EXPIRED
        if now < asked.next_at:
            return asked
        form = {"grant_type": GRANT, "auth_req_id": asked.id}
        try:
            said = await self._provider.ask("token_endpoint", form, self._asking)
            if (error := said.get("error")) in ("authorization_pending", "slow_down"):
                return asked.later(self._clock(), error == "slow_down")
            return _no(said) if "error" in said else await self._subject(said, asked)
        except Unreachable:
            return asked.later(self._clock(), slower=True)  # 7.3: a network's fault is no answer

    async def _subject(self, said: dict[str, Any], asked: Asked) -> Subject | No:
        token = said.get("id_token")
        claims = await self._provider.signed_claims(token) if isinstance(token, str) else BadToken.UNREADABLE
        if isinstance(claims, BadToken) or claims.get(REQUEST_CLAIM, asked.id) != asked.id:
            return No.TOKEN
        found = judge(claims, self._rules, self._clock())
        return No.TOKEN if isinstance(found, BadToken) else found

    def _asked(self, said: dict[str, Any], message: str) -> Asked | No:
        name, lives, interval = (
            said.get("auth_req_id"),
            said.get("expires_in"),
            said.get("interval", INTERVAL // SECOND),
        )
        numbers = all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in (lives, interval))
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID or not numbers:
            return No.OTHER
        now = self._clock()
        wait = min(int(interval) * SECOND, MINUTE)
        return Asked(name, message, now + min(int(lives or 0) * SECOND, LONGEST_LIFE), wait, now + wait)


def _no(said: dict[str, Any]) -> No:
    return next((no for no in (No.DENIED, No.EXPIRED, No.UNKNOWN) if no.value == said["error"]), No.OTHER)

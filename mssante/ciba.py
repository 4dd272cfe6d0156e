"""« Je confirme sur mon téléphone »: the OpenID provider asks a person on a device of theirs, and we ask it what came of that.

OpenID Connect Client-Initiated Backchannel Authentication Core 1.0, in poll mode, the only one of Pro Santé Connect: a request
names the person (`login_hint`) and a number that both screens show (`binding_message`), so that nobody confirms somebody else's
sign-in; then the token endpoint is asked, never more often than it says. What comes back is an ID token (`mssante.id_tokens`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from foundation.clock import MINUTE, SECOND, Clock
from mssante.id_tokens import IdTokens, No, no
from mssante.openid import Subject
from mssante.openid_provider import Asking, OpenIdProvider, Unreachable

ENDPOINT = "backchannel_authentication_endpoint"  # 4
GRANT = "urn:openid:params:grant-type:ciba"
REQUEST_CLAIM = "urn:openid:params:jwt:claim:auth_req_id"
INTERVAL = 5 * SECOND  # 7.3, when nothing is said
SLOWER = 5 * SECOND  # 11: « slow_down » adds as much
LONGEST_ID = 1_024  # characters of a request's id
LONGEST_LIFE = 10 * MINUTE


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
    """`asking`: our name and secret at the provider."""

    def __init__(self, provider: OpenIdProvider, asking: Asking, scope: str, clock: Clock) -> None:
        self._provider, self._asking, self._scope, self._clock = provider, asking, scope, clock
        self._tokens = IdTokens(provider, asking, clock)
        self._interval = INTERVAL  # as the provider said last

    async def begin(self, hint: str, message: str) -> Asked | No:
        """`hint`: how the provider names the person."""
        form = {"scope": self._scope, "login_hint": hint, "binding_message": message}
        if self._tokens.rules.acr:
            form["acr_values"] = " ".join(sorted(self._tokens.rules.acr))
        try:
            said = await self._provider.ask(ENDPOINT, form, self._asking)
        except Unreachable:
            return No.UNREACHABLE
        return no(said["error"]) if "error" in said else self._asked(said, message)

    def pretended(self, message: str) -> Asked:
        """A request that looks like the others, and that nobody was asked."""
        now = self._clock()
        return Asked("", message, now + LONGEST_LIFE, self._interval, now + self._interval)

    async def poll(self, asked: Asked) -> Asked | Subject | No:
        """The same request, to be asked about later; who confirmed; or why nobody did. Asks nothing before `asked.next_at`."""
        now = self._clock()
        if now >= asked.until:
            return No.EXPIRED
        if now < asked.next_at:
            return asked
        if not asked.id:
            return asked.later(now)
        form = {"grant_type": GRANT, "auth_req_id": asked.id}
        try:
            said = await self._provider.ask("token_endpoint", form, self._asking)
            if (error := said.get("error")) in ("authorization_pending", "slow_down"):
                return asked.later(self._clock(), error == "slow_down")
            if "error" in said:
                return no(said["error"])
            return await self._tokens.subject(said, REQUEST_CLAIM, asked.id, must=False)
        except Unreachable:
            return asked.later(self._clock(), slower=True)  # 7.3: a network's fault is no answer

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
        self._interval = wait = min(int(interval) * SECOND, MINUTE)
        return Asked(name, message, now + min(int(lives or 0) * SECOND, LONGEST_LIFE), wait, now + wait)

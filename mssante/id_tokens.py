"""ID tokens that an OpenID provider gives to ourselves (OpenID Connect Core 3.1.3.7): issuer, made for us, level, signature, end;
and what we sent along comes back in them.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from foundation.clock import Clock
from mssante.openid import BadToken, Rules, Subject, judge
from mssante.openid_provider import Asking, OpenIdProvider


class No(Enum):
    """Why it did not come to a sign-in; `str` values are the provider's (RFC 6749 4.1.2.1, CIBA 11 and 13)."""

    DENIED = "access_denied"
    EXPIRED = "expired_token"
    UNKNOWN = "unknown_user_id"
    TOKEN = "what it says is not to be believed"  # noqa: S105
    OTHER = "it refuses otherwise"
    UNREACHABLE = "it does not answer"


class IdTokens:
    """`rules`: as for access tokens, but made for ourselves. `asking`: our name at the provider."""

    def __init__(self, provider: OpenIdProvider, asking: Asking, clock: Clock) -> None:
        self._provider, self._clock = provider, clock
        rules = provider.rules
        self.rules = Rules(rules.issuer, asking.client_id, rules.subject, acr=rules.acr)

    async def subject(self, said: dict[str, Any], sent: str, value: str, must: bool = True) -> Subject | No:
        """Of the token endpoint's answer. The claim `sent` is `value`; it may be left out unless it `must` be there. Raises
        `Unreachable`."""
        token = said.get("id_token")
        claims = await self._provider.signed_claims(token) if isinstance(token, str) else BadToken.UNREADABLE
        if isinstance(claims, BadToken) or claims.get(sent, None if must else value) != value:
            return No.TOKEN
        found = judge(claims, self.rules, self._clock())
        return No.TOKEN if isinstance(found, BadToken) else found


def no(error: object) -> No:
    """What a provider's error means to us."""
    return next((one for one in (No.DENIED, No.EXPIRED, No.UNKNOWN) if one.value == error), No.OTHER)

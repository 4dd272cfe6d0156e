"""Signing in on a page of the OpenID provider: the authorization code flow (OpenID Connect Core 3.1) with PKCE (RFC 7636).

What it answers is an ID token that carries our nonce, judged like any other (`mssante.id_tokens`). Nothing is kept here between the
two steps: who asks keeps the secrets of a `Trip` where only that browser brings them back.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlencode

from foundation.clock import Clock
from mssante.id_tokens import IdTokens, No, no
from mssante.openid import Subject
from mssante.openid_provider import Asking, OpenIdProvider, Unreachable

ENDPOINT = "authorization_endpoint"


def _secret() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True, repr=False)
class Trip:
    """One way there and back. `verifier` of PKCE (RFC 7636 4.1), `nonce` of the ID token."""

    verifier: str = field(default_factory=_secret)
    nonce: str = field(default_factory=_secret)

    @property
    def challenge(self) -> str:
        return urlsafe_b64encode(sha256(self.verifier.encode()).digest()).decode().rstrip("=")


class CodeFlow:
    """`asking`: our name and secret at the provider; `back`: our address that it sends people back to."""

    def __init__(self, provider: OpenIdProvider, asking: Asking, scope: str, back: str, clock: Clock) -> None:
        self._provider, self._asking, self._scope, self._back = provider, asking, scope, back
        self._tokens = IdTokens(provider, asking, clock)

    async def leave(self, trip: Trip, state: str) -> str | No:
        """Where the browser is sent. `state` comes back with it."""
        asked = {
            "response_type": "code",
            "client_id": self._asking.client_id,
            "redirect_uri": self._back,
            "scope": self._scope,
            "state": state,
            "nonce": trip.nonce,
            "code_challenge": trip.challenge,
            "code_challenge_method": "S256",
        }
        if self._tokens.rules.acr:
            asked["acr_values"] = " ".join(sorted(self._tokens.rules.acr))
        try:
            address = await self._provider.endpoint(ENDPOINT)
        except Unreachable:
            return No.UNREACHABLE
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"

    async def arrive(self, trip: Trip, code: str, issuer: str, error: str) -> Subject | No:
        """What the provider sent back, as query parameters; empty for those that it did not."""
        if issuer and issuer != self._tokens.rules.issuer:  # RFC 9207 2.4: another provider's answer
            return No.TOKEN
        if error or not code:
            return no(error)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "code_verifier": trip.verifier,
        }
        try:
            said = await self._provider.ask("token_endpoint", form, self._asking)
            return no(said["error"]) if "error" in said else await self._tokens.subject(said, "nonce", trip.nonce)
        except Unreachable:
            return No.UNREACHABLE

"""One OpenID provider: where it says what it is (OpenID Connect Discovery 4), its keys as they rotate, and what it says of a token.

Its keys are kept, and fetched again when a token names one that is unknown, but not more often than every half minute: nobody can
make us ask it all day by inventing names. What it says of a token (RFC 7662) holds for a minute. When it cannot be reached, its
keys stay good for a day; then, and for a token it must be asked about, nobody comes in by token.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote_plus, urlencode

import structlog

from foundation.clock import DAY, HOUR, MINUTE, SECOND, Clock
from foundation.fetching import NotFetched, fetch
from mssante.cache import Cache
from mssante.openid import LONGEST, BadToken, Keys, Rules, Subject, claims_of, judge, key_id, read_keys

log = structlog.get_logger()

LARGEST = 1_000_000  # octets of an answer
ANSWER_WITHIN = 10.0  # seconds
AGAIN = 30 * SECOND
FRESH = HOUR
KEPT = DAY
SAID_FOR = MINUTE


@dataclass(frozen=True, slots=True, repr=False)
class Asking:
    """Our name and secret at the provider, to ask it about tokens."""

    client_id: str
    secret: str


class Unreachable(Exception):
    """The provider does not answer, or not as a provider does."""


class OpenIdProvider:
    """`asking`: None where tokens are read by us. `tls`: who is believed over https."""

    def __init__(
        self, rules: Rules, clock: Clock, tls: ssl.SSLContext | None = None, asking: Asking | None = None
    ) -> None:
        self.rules, self._clock, self._tls, self._asking = rules, clock, tls, asking
        self._keys: Keys = {}
        self._fetched_at = self._tried_at = -KEPT
        self._fetching = asyncio.Lock()
        self._about: Cache[str, dict[str, Any]] = Cache(1, FRESH)
        self._said: Cache[bytes, dict[str, Any] | BadToken] = Cache(10_000, SAID_FOR)

    @property
    def configuration(self) -> str:
        return self.rules.issuer.rstrip("/") + "/.well-known/openid-configuration"

    async def probe(self) -> None:
        """Asks where its keys are, or where to ask about tokens; raises `Unreachable`."""
        address = await self.endpoint("jwks_uri" if self._asking is None else "introspection_endpoint")
        if self._asking is None:
            await self._get(address)

    async def offers(self, endpoint: str) -> bool:
        try:
            await self.endpoint(endpoint)
        except Unreachable:
            return False
        return True

    async def ask(self, endpoint: str, form: Mapping[str, str], asking: Asking) -> dict[str, Any]:
        """What it answers to a form, in our name (RFC 6749 2.3.1): also its refusal (RFC 6749 5.2). Raises `Unreachable`."""
        body = ("application/x-www-form-urlencoded", urlencode(form).encode())
        basic = (quote_plus(asking.client_id), quote_plus(asking.secret))
        return _document(await self._get(await self.endpoint(endpoint), body, basic))

    async def signed_claims(self, token: str) -> dict[str, Any] | BadToken:
        """What a token claims that it signed; nothing else is judged. Raises `Unreachable`."""
        kid = key_id(token)
        return kid if isinstance(kid, BadToken) else claims_of(token, await self._keys_with(kid))

    async def judge(self, token: str) -> Subject | BadToken:
        """Raises `Unreachable`."""
        if len(token) > LONGEST:
            return BadToken.UNREADABLE
        claims = await self._claims(token)
        return claims if isinstance(claims, BadToken) else judge(claims, self.rules, self._clock())

    async def _claims(self, token: str) -> dict[str, Any] | BadToken:
        if self._asking is not None:
            return await self._said_of(token, self._asking)
        return await self.signed_claims(token)

    # ---------------------------------------------------------------- its keys
    async def _keys_with(self, kid: str) -> Keys:
        if self._wanted(kid) or (self._fetching.locked() and not self._have(kid)):
            async with self._fetching:  # who comes while they are fetched waits for them
                if self._wanted(kid):
                    await self._fetch_keys()
        if self._fetched_at + KEPT <= self._clock():
            raise Unreachable
        return self._keys

    def _have(self, kid: str) -> bool:
        return self._fetched_at + KEPT > self._clock() and (not kid or kid in self._keys)

    def _wanted(self, kid: str) -> bool:
        now = self._clock()
        stale = self._fetched_at + FRESH <= now or (bool(kid) and kid not in self._keys)
        return stale and self._tried_at + AGAIN <= now

    async def _fetch_keys(self) -> None:
        self._tried_at = self._clock()
        try:
            self._keys = read_keys(await self._get(await self.endpoint("jwks_uri")))
            self._fetched_at = self._tried_at
        except (Unreachable, ValueError) as fault:
            log.warning("openid.keys_not_fetched", fault=type(fault).__name__)

    # ---------------------------------------------------------------- what it says of a token
    async def _said_of(self, token: str, asking: Asking) -> dict[str, Any] | BadToken:
        memory = sha256(token.encode()).digest()
        now, generation = self._clock(), self._said.generation
        if (known := self._said.get(memory, now)) is not None:
            return known
        form = {
            "token": token,
            "token_type_hint": "access_token",
            "client_id": asking.client_id,
            "client_secret": asking.secret,
        }
        address = await self.endpoint("introspection_endpoint")
        answer = _document(await self._get(address, ("application/x-www-form-urlencoded", urlencode(form).encode())))
        # RFC 7662 2.2: "iss" may be left out by a server that only speaks of its own tokens
        said = {"iss": self.rules.issuer, **answer} if answer.get("active") is True else BadToken.INACTIVE
        self._said.keep(memory, said, now, generation)
        return said

    async def endpoint(self, name: str) -> str:
        """An address of its, as it says itself. Raises `Unreachable`."""
        found = self._about.get("", self._clock())
        if found is None:
            generation = self._about.generation
            found = _document(await self._get(self.configuration))
            self._about.keep("", found, self._clock(), generation)
        address = found.get(name)
        # Discovery 4.3: a document of somebody else; and nothing secret goes where TLS does not reach
        if found.get("issuer") != self.rules.issuer or not isinstance(address, str):
            raise Unreachable
        if self.rules.issuer.startswith("https://") and not address.startswith("https://"):
            raise Unreachable
        return address

    async def _get(
        self, url: str, post: tuple[str, bytes] | None = None, basic: tuple[str, str] | None = None
    ) -> bytes:
        also = 400 if basic else 200
        found = await fetch(url, LARGEST, tls=self._tls, post=post, seconds=ANSWER_WITHIN, basic=basic, also=also)
        if isinstance(found, NotFetched):
            raise Unreachable
        return found


def _document(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as fault:
        raise Unreachable from fault
    if not isinstance(found, dict):
        raise Unreachable
    return found

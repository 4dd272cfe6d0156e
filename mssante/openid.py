"""What a token of an OpenID provider says, judged: whose it is, for whom it was made, how its owner signed in, until when.

An access token is read by us when it is a JWT (RFC 9068, RFC 7519) signed by a key of the provider, or the provider is asked about
it (RFC 7662); the claims are judged by the same rules. Only public-key signatures are taken: neither « none », nor a MAC, which
whoever knows a public key could make.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import jwt

from foundation.clock import MINUTE, SECOND

ALGORITHMS = ["RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512", "EdDSA"]
LEEWAY = MINUTE  # between their clock and ours
LONGEST = 8_192  # characters of a token
LONGEST_SUBJECT = 256
_TYPES = ("", "jwt", "at+jwt", "application/at+jwt")  # RFC 9068 2.1; an ID token has none or JWT, and another audience


@dataclass(frozen=True, slots=True)
class Rules:
    """What a token must say. `clients`, `acr`: one of them, when there are any. `subject`: the claim that names the person."""

    issuer: str
    audience: str
    subject: str = "preferred_username"
    clients: frozenset[str] = frozenset()
    acr: frozenset[str] = field(default_factory=lambda: frozenset({"eidas1"}))


class BadToken(Enum):
    """Why a token opens nothing; for the operator, never for who sent it."""

    UNREADABLE = "not a signed token"
    ALGORITHM = "signed by an algorithm that is not taken"
    TYPE = "another kind of token"
    UNKNOWN_KEY = "signed by no key of the provider"
    SIGNATURE = "the signature is wrong"
    INACTIVE = "the provider says that it is good no more"
    ISSUER = "another issuer's"
    AUDIENCE = "made for somebody else"
    CLIENT = "given to a program that is not taken"
    LEVEL = "its owner did not sign in as strongly as is asked for"
    EXPIRED = "ended"
    NOT_YET = "not good yet"
    NOBODY = "names nobody"


@dataclass(frozen=True, slots=True, repr=False)
class Subject:
    """Whom a token names; `until` in ms."""

    name: str
    until: int

    def __repr__(self) -> str:
        return "Subject(…)"


Keys = Mapping[str, jwt.PyJWK]  # by their kid


def read_keys(document: bytes) -> dict[str, jwt.PyJWK]:
    """The signature keys of a JWK set (RFC 7517 5); those of kinds unknown here are passed over. ValueError: no JWK set."""
    found = {}
    try:
        listed = list(json.loads(document)["keys"])
    except (KeyError, TypeError, UnicodeDecodeError) as fault:
        raise ValueError("not a set of keys") from fault
    for one in listed:
        try:
            if one.get("use", "sig") == "sig" and one.get("kty") != "oct":
                found[str(one.get("kid", ""))] = jwt.PyJWK(one)
        except (jwt.PyJWTError, AttributeError, ValueError, TypeError):
            continue
    return found


def key_id(token: str) -> str | BadToken:
    """The kid of the key that signed, empty when the token names none; the header is not believed yet."""
    header = _header(token)
    return header if isinstance(header, BadToken) else str(header.get("kid", ""))


def claims_of(token: str, keys: Keys) -> dict[str, Any] | BadToken:
    """What a signed token claims, its signature checked; nothing else is."""
    header = _header(token)
    if isinstance(header, BadToken):
        return header
    kid = str(header.get("kid", ""))
    key = keys.get(kid) if kid or len(keys) != 1 else next(iter(keys.values()))
    if key is None:
        return BadToken.UNKNOWN_KEY
    try:
        claims = json.loads(jwt.PyJWS().decode(token, key.key, algorithms=ALGORITHMS))
    except (jwt.PyJWTError, ValueError, TypeError):
        return BadToken.SIGNATURE
    return claims if isinstance(claims, dict) else BadToken.UNREADABLE


def _header(token: str) -> dict[str, Any] | BadToken:
    if len(token) > LONGEST or token.count(".") != 2:
        return BadToken.UNREADABLE
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        return BadToken.UNREADABLE
    if header.get("alg") not in ALGORITHMS:
        return BadToken.ALGORITHM
    return header if str(header.get("typ", "")).lower() in _TYPES else BadToken.TYPE


def judge(claims: Mapping[str, Any], rules: Rules, now: int) -> Subject | BadToken:
    """Claims that are believed (signed, or said by the provider itself); the first rule that is not met."""
    if claims.get("iss") != rules.issuer:
        return BadToken.ISSUER
    if rules.audience not in _several(claims.get("aud")):
        return BadToken.AUDIENCE
    if not _allowed(claims.get("azp", claims.get("client_id")), rules.clients):
        return BadToken.CLIENT
    if not _allowed(claims.get("acr"), rules.acr):
        return BadToken.LEVEL
    until, since = _moment(claims.get("exp")), _moment(claims.get("nbf", 0))
    if until is None or since is None or until + LEEWAY <= now:
        return BadToken.EXPIRED
    if since - LEEWAY > now:
        return BadToken.NOT_YET
    name = claims.get(rules.subject)
    if not isinstance(name, str) or not name or len(name) > LONGEST_SUBJECT:
        return BadToken.NOBODY
    return Subject(name, until + LEEWAY)


def _allowed(claim: object, allowed: frozenset[str]) -> bool:
    return not allowed or (isinstance(claim, str) and claim in allowed)


def _several(claim: object) -> list[object]:
    """RFC 7519 4.1.3: one, or an array of them."""
    return claim if isinstance(claim, list) else [claim]


def _moment(claim: object) -> int | None:
    """A NumericDate (RFC 7519 2) in ms."""
    fine = isinstance(claim, (int, float)) and not isinstance(claim, bool) and 0 <= claim < 1e11
    return int(claim * SECOND) if fine else None  # type: ignore[operator]

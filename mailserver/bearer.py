"""The messages of OAUTHBEARER (RFC 7628 3.1, 3.2.2) and of XOAUTH2, as Google and Microsoft describe it; no transport, no token
is judged here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from mailserver.scram import NAME, Fault, name_of, text_of
from mailserver.sign_in import Provider


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """`login` as the client names it, maybe empty; `token` as it is in an Authorization field (RFC 6750 2.1)."""

    login: str
    token: str

    def __repr__(self) -> str:
        return "Asked(…)"


def read_oauthbearer(message: bytes) -> Asked | Fault:
    """gs2-header, then key=value pairs, each ended by %x01, and one more. Unknown keys pass (RFC 7628 3.1)."""
    found = _OAUTHBEARER.fullmatch(text_of(message))
    if found is None:
        return Fault.MALFORMED
    if found["flag"].startswith("p="):
        return Fault.UNBOUND  # bearer tokens are bound to no channel
    token = _token(found["pairs"])
    return Asked(name_of(found["authzid"] or ""), token) if token else Fault.MALFORMED


def read_xoauth2(message: bytes) -> Asked | Fault:
    """user= first, which is not escaped, then the same pairs."""
    found = _XOAUTH2.fullmatch(text_of(message))
    token = _token(found["pairs"]) if found is not None else ""
    return Asked(found["user"], token) if found is not None and token else Fault.MALFORMED


def oauthbearer_error(provider: Provider) -> bytes:
    """RFC 7628 3.2.2: where the client can get a token that is good here."""
    found = {"status": "invalid_token", "scope": provider.scope, "openid-configuration": provider.configuration}
    return json.dumps(found).encode()


def xoauth2_error(provider: Provider) -> bytes:
    return json.dumps({"status": "401", "schemes": "bearer", "scope": provider.scope}).encode()


def _token(pairs: str) -> str:
    """Of the one "auth" pair; empty when there is none, several, or another kind of authorization."""
    values = [value for key, _, value in (pair.partition("=") for pair in pairs.split("\x01")) if key.lower() == "auth"]
    found = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    return found["token"] if found is not None else ""


_PAIRS = r"(?P<pairs>(?:[A-Za-z]+=[\t\r\n\x20-\x7e]*\x01)*)\x01"
_OAUTHBEARER = re.compile(rf"(?P<flag>n|y|p=[A-Za-z0-9.-]+),(?:a=(?P<authzid>{NAME}))?,\x01{_PAIRS}")
_XOAUTH2 = re.compile(rf"user=(?P<user>[^\0\x01]*)\x01{_PAIRS}")
_BEARER = re.compile(
    r"(?i:bearer) +(?P<token>[A-Za-z0-9._~+/-]+=*) *"
)  # RFC 6750 2.1; the scheme without case (RFC 9110 11.1)

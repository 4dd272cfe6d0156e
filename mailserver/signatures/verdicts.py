"""What is said of a signature: one table of results (RFC 8601 2.7.1) and reasons, in words of ours and never the sender's."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """(result, reason)"""

    def __init__(self, result: str, reason: str) -> None:
        self.result = result
        self.reason = reason

    PASS = ("pass", "")
    BODY_ALTERED = ("fail", "body altered")
    HEADER_ALTERED = ("fail", "header altered")
    EXPIRED = ("policy", "expired")
    TOO_WEAK = ("policy", "algorithm or key too weak")  # RFC 8301 3
    UNSIGNED_CONTENT = ("policy", "unsigned content")  # RFC 6376 8.2: l= ends before the body
    TOO_MANY = ("policy", "too many signatures, not checked")
    IN_TEST = ("neutral", "key in test")  # RFC 6376 3.6.1: like no signature, whatever it is worth
    SYNTAX = ("neutral", "syntax")
    TOO_LONG = ("neutral", "too long")
    UNKNOWN_ALGORITHM = ("neutral", "unknown algorithm")
    TAG_MISSING = ("permerror", "required tag missing")
    FROM_NOT_SIGNED = ("permerror", "From not signed")
    DOMAIN_MISMATCH = ("permerror", "domain mismatch")  # i= and d=
    BODY_TOO_SHORT = ("permerror", "body too short")  # l= ends behind the body
    NO_KEY = ("permerror", "no key")
    KEY_REVOKED = ("permerror", "key revoked")
    KEY_UNUSABLE = ("permerror", "key unusable")
    KEY_MISMATCH = ("permerror", "key for something else")  # its k=, h= or s=
    NO_DNS = ("temperror", "key unavailable")
    NOT_CHECKED = ("temperror", "not checked")

    def __str__(self) -> str:
        """As in Authentication-Results."""
        return f'{self.result} reason="{self.reason}"' if self.reason else self.result

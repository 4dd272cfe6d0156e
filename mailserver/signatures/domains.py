"""Domains as signatures name them: U-labels and A-labels are the same (RFC 8616 4)."""

from __future__ import annotations

import re
from functools import lru_cache

_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")


@lru_cache(maxsize=1024)  # signatures come from the same operators, message after message
def ascii_domain(value: bytes) -> str:
    """In A-labels and lower case; "" for what is no domain."""
    try:
        text = value.decode()
        text = (text if text.isascii() else text.encode("idna").decode()).lower()
    except UnicodeError:
        return ""
    return text if _DOMAIN.fullmatch(text) else ""

"""Authentication-Results (RFC 8601): the field that tells what was checked here, and the forged ones that must go.

A message is encrypted while it comes, and what is said of it is known at its end only: so the field has the same size whatever it
says, and is written over. Blanks before a line end fill it up (RFC 5322 3.2.2).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping

from foundation.values import value
from mailserver.mime.fields import without
from mailserver.signatures.domains import ascii_domain
from mailserver.signatures.signature import Signature

NAME = b"authentication-results"
ROOM = 64  # characters for a method and what is said of it
VERSION = 1

_TOKEN = re.compile(r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+")  # RFC 2045 5.1
_BLANK = rb"(?:\s|\((?:[^()\\]|\\.)*+\))*+"
_CLAIM = re.compile(
    _BLANK + rb'(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|(?P<token>[^\s()<>@,;:\\"/\[\]?=]++))'
    rb"(?:" + _BLANK + rb"(?P<version>[0-9]{1,9}))?" + _BLANK + rb"(?:;|\Z)",
    re.DOTALL,
)


@value
class Told:
    """`statement`: "dkim=pass", at most `ROOM` characters; `properties`: as `shown`, which do not change with it."""

    statement: str
    properties: str = ""


def results_field(host: str, told: Iterable[Told], room: int = ROOM) -> bytes:
    """The whole field; its size depends on the properties alone."""
    parts = []
    for one in told:
        parts.append(f";\r\n\t{one.statement:{room}}")
        if one.properties:
            parts.append(f"\r\n\t{one.properties}")
    return f"Authentication-Results: {host}{''.join(parts)}\r\n".encode("ascii")


def shown(properties: Mapping[str, str]) -> str:
    return " ".join([f"{name}={_value(value)}" for name, value in properties.items() if value])


def properties_of(signature: Signature) -> str:
    """Those that could be read (2.7.1); the beginning of b= tells two of one domain apart (RFC 6008 4)."""
    return shown(
        {
            "header.d": signature.domain,
            "header.s": signature.selector,
            "header.a": signature.algorithm.decode(),
            "header.b": base64.b64encode(signature.octets[:6]).decode(),
        }
    )


def without_ours(header: bytes, host: str) -> bytes:
    """The header without the fields that claim to be from `host`, nor those nobody can read: they come from outside (section 5)."""
    if NAME not in header.lower():
        return header
    return without(header, lambda name, value: name == NAME and _is_forged(value, host))


def _is_forged(value: bytes, host: str) -> bool:
    claim = _CLAIM.match(value)
    if claim is None or int(claim["version"] or VERSION) != VERSION:
        return True
    name = claim["token"] or re.sub(rb"\\(.)", rb"\1", claim["quoted"], flags=re.DOTALL)
    return ascii_domain(name.strip()) == host


def _value(text: str) -> str:
    return text if _TOKEN.fullmatch(text) else f'"{text}"'

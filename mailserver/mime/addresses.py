"""Address lists (RFC 5322 section 3.4), with groups, comments and the obsolete forms that real mail carries.

`raw_addresses` gives what ENVELOPE needs: octets, encoded words untouched, groups marked as in RFC 9051 7.5.2.
`addresses` gives what people and rules need: decoded names, no group marks.
"""

from __future__ import annotations

import re

from foundation.values import value
from mailserver.mime.words import decode_words

MAX_ADDRESSES = 10_000  # of one field: the most recipients a message may have here; bounds the work on a hostile list

# (display name, source route, local part, domain); domain None marks a group's start (local part = its name) or end (all None).
RawAddress = tuple[bytes | None, bytes | None, bytes | None, bytes | None]

# The usual form, and the comma behind it.
_SIMPLE = re.compile(
    rb"""(?:(?:"([^"\\]*+)"|([^"<>,;:@()\[\]\\]*+))\s*+<([^<>@,;:"\s\\()]++)@([^<>@,;:"\s\\()\[\]]++)>"""
    rb"""|([^<>@,;:"\s\\()]++)@([^<>@,;:"\s\\()\[\]]++))\s*+(?:,\s*+|\Z)"""
)
_TOKEN = re.compile(
    rb'"(?P<quoted>(?:[^"\\]|\\.)*+)"?|<(?P<angle>(?:"(?:[^"\\]|\\.)*+"?|[^">])*+)>?|(?P<open>\()|(?P<mark>[,;:])'
    rb'|(?P<text>(?:[^"<(,;:\[]|\[[^\]]*+\]?)++)',
    re.DOTALL,
)
_COMMENT_MARK = re.compile(rb"[()\\]")
_SPECIAL = re.compile(r'[()<>\[\]:;@\\,"]')  # RFC 5322 3.2.3
_TO_ESCAPE = re.compile(r'[\\"]')
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)


@value
class Address:
    """`display` is decoded and may be empty; `domain` is "" when the sender wrote none. Case is kept."""

    display: str
    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local


def addresses(found: list[RawAddress]) -> list[Address]:
    """The mailboxes of a header, groups opened."""
    return [
        Address(decode_words(name or b""), _text(local), _text(domain))
        for name, _, local, domain in found
        if domain is not None and local is not None
    ]


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def decoded(value: bytes) -> str:
    """An unfolded header value with its encoded words decoded, and still an address list: a name with a comma in it is quoted."""
    if b"=?" not in value:
        return decode_words(value)
    text = ""
    for name, _, local, domain in raw_addresses(value):
        if local is None:  # a group's end
            text += ";"
            continue
        if text and not text.endswith(": "):
            text += ", "
        if domain is None:
            text += f"{_phrase(local)}: "
            continue
        spec = str(Address("", decode_words(local), decode_words(domain)))
        text += f"{_phrase(name)} <{spec}>" if name else spec
    return text


def _phrase(name: bytes) -> str:
    text = decode_words(name)
    return '"' + _TO_ESCAPE.sub(r"\\\g<0>", text) + '"' if _SPECIAL.search(text) else text


def raw_addresses(value: bytes) -> list[RawAddress]:
    """One unfolded header value."""
    found: list[RawAddress] = []
    at, end = 0, len(value)
    while at < end and len(found) < MAX_ADDRESSES:
        simple = _SIMPLE.match(value, at)
        if simple is None:
            return _Reader().read(value)
        quoted, phrase, local, domain, bare_local, bare_domain = simple.groups()
        if bare_local:
            found.append((None, None, bare_local, bare_domain))
        else:
            found.append((quoted or (phrase or b"").strip() or None, None, local, domain))
        at = simple.end()
    return found


class _Reader:
    """Walks the tokens of one value once; `_flush` ends an address at each separator."""

    def __init__(self) -> None:
        self.found: list[RawAddress] = []
        self.group = False
        self._clear()

    def _clear(self) -> None:
        self.phrase: list[bytes] = []  # words of the display name
        self.spec: list[bytes] = []  # the same octets as an address without brackets
        self.angle: bytes | None = None
        self.comment = b""

    def read(self, value: bytes) -> list[RawAddress]:
        at, end = 0, len(value)
        while at < end and len(self.found) < MAX_ADDRESSES:
            token = _TOKEN.match(value, at)
            if token is None:  # cannot happen: the alternatives cover every octet
                break
            at = token.end()
            if token.lastgroup == "open":
                text, at = _comment(value, at)
                self.comment = self.comment or text
            else:
                self._take(token)
        self._flush()
        if self.group:
            self.found.append((None, None, None, None))
        return self.found

    def _take(self, token: re.Match[bytes]) -> None:
        kind, text = token.lastgroup, token[token.lastgroup or 0]
        if kind == "quoted":
            self.phrase.append(_ESCAPE.sub(rb"\1", text))
            self.spec.append(token[0])
        elif kind == "angle":
            self.angle = text if self.angle is None else self.angle
        elif kind == "text":
            self.phrase.append(text.strip())
            self.spec.append(text)
        elif text == b":" and not self.group and self.angle is None and self.phrase:
            self.found.append((None, None, self._name() or b"", None))
            self.group = True
            self._clear()
        elif text == b":":
            self.spec.append(text)
        else:
            self._flush()
            if text == b";" and self.group:
                self.found.append((None, None, None, None))
                self.group = False

    def _name(self) -> bytes | None:
        return b" ".join(word for word in self.phrase if word) or None

    def _flush(self) -> None:
        if self.angle is not None:
            name, spec = self._name(), self.angle.strip()
        else:
            name, spec = None, b"".join(self.spec).strip()
        route = None
        if spec.startswith(b"@") and b":" in spec:  # RFC 5322 4.4: obsolete source route
            route, _, spec = spec.partition(b":")
        if spec:
            local, at, domain = spec.rpartition(b"@")
            if not at:
                local, domain = spec, b""
            self.found.append((name or self.comment or None, route, _unquote(local.strip()), domain.strip()))
        elif self.angle is not None and name:
            self.found.append((name, None, b"", b""))
        self._clear()


def _unquote(local: bytes) -> bytes:
    if len(local) >= 2 and local.startswith(b'"') and local.endswith(b'"'):
        return _ESCAPE.sub(rb"\1", local[1:-1])
    return local


def _comment(value: bytes, at: int) -> tuple[bytes, int]:
    """Text of the (nested) comment that opened before `at`, and where it ends."""
    start, depth = at, 1
    while found := _COMMENT_MARK.search(value, at):
        at = found.end()
        if found[0] == b"\\":
            at += 1
        elif found[0] == b"(":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return value[start : at - 1].strip(), at
    return value[start:].strip(), len(value)

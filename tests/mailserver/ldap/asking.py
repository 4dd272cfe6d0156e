"""Requests of LDAP as octets."""

from __future__ import annotations

from mailserver.ldap.ber import BOOLEAN, ENUMERATED, element, number, string
from mailserver.ldap.entries import BASE


def equal(name: str, value: str) -> bytes:
    return element(0xA3, string(name), string(value))


def substrings(name: str, value: str) -> bytes:
    return element(0xA4, string(name), element(0x30, string(value, 0x80)))


def written(text: str) -> bytes:
    """A filter as RFC 4515 writes it; every client's library makes these octets of it."""
    found, rest = _written(text)
    assert not rest, rest
    return found


def _written(text: str) -> tuple[bytes, str]:
    assert text[0] == "(", text
    if text[1] in "&|!":
        parts, rest = [], text[2:]
        while rest[0] == "(":
            part, rest = _written(rest)
            parts.append(part)
        return element({"&": 0xA0, "|": 0xA1, "!": 0xA2}[text[1]], *parts), rest[1:]
    condition, _, rest = text[1:].partition(")")
    name, _, value = condition.partition("=")
    if value == "*":
        return element(0x87, name.encode()), rest
    if "*" not in value:
        return equal(name, value), rest
    first, *middle, last = value.split("*")
    pieces = [string(first, 0x80)] if first else []
    pieces += [string(one, 0x81) for one in middle]  # Thunderbird's library sends empty ones
    pieces += [string(last, 0x82)] if last else []
    return element(0xA4, string(name), element(0x30, *pieces)), rest


def search(
    wanted: bytes,
    base: str = BASE,
    scope: int = 2,
    limit: int = 0,
    attributes: tuple[bytes, ...] = (),
    at: int = 2,
    more: bytes = b"",
) -> bytes:
    asked = (
        string(base), number(scope, ENUMERATED), number(0, ENUMERATED), number(limit), number(0), element(BOOLEAN, b"\0"),
        wanted, element(0x30, *attributes),
    )  # fmt: skip
    return element(0x30, number(at), element(0x63, *asked), more)

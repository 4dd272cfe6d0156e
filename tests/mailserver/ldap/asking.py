"""Requests of LDAP as octets."""

from __future__ import annotations

from mailserver.ldap.ber import BOOLEAN, ENUMERATED, element, number, string
from mailserver.ldap.entries import BASE


def equal(name: str, value: str) -> bytes:
    return element(0xA3, string(name), string(value))


def substrings(name: str, value: str) -> bytes:
    return element(0xA4, string(name), element(0x30, string(value, 0x80)))


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

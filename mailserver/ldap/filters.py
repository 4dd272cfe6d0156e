"""Filters of LDAP (RFC 4511 4.5.1.7), read from octets; what they mean: `mssante.directory_filters`."""

from __future__ import annotations

from mailserver.ldap import ber
from mailserver.ldap.ber import OCTET_STRING, Malformed
from mssante.directory_filters import And, Equal, Filter, Not, Or, Parts, Present, Undefined

DEEPEST, MOST = 16, 100  # nested filters; conditions of one


def read_filter(tag: int, content: bytes) -> Filter:
    """Raises `Malformed`, also for a filter too deep or too long."""
    return _Reader().read(tag, content, DEEPEST)


class _Reader:
    def __init__(self) -> None:
        self._left = MOST

    def read(self, tag: int, content: bytes, depth: int) -> Filter:
        self._left -= 1
        if not depth or not self._left:
            raise Malformed("filter too large")
        if tag in (0xA0, 0xA1):
            parts = tuple(self.read(*part, depth - 1) for part in ber.elements(content))
            return And(parts) if tag == 0xA0 else Or(parts)
        if tag == 0xA2:
            [part] = _exactly(content, 1)
            return Not(self.read(*part, depth - 1))
        if tag in (0xA3, 0xA8):
            name, value = _exactly(content, 2)
            return Equal(_name(*name), ber.text(value[1]))
        if tag == 0xA4:
            return _substrings(content)
        if tag == 0x87:
            return Present(ber.text(content).lower())
        if tag in (0xA5, 0xA6, 0xA9):
            return Undefined()
        raise Malformed("filter")


def _substrings(content: bytes) -> Parts:
    name, values = _exactly(content, 2)
    parts = list(ber.elements(values[1]))
    if not parts or any(tag not in (0x80, 0x81, 0x82) for tag, _ in parts):
        raise Malformed("substrings")
    return Parts(_name(*name), tuple(ber.text(value) for _, value in parts))


def _exactly(content: bytes, count: int) -> list[tuple[int, bytes]]:
    found = list(ber.elements(content))
    if len(found) != count:
        raise Malformed("filter")
    return found


def _name(tag: int, content: bytes) -> str:
    if tag != OCTET_STRING:
        raise Malformed("attribute")
    return ber.text(content).lower()

"""Messages of LDAP (RFC 4511 4): requests read from octets, answers written. No meaning here, no transport."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from mailserver.ldap import ber
from mailserver.ldap.ber import ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE, SET, Malformed
from mailserver.ldap.filters import read_filter
from mssante.directory_filters import Filter

NOTICE_OF_DISCONNECTION = "1.3.6.1.4.1.1466.20036"  # RFC 4511 4.4.1
START_TLS = "1.3.6.1.4.1.1466.20037"  # RFC 4511 4.14
WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3"  # RFC 4532


class Code(IntEnum):
    """RFC 4511 4.1.9 and appendix A."""

    SUCCESS = 0
    OPERATIONS_ERROR = 1
    PROTOCOL_ERROR = 2
    SIZE_LIMIT_EXCEEDED = 4
    AUTH_METHOD_NOT_SUPPORTED = 7
    UNAVAILABLE_CRITICAL_EXTENSION = 12
    SASL_BIND_IN_PROGRESS = 14
    NO_SUCH_OBJECT = 32
    INVALID_DN_SYNTAX = 34
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_ACCESS_RIGHTS = 50
    UNAVAILABLE = 52
    UNWILLING_TO_PERFORM = 53


class Scope(IntEnum):
    BASE = 0
    ONE = 1
    SUBTREE = 2


@dataclass(frozen=True, slots=True, repr=False)
class Bind:
    """`mechanism` and `credentials`: SASL; else the simple way with `password`. `credentials` None: the client sent none."""

    version: int
    name: str
    password: bytes = b""
    mechanism: str | None = None
    credentials: bytes | None = None

    def __repr__(self) -> str:
        return f"Bind({self.mechanism})"


@dataclass(frozen=True, slots=True)
class Unbind:
    pass


@dataclass(frozen=True, slots=True)
class Abandon:
    pass


@dataclass(frozen=True, slots=True, repr=False)
class SearchRequest:
    """`size_limit` 0: none of the client's."""

    base: str
    scope: Scope
    size_limit: int
    types_only: bool
    filter: Filter
    attributes: tuple[str, ...]

    def __repr__(self) -> str:
        return "SearchRequest(***)"


@dataclass(frozen=True, slots=True)
class Extended:
    name: str


@dataclass(frozen=True, slots=True)
class Other:
    """A request that changes or compares: read-only here. `answer`: the tag of its answer."""

    answer: int


Operation = Bind | Unbind | Abandon | SearchRequest | Extended | Other


@dataclass(frozen=True, slots=True)
class Request:
    """`critical`: name of the first control that it says must be understood; none is."""

    number: int
    operation: Operation
    critical: str = ""


BIND, UNBIND, SEARCH, MODIFY, ADD, DELETE, RENAME, COMPARE, ABANDON, EXTENDED = (
    0x60, 0x42, 0x63, 0x66, 0x68, 0x4A, 0x6C, 0x6E, 0x50, 0x77,
)  # fmt: skip
BIND_ANSWER, ENTRY, SEARCH_DONE, EXTENDED_ANSWER = 0x61, 0x64, 0x65, 0x78
_OTHERS = {MODIFY: 0x67, ADD: 0x69, DELETE: 0x6B, RENAME: 0x6D, COMPARE: 0x6F}
_CONTROLS, _SIMPLE, _SASL, _CREDENTIALS = 0xA0, 0x80, 0xA3, 0x87
_MECHANISM_ANSWER, _RESPONSE_NAME = 0x87, 0x8A
_LARGEST = (1 << 31) - 1


def answer_tag(operation: Operation) -> int:
    """Of the answer that ends the operation; those without one are never asked for."""
    if isinstance(operation, Other):
        return operation.answer
    return {Bind: BIND_ANSWER, SearchRequest: SEARCH_DONE}.get(type(operation), EXTENDED_ANSWER)


def read(octets: bytes) -> Request:
    """One whole LDAPMessage. Raises `Malformed`."""
    parts = list(ber.elements(ber.one(octets, SEQUENCE)))
    if len(parts) not in (2, 3) or parts[0][0] != INTEGER or (len(parts) == 3 and parts[2][0] != _CONTROLS):
        raise Malformed("message")
    number = ber.integer(parts[0][1])
    if not 0 < number <= _LARGEST:
        raise Malformed("message number")
    critical = next(_critical(parts[2][1]), "") if len(parts) == 3 else ""
    return Request(number, _operation(*parts[1]), critical)


def _operation(tag: int, content: bytes) -> Operation:
    if tag in _OTHERS:
        return Other(_OTHERS[tag])
    if tag == UNBIND:
        return Unbind()
    if tag == ABANDON:
        return Abandon()
    if tag == BIND:
        return _bind(content)
    if tag == SEARCH:
        return _search(content)
    if tag == EXTENDED:
        name, *_ = _parts(content, 0x80)
        return Extended(ber.text(name))
    raise Malformed("operation")


def _bind(content: bytes) -> Bind:
    found = list(ber.elements(content))
    if [tag for tag, _ in found[:2]] != [INTEGER, OCTET_STRING] or len(found) != 3:
        raise Malformed("bind")
    version, name, (way, secret) = ber.integer(found[0][1]), ber.text(found[1][1]), found[2]
    if way == _SIMPLE:
        return Bind(version, name, secret)
    if way != _SASL:
        return Bind(version, name, mechanism="")  # a way that is none of ours (RFC 4511 4.2)
    mechanism, *rest = _parts(secret, OCTET_STRING)
    return Bind(version, name, mechanism=ber.text(mechanism), credentials=rest[0] if rest else None)


def _search(content: bytes) -> SearchRequest:
    shape = (OCTET_STRING, ENUMERATED, ENUMERATED, INTEGER, INTEGER, ber.BOOLEAN)
    found = list(ber.elements(content))
    if len(found) != 8 or tuple(tag for tag, _ in found[:6]) != shape or found[7][0] != SEQUENCE:
        raise Malformed("search")
    scope, limit = ber.integer(found[1][1]), ber.integer(found[3][1])
    if scope not in (0, 1, 2) or limit < 0:
        raise Malformed("search")
    wanted = list(ber.elements(found[7][1]))
    if any(tag != OCTET_STRING for tag, _ in wanted):
        raise Malformed("attributes")
    return SearchRequest(
        ber.text(found[0][1]),
        Scope(scope),
        limit,
        found[5][1] not in (b"\0", b""),
        read_filter(*found[6]),
        tuple(ber.text(name) for _, name in wanted),
    )


def _critical(controls: bytes) -> Iterator[str]:
    for tag, control in ber.elements(controls):
        if tag != SEQUENCE:
            raise Malformed("control")
        name, *_ = _parts(control, OCTET_STRING)
        if any(kind == ber.BOOLEAN and value not in (b"\0", b"") for kind, value in ber.elements(control)):
            yield ber.text(name) or "?"


def _parts(content: bytes, first: int) -> list[bytes]:
    found = list(ber.elements(content))
    if not found or found[0][0] != first:
        raise Malformed("sequence")
    return [value for _, value in found]


# -------------------------------------------------------------------- answers
def result(number: int, tag: int, code: Code, text: str = "", *more: bytes) -> bytes:
    """An LDAPResult; nothing is ever matched of a base that is not there."""
    return _message(number, ber.element(tag, ber.number(code, ENUMERATED), ber.string(""), ber.string(text), *more))


def bound(number: int, code: Code, text: str = "", challenge: bytes | None = None) -> bytes:
    more = () if challenge is None else (ber.string(challenge, _CREDENTIALS),)
    return result(number, BIND_ANSWER, code, text, *more)


def extended(number: int, code: Code, text: str = "", name: str = "", value: str | None = None) -> bytes:
    more = [ber.string(name, _RESPONSE_NAME)] if name else []
    more += [] if value is None else [ber.string(value, 0x8B)]
    return result(number, EXTENDED_ANSWER, code, text, *more)


def entry(number: int, dn: str, attributes: Mapping[str, Iterable[str]]) -> bytes:
    listed = [
        ber.element(SEQUENCE, ber.string(name), ber.element(SET, *map(ber.string, values)))
        for name, values in attributes.items()
    ]
    return _message(number, ber.element(ENTRY, ber.string(dn), ber.element(SEQUENCE, *listed)))


def _message(number: int, operation: bytes) -> bytes:
    return ber.element(SEQUENCE, ber.number(number), operation)

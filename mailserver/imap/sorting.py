"""SORT's order (RFC 5256, RFC 5957): keys from columns and decoded headers, and the base subject. Pure.

Strings compare by i;unicode-casemap (RFC 5051): upper case, then compatibility decomposition, in code point order. The headers
come case-folded, so `ß` stands with `ss`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mailserver.imap import dates
from mailserver.imap.heads import field
from mailserver.mime.addresses import raw_addresses
from mailserver.store.columns import Columns

NO_HEAD = b""
LONGEST = 1000  # characters of a subject, or a name, that are looked at


@dataclass(frozen=True, slots=True)
class Criterion:
    """`name` of `KEYS`."""

    name: bytes
    reverse: bool = False


# ---------------------------------------------------------------- dates
def sent_at(head: bytes, arrived: int) -> int:
    """The Date header in UTC seconds, INTERNALDATE when there is none that can be read (RFC 5256 2.2)."""
    date = dates.sent(field(head, b"date"))
    return arrived if date is None else date.at


# ---------------------------------------------------------------- strings
def collated(text: str) -> str:
    return text.upper() if text.isascii() else unicodedata.normalize("NFKD", text.upper())


_BLOB = re.compile(r"\[[^\[\]]*\]\s*")
_MARK = re.compile(r"(?:re|fwd?)\s*(?:\[[^\[\]]*\]\s*)?:\s*")
_TRAILER = "(fwd)"
_WRAPPED = "[fwd:"


@dataclass(frozen=True, slots=True)
class Subject:
    base: str
    answer: bool  # a reply or a forward: something that says so was taken off


def base_subject(subject: str) -> Subject:
    """RFC 5256 2.1, of a decoded, case-folded subject. Each character is passed a bounded number of times."""
    text, answer = " ".join(subject[:LONGEST].split()), False
    while True:
        while text.endswith(_TRAILER):
            text, answer = text[: -len(_TRAILER)].rstrip(), True
        text, marked = _without_leaders(text)
        answer = answer or marked
        if not (text.startswith(_WRAPPED) and text.endswith("]")):
            return Subject(text, answer)
        text, answer = text[len(_WRAPPED) : -1].strip(), True


def _without_leaders(text: str) -> tuple[str, bool]:
    """Steps 3 to 5: `re:`, `fwd:` with the [blobs] before them, then blobs alone, as long as something is left."""
    at, marked = 0, False
    while True:
        last, end = at, at
        while blob := _BLOB.match(text, end):
            last, end = end, blob.end()
        if mark := _MARK.match(text, end):
            at, marked = mark.end(), True
        else:
            return text[end if end < len(text) else last :], marked


def subject_of(head: bytes) -> Subject:
    return base_subject(field(head, b"subject").decode("utf-8", "replace"))


# The usual form; what does not fit (groups, comments, several addresses before it) takes the longer way.
# Possessive: blanks belong to the name alone, or a long row of them would be divided in all ways.
_NAMED = re.compile(rb'(?:"(?P<quoted>[^"\\]*+)"\s*+|(?P<plain>[^<"@:;(]*+))<(?P<local>[^<>@"\s]++)@[^<>]*+>')


def first_address(head: bytes, name: bytes) -> tuple[str, str]:
    """(what a reader shows, local part) of the field's first address: its name, else the address (RFC 5957 2)."""
    value = field(head, name)
    if match := _NAMED.match(value):
        shown = (match["quoted"] or match["plain"] or b"").strip()
        address = value[match.start("local") : match.end() - 1]
        return _text(shown or address), _text(match["local"])
    for shown, _, local, domain in raw_addresses(value):
        if domain is None:  # a group: RFC 5256 sorts by its name
            return (_text(local), _text(local)) if local else ("", "")
        if local is not None:
            return _text(shown or (local + b"@" + domain if domain else local)), _text(local)
    return "", ""


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


Key = Callable[[int], Any]


def _by_address(name: bytes, shown: bool) -> Callable[[Columns, Mapping[int, bytes]], Key]:
    part = 0 if shown else 1
    return lambda columns, heads: lambda i: collated(first_address(heads.get(i, NO_HEAD), name)[part])


KEYS: dict[bytes, Callable[[Columns, Mapping[int, bytes]], Key]] = {
    b"ARRIVAL": lambda columns, heads: columns.dates.__getitem__,
    b"CC": _by_address(b"cc", shown=False),
    b"DATE": lambda columns, heads: lambda i: sent_at(heads.get(i, NO_HEAD), columns.dates[i]),
    b"DISPLAYFROM": _by_address(b"from", shown=True),
    b"DISPLAYTO": _by_address(b"to", shown=True),
    b"FROM": _by_address(b"from", shown=False),
    b"SIZE": lambda columns, heads: columns.sizes.__getitem__,
    b"SUBJECT": lambda columns, heads: lambda i: collated(subject_of(heads.get(i, NO_HEAD)).base),
    b"TO": _by_address(b"to", shown=False),
}
FROM_COLUMNS = frozenset((b"ARRIVAL", b"SIZE"))  # the others want heads

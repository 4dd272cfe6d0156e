"""Distinguished names: read from text (RFC 4514), compared attribute by attribute (RFC 4518 preparation).

Two names are equal when their prepared forms are: case, runs of spaces, Unicode composition and invisible characters do
not count, accents and punctuation do. The order of the relative names counts (X.501 9.2), the order inside a
multi-valued one does not. This file must not decide who is trusted: it only says whether two names are the same name.
It lives here because the trust list and the certificates both need it and neither may import the other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MAX_TEXT = 4_096  # characters; the longest name of the real list has 120

# RFC 4519 and the names that OpenSSL, Java and Windows write; the key compared is always the dotted OID.
OIDS = {
    "CN": "2.5.4.3",
    "COMMONNAME": "2.5.4.3",
    "SN": "2.5.4.4",
    "SURNAME": "2.5.4.4",
    "SERIALNUMBER": "2.5.4.5",
    "C": "2.5.4.6",
    "COUNTRYNAME": "2.5.4.6",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "S": "2.5.4.8",
    "STREET": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "T": "2.5.4.12",
    "TITLE": "2.5.4.12",
    "POSTALCODE": "2.5.4.17",
    "GN": "2.5.4.42",
    "GIVENNAME": "2.5.4.42",
    "ORGANIZATIONIDENTIFIER": "2.5.4.97",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
    "E": "1.2.840.113549.1.9.1",
    "EMAILADDRESS": "1.2.840.113549.1.9.1",
}
SHORT = {oid: name for name, oid in reversed(OIDS.items())}
CN, OU, ORGANISATION, COUNTRY = OIDS["CN"], OIDS["OU"], OIDS["O"], OIDS["C"]

_TYPE = re.compile(r"[ \n]*(?:OID\.|oid\.)?([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)[ \n]*=[ \n]*")
_HEX_PAIR = re.compile(r"[0-9A-Fa-f]{2}")
_ESCAPED = set(" \"#+,;<=>\\'")
_IGNORED = re.compile("[\u00ad\u034f\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")

Pair = tuple[str, str]  # (dotted OID, value)


class DnError(ValueError):
    """The text is not a distinguished name, or holds a character that no name may hold (RFC 4518 2.4)."""


def prepare(value: str) -> str:
    """The form compared: mapped, case-folded, NFKC, inner spaces single, none at the ends (RFC 4518 2.2 to 2.6).
    Idempotent.
    """
    mapped = _IGNORED.sub("", unicodedata.normalize("NFD", value)).casefold()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", mapped).casefold())
    spaced = " ".join(folded.split())
    for character in spaced:
        if unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn"):
            raise DnError("character not allowed in a name")
    return spaced


@dataclass(frozen=True, slots=True)
class DistinguishedName:
    """`rdns` root first (the order of the certificate), each a sorted tuple of prepared pairs; equality and hash use
    only these.

    `text` is the name as written, leaf first, for people: replies, pages.
    """

    rdns: tuple[tuple[Pair, ...], ...]
    text: str = field(compare=False)

    def values(self, oid: str) -> tuple[str, ...]:
        """Prepared values of one attribute, root first; empty when there is none."""
        return tuple(value for rdn in self.rdns for kind, value in rdn if kind == oid)

    @property
    def compared(self) -> str:
        """One text for all ways of writing the same name: what a table can hold and look up."""
        return ",".join("+".join(map(_written, rdn)) for rdn in reversed(self.rdns))

    def __str__(self) -> str:
        return self.text


def from_pairs(rdns: Iterable[Iterable[Pair]]) -> DistinguishedName:
    """A name from its attributes, root first, as (dotted OID, value). Raises DnError."""
    written = [list(rdn) for rdn in rdns]
    prepared = tuple(tuple(sorted((oid, prepare(value)) for oid, value in rdn)) for rdn in written)
    if not prepared or not all(rdn and all(value for _, value in rdn) for rdn in prepared):
        raise DnError("empty name or value")
    return DistinguishedName(prepared, ",".join("+".join(map(_written, rdn)) for rdn in reversed(written)))


def parse(text: str) -> DistinguishedName:
    """A name from RFC 4514 text, leaf first (`CN=host,OU=...,C=FR`); spaces around separators and quoted values are
    accepted (RFC 2253 4). Raises DnError.
    """
    if len(text) > MAX_TEXT:
        raise DnError("name too long")
    return from_pairs(reversed(list(_rdns(text.strip()))))


def _rdns(text: str) -> Iterator[list[Pair]]:
    position, rdn = 0, list[Pair]()
    while True:
        found = _TYPE.match(text, position)
        if found is None:
            raise DnError("attribute name expected")
        value, position = _value(text, found.end())
        rdn.append((_oid(found[1]), value))
        mark = text[position : position + 1]
        if mark != "+":
            yield rdn
            rdn = []
        if not mark:
            return
        position += 1


def _oid(name: str) -> str:
    if name[0].isdigit():
        return name
    try:
        return OIDS[name.upper()]
    except KeyError:
        raise DnError("unknown attribute name") from None


def _value(text: str, position: int) -> tuple[str, int]:
    """The value that starts at `position`, and the place of the separator after it (or the end)."""
    if text.startswith("#", position):
        raise DnError("hexadecimal values are not supported")
    quoted = text.startswith('"', position)
    position += quoted
    out, kept = bytearray(), 0  # kept: length up to the last escaped character, which no trimming may remove
    while position < len(text):
        character = text[position]
        if character == "\\":
            piece, position = _escape(text, position + 1)
            out += piece
            kept = len(out)
            continue
        if character == '"' if quoted else character in ",+;":
            break
        if not quoted and character in '"<>\0':
            raise DnError("unescaped special character")
        out += character.encode("utf-8", "surrogatepass")
        position += 1
    if quoted:
        kept, position = len(out), _after_quote(text, position)
    elif text.startswith(";", position):
        raise DnError("separator is not a comma")
    try:
        return bytes(out[:kept] + out[kept:].rstrip(b" \n")).decode(), position
    except UnicodeDecodeError:
        raise DnError("not UTF-8") from None


def _escape(text: str, position: int) -> tuple[bytes, int]:
    if text[position : position + 1] in _ESCAPED:
        return text[position].encode(), position + 1
    if _HEX_PAIR.match(text, position):
        return bytes.fromhex(text[position : position + 2]), position + 2
    raise DnError("bad escape")


def _after_quote(text: str, position: int) -> int:
    if position >= len(text):
        raise DnError("quote not closed")
    position += 1
    while text.startswith(" ", position):
        position += 1
    if position < len(text) and text[position] not in ",+":
        raise DnError("text after a quoted value")
    return position


def _written(pair: Pair) -> str:
    oid, value = pair
    escaped = re.sub(r'([",+;<>\\])', r"\\\1", value)
    if escaped[:1] in (" ", "#"):
        escaped = "\\" + escaped
    if escaped.endswith(" ") and value != " ":
        escaped = escaped[:-1] + "\\ "
    controls = re.sub(r"[\x00-\x1f]", lambda found: f"\\{ord(found[0]):02X}", escaped)
    return f"{SHORT.get(oid, oid)}={controls}"

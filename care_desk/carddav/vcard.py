"""An entry of the directory as a vCard (RFC 6350; 3.0, RFC 2426, for those who ask for nothing else)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import sha256
from uuid import NAMESPACE_URL, uuid5

from mssante.directory import Entry
from mssante.kinds import BoxKind

VERSIONS = ("3.0", "4.0")
_NEEDED = ("VERSION", "FN", "N", "UID")  # a card without them is none
_FOLD = 75  # octets of a line (RFC 6350 3.2)


def vcard(entry: Entry, version: str = "3.0", only: Collection[str] = ()) -> str:
    """`only`: the properties that are wanted, in upper case; empty: all."""
    lines = [f"{name}{parameters}:{value}" for name, parameters, value in _properties(entry, version)
             if not only or name in only or name in _NEEDED]  # fmt: skip
    return "".join(map(_folded, ("BEGIN:VCARD", *lines, "END:VCARD")))


def etag(entry: Entry) -> str:
    return f'"{sha256(vcard(entry).encode()).hexdigest()[:32]}"'


def _properties(entry: Entry, version: str) -> Iterable[tuple[str, str, str]]:
    four = version == "4.0"
    yield "VERSION", "", version
    yield "UID", "", f"urn:uuid:{uuid5(NAMESPACE_URL, f'mailto:{entry.address}')}"
    if four:
        yield "KIND", "", "individual" if entry.kind in (BoxKind.PER, BoxKind.CAB) else "org"
    yield "FN", "", _text(entry.display_name)
    yield "N", "", _list(entry.family_name or entry.display_name, entry.given_name, "", entry.title, "")
    if entry.organisation:
        yield "ORG", "", _list(*filter(None, (entry.organisation, entry.service)))
    if entry.profession:
        yield "TITLE", "", _text(entry.profession)
    if entry.specialities:
        yield "ROLE", "", _text(", ".join(entry.specialities))
    yield "EMAIL", ";TYPE=work" if four else ";TYPE=INTERNET,WORK", _text(entry.address)
    if entry.phone:
        yield "TEL", ";TYPE=work" if four else ";TYPE=WORK,VOICE", _text(entry.phone)
    if entry.town or entry.postcode:
        yield "ADR", ";TYPE=work" if four else ";TYPE=WORK", _list("", "", "", entry.town, "", entry.postcode, "")


def _list(*parts: str) -> str:
    return ";".join(map(_text, parts))


def _text(value: str) -> str:
    """RFC 6350 3.4; a control character has no place in a name."""
    plain = "".join(char for char in value.replace("\r\n", "\n") if char >= " " or char == "\n")
    for sign in ("\\", ";", ","):
        plain = plain.replace(sign, "\\" + sign)
    return plain.replace("\n", "\\n")


def _folded(line: str) -> str:
    """Never inside a character (RFC 6350 3.2)."""
    out, octets = [], 0
    for char in line:
        size = len(char.encode("utf-8", "replace"))
        if octets + size > _FOLD:
            out.append("\r\n ")
            octets = 1
        out.append(char)
        octets += size
    return "".join(out) + "\r\n"

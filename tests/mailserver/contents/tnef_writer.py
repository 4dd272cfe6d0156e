"""winmail.dat as MS-OXTNEF 2.1.3 writes it: what Outlook and Exchange put around files, and what they never would."""

from __future__ import annotations

import struct
from dataclasses import dataclass

# 2.1.3.4 (attributes), MS-OXPROPS (properties), MS-OXCDATA 2.11.1 (types)
VERSION, CODE_PAGE, CLASS, SUBJECT, MESSAGE = 0x00089006, 0x00069007, 0x00078008, 0x00018004, 0x00069003
RENDER, CREATED, TITLE, DATA, PICTURE, PROPERTIES = (
    0x00069002,
    0x00038012,
    0x00018010,
    0x0006800F,
    0x00068011,
    0x00069005,
)
DISPLAY_NAME, DATA_OBJECT, FILENAME, LONG_FILENAME, METHOD = 0x3001, 0x3701, 0x3704, 0x3707, 0x3705
INTEGER, BOOLEAN, OBJECT, STRING, UNICODE, TIME, BINARY, MULTIPLE = 0x3, 0xB, 0xD, 0x1E, 0x1F, 0x40, 0x102, 0x1000
MESSAGE_INTERFACE = bytes.fromhex("0703020000000000c000000000000046")
_SET = bytes.fromhex("0820060000000000c000000000000046")  # of named properties: PSETID_Common


@dataclass(frozen=True)
class Property:
    """`name`: of one that has no number of its own; `values`: already octets."""

    number: int
    kind: int
    values: tuple[bytes, ...]
    name: int | str | None = None


def text(number: int, value: str, name: int | str | None = None) -> Property:
    """As old Outlooks write it."""
    return Property(number, STRING, (value.encode("cp1252") + b"\0",), name)


def wide(number: int, value: str, name: int | str | None = None) -> Property:
    """As Exchange writes it."""
    return Property(number, UNICODE, ((value + "\0").encode("utf-16-le"),), name)


def integer(number: int, value: int, name: int | str | None = None) -> Property:
    return Property(number, INTEGER, (struct.pack("<I", value),), name)


OF_MESSAGE = (  # what stands in every one of them
    Property(0x0002, BOOLEAN, (b"\1\0\0\0",)),
    Property(0x0039, TIME, (bytes(8),)),
    Property(0x007F, BINARY, (b"<a@cabinet.example>",)),
    text(0x0070, "CR"),
    wide(0x0037, "CR"),
    integer(0x8000, 9, name=0x8552),
    wide(0x8001, "oui", name="x-ours"),
    Property(0x8002, MULTIPLE | UNICODE, ("a\0".encode("utf-16-le"), "bcd\0".encode("utf-16-le")), name="Keywords"),
    Property(0x0E05, MULTIPLE | INTEGER, (bytes(4), bytes(4), bytes(4))),
)


def winmail(*attachments: bytes) -> bytes:
    """Around them, what every message has."""
    head = attribute(VERSION, b"\0\0\1\0", 1) + attribute(CODE_PAGE, struct.pack("<II", 1252, 0), 1)
    head += attribute(CLASS, b"IPM.Microsoft Mail.Note\0", 1) + attribute(SUBJECT, b"CR\0", 1)
    return b"\x78\x9f\x3e\x22\x01\x00" + head + attribute(MESSAGE, properties(*OF_MESSAGE), 1) + b"".join(attachments)


def attachment(*attributes: tuple[int, bytes], level: int = 2) -> bytes:
    """In that order, behind the one that begins an attachment."""
    return b"".join(attribute(identifier, value, level) for identifier, value in ((RENDER, bytes(14)), *attributes))


def outlook(title: bytes, content: bytes, level: int = 2) -> bytes:
    """One attachment, by its title and data."""
    return winmail(attachment((TITLE, title + b"\0"), (DATA, content), level=level))


def attribute(identifier: int, value: bytes, level: int) -> bytes:
    return struct.pack("<BII", level, identifier, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def properties(*written: Property) -> bytes:
    return struct.pack("<I", len(written)) + b"".join(map(_property, written))


def _property(one: Property) -> bytes:
    made = struct.pack("<HH", one.kind, one.number) + _name(one.name)
    variable = one.kind & ~MULTIPLE in (STRING, UNICODE, BINARY, OBJECT)
    if variable or one.kind & MULTIPLE:
        made += struct.pack("<I", len(one.values))
    for value in one.values:
        made += (struct.pack("<I", len(value)) if variable else b"") + _filled(value)
    return made


def _name(name: int | str | None) -> bytes:
    if name is None:
        return b""
    if isinstance(name, int):
        return _SET + struct.pack("<II", 0, name)
    called = (name + "\0").encode("utf-16-le")
    return _SET + struct.pack("<II", 1, len(called)) + _filled(called)


def _filled(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)

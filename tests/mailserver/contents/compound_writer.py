"""Compound files as MS-CFB writes them (version 3), and what hostile ones change; Outlook's messages in them (MS-OXMSG)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

SECTOR, MINI, CUTOFF = 512, 64, 4096
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
STORAGE, STREAM, ROOT = 1, 2, 5
Streams = Mapping[str, bytes]  # by path, parted by /


@dataclass
class Made:
    """`octets()` puts it together; before, a test may change what stands in it."""

    entries: list[list[int | bytes]] = field(default_factory=list)  # name, kind, left, right, child, start, size
    fat: list[int] = field(default_factory=list)
    mini_fat: list[int] = field(default_factory=list)
    sectors: bytearray = field(default_factory=bytearray)
    mini: bytearray = field(default_factory=bytearray)
    header: dict[int, int] = field(default_factory=dict)  # numbers of 32 bits, by place

    def entry(self, name: str) -> list[int | bytes]:
        return next(one for one in self.entries if one[0] == name.encode("utf-16-le"))

    def octets(self) -> bytes:
        self.entries[0][5], self.entries[0][6] = self._keep(bytes(self.mini)), len(self.mini)
        mini_fat = self._keep(struct.pack(f"<{len(self.mini_fat)}I", *self.mini_fat))
        minis = -(-len(self.mini_fat) * 4 // SECTOR)
        directory = self._keep(b"".join(map(_entry, self.entries)))
        fats = 1
        while fats * 128 < len(self.fat) + fats:
            fats += 1
        places = list(range(len(self.fat), len(self.fat) + fats))
        table = [*self.fat, *[FAT] * fats]
        table += [FREE] * (fats * 128 - len(table))
        head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
        head += struct.pack("<9I", 0, fats, directory, 0, CUTOFF, mini_fat, minis, END, 0)
        made = bytearray(head + struct.pack("<109I", *places, *[FREE] * (109 - fats)))
        for at, value in self.header.items():
            struct.pack_into("<I", made, at, value)
        return bytes(made + self.sectors) + struct.pack(f"<{len(table)}I", *table)

    def add(self, content: bytes) -> tuple[int, int]:
        """(where it starts, its length)."""
        if len(content) >= CUTOFF:
            return self._keep(content), len(content)
        start, count = len(self.mini_fat), -(-len(content) // MINI)
        self.mini += content.ljust(count * MINI, b"\0")
        self.mini_fat += [*range(start + 1, start + count), END] if count else []
        return (start if count else END), len(content)

    def _keep(self, content: bytes) -> int:
        start, count = len(self.fat), -(-len(content) // SECTOR)
        self.sectors += content.ljust(count * SECTOR, b"\0")
        self.fat += [*range(start + 1, start + count), END] if count else []
        return start if count else END


def compound(streams: Streams) -> bytes:
    return made(streams).octets()


def made(streams: Streams) -> Made:
    """Neighbours hang on each other's right: a tree of which every reader finds all."""
    of = Made()
    of.entries.append(["Root Entry".encode("utf-16-le"), ROOT, FREE, FREE, FREE, END, 0])
    places: dict[tuple[str, ...], int] = {(): 0}
    last: dict[tuple[str, ...], int] = {}
    for path, content in streams.items():
        names = tuple(path.split("/"))
        for depth in range(1, len(names) + 1):
            here, above = names[:depth], names[: depth - 1]
            if here in places:
                continue
            start, size = of.add(content) if depth == len(names) else (0, 0)
            kind = STREAM if depth == len(names) else STORAGE
            places[here] = len(of.entries)
            of.entries.append([here[-1].encode("utf-16-le"), kind, FREE, FREE, FREE, start, size])
            if above in last:
                of.entries[last[above]][3] = places[here]
            else:
                of.entries[places[above]][4] = places[here]
            last[above] = places[here]
    return of


def _entry(of: list[int | bytes]) -> bytes:
    name, kind, left, right, child, start, size = of
    assert isinstance(name, bytes)
    head = name.ljust(64, b"\0") + struct.pack("<HBB", len(name) + 2, kind, 1)
    return head + struct.pack("<III36xIQ", left, right, child, start, size)


# ---------------------------------------------------------------- MS-OXMSG
def letter(*attachments: Streams) -> dict[str, bytes]:
    """A message with a recipient; `attachments`: streams of each."""
    found = {
        "__properties_version1.0": bytes(32),
        "__substg1.0_0037001F": "CR".encode("utf-16-le"),
        "__recip_version1.0_#00000000/__substg1.0_3001001F": "claire@cabinet.js".encode("utf-16-le"),
    }
    for number, streams in enumerate(attachments):
        place = f"__attach_version1.0_#{number:08X}"
        found |= {f"{place}/{name}": content for name, content in streams.items()}
    return found


def attached(content: bytes, name: str) -> dict[str, bytes]:
    wide = name.encode("utf-16-le")
    return {"__properties_version1.0": bytes(8), "__substg1.0_37010102": content, "__substg1.0_3707001F": wide}


def message_in_it(streams: Streams, subject: str) -> dict[str, bytes]:
    found = {"__substg1.0_3001001F": subject.encode("utf-16-le")}
    return found | {f"__substg1.0_3701000D/{name}": content for name, content in streams.items()}


def behind_icon(content: bytes, label: str) -> bytes:
    """MS-OLEDS 2.3.6, as Windows' Packager fills it: label, place, command, octets."""
    name = label.encode("cp1252") + b"\0"
    held = b"\x02\x00" + name + b"C:\\" + name + b"\0\0\x03\0"
    held += struct.pack("<I", len(name)) + name + struct.pack("<I", len(content)) + content
    return struct.pack("<I", len(held)) + held

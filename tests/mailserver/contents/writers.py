"""Archives that no tool here makes, written as their formats say (7-Zip reads them, `test_opening` asks it)."""

from __future__ import annotations

import struct
import zlib
from binascii import crc32


# ---------------------------------------------------------------- RAR 5 (rarlab.com/technote.htm)
def rar5(files: dict[str, bytes], locked: tuple[str, ...] = (), mode: int = 0o100644) -> bytes:
    """`locked`: names of files whose octets are said to be encrypted."""
    made = b"Rar!\x1a\x07\x01\x00" + _rar_block(1, _vint(0))
    for name, content in files.items():
        called = name.encode()
        head = _vint(4) + _vint(len(content)) + _vint(mode) + struct.pack("<I", crc32(content))
        head += _vint(0) + _vint(1) + _vint(len(called)) + called
        encryption = _vint(1) + _vint(0) + _vint(0) + bytes([15]) + bytes(32)
        extra = _vint(len(encryption)) + encryption if name in locked else b""
        made += _rar_block(2, head, extra, content)
    return made + _rar_block(5, _vint(0))


def _rar_block(kind: int, body: bytes, extra: bytes = b"", data: bytes = b"") -> bytes:
    flags = bool(extra) | bool(data) << 1
    lengths = (_vint(len(extra)) if extra else b"") + (_vint(len(data)) if data else b"")
    content = _vint(kind) + _vint(flags) + lengths + body + extra
    content = _vint(len(content)) + content
    return struct.pack("<I", crc32(content)) + content + data


def _vint(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*octets, value])


# ---------------------------------------------------------------- CAB (MS-CAB 2)
def cab(files: dict[str, bytes], deflated: bool = False) -> bytes:
    """One folder, in blocks of 32 KiB; `deflated`: MSZIP, each block with the one before as its dictionary."""
    whole, blocks = b"".join(files.values()), b""
    pieces = [whole[at : at + 0x8000] for at in range(0, len(whole), 0x8000)] or [b""]
    for number, piece in enumerate(pieces):
        held = _mszip(piece, pieces[number - 1] if number else b"") if deflated else piece
        sizes = struct.pack("<HH", len(held), len(piece))
        blocks += struct.pack("<I", _cab_check(sizes, _cab_check(held))) + sizes + held
    entries, at = b"", 0
    for name, content in files.items():
        entries += struct.pack("<IIHHHH", len(content), at, 0, 0x5A21, 0, 0x20) + name.encode() + b"\0"
        at += len(content)
    start = 36 + 8 + len(entries)
    folder = struct.pack("<IHH", start, len(pieces), int(deflated))
    head = b"MSCF" + struct.pack("<IIIIIBBHHHHH", 0, start + len(blocks), 0, 44, 0, 3, 1, 1, len(files), 0, 1, 0)
    return head + folder + entries + blocks


def _mszip(piece: bytes, before: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, before) if before else None
    packer = packer or zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"CK" + packer.compress(piece) + packer.flush()


def _cab_check(data: bytes, seed: int = 0) -> int:
    """MS-CAB 3.1: of four octets each; what is left over stands the other way round."""
    whole = len(data) // 4 * 4
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        seed ^= word
    return seed ^ int.from_bytes(data[whole:], "big")


# ---------------------------------------------------------------- LHA (header levels 0 and 2), ARJ
def lha(files: dict[str, bytes], level: int = 0) -> bytes:
    return b"".join(_lha_entry(name.encode(), content, level) for name, content in files.items()) + b"\0"


def _lha_entry(name: bytes, content: bytes, level: int) -> bytes:
    check = struct.pack("<H", _crc16(content))
    common = b"-lh0-" + struct.pack("<III", len(content), len(content), 0x5A210000)
    if level == 2:
        extended = struct.pack("<HB", len(name) + 3, 1) + name + struct.pack("<HB", 5, 0)
        rest = common + b"\x20\x02" + check + b"U" + extended
        head = struct.pack("<H", len(rest) + 6) + rest
        return head + struct.pack("<HH", _crc16(head + bytes(4)), 0) + content
    rest = common + b"\x20\x00" + bytes([len(name)]) + name + check
    return bytes([len(rest), sum(rest) & 0xFF]) + rest + content


def _crc16(data: bytes) -> int:
    """CRC-16 of ARC: the polynomial 0x8005, the other way round."""
    found = 0
    for octet in data:
        found ^= octet
        for _ in range(8):
            found = found >> 1 ^ (0xA001 if found & 1 else 0)
    return found


def arj(files: dict[str, bytes]) -> bytes:
    """TECHNOTE of ARJ 2.41: a main header, one of each file, stored; no header ends it."""
    made = _arj_head(bytes([30, 11, 1, 0, 0, 0, 2, 0]) + bytes(22) + b"a.arj\0\0")
    for name, content in files.items():
        fixed = bytes([30, 11, 1, 0, 0, 0, 0, 0]) + struct.pack("<IIII", 0, len(content), len(content), crc32(content))
        made += _arj_head(fixed + bytes(6) + name.encode() + b"\0\0") + content
    return made + b"\x60\xea\0\0"


def _arj_head(basic: bytes) -> bytes:
    return b"\x60\xea" + struct.pack("<H", len(basic)) + basic + struct.pack("<IH", crc32(basic), 0)

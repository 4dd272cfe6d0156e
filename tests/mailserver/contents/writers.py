"""Archives that no tool here makes, written as their formats say; nothing in them is compressed."""

from __future__ import annotations

import struct
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

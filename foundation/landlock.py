"""What a process may still see, given up for good (landlock(7), Linux 5.13): files beneath a few folders, to be read, no other.

None is written; where the kernel knows how, no TCP port is reached (6.7) and no process outside gets a signal (6.12). Nobody
outside can be traced, so nobody's memory is read. Numbers of calls are the same on all architectures.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION, _BENEATH, _NO_NEW_PRIVILEGES = 1, 1, 38
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_FILE_RIGHTS = ((1, 13), (2, 14), (3, 15), (5, 16))  # from that version on, so many rights on files are known
_TCP, _OUTSIDE = 0b11, 0b11  # bind and connect; abstract sockets and signals
_TCP_SINCE, _OUTSIDE_SINCE = 4, 6


def version() -> int:
    """0: the kernel does not know it, or was told not to."""
    return max(0, _call(_CREATE, None, 0, _VERSION))


def see_only(paths: Iterable[Path]) -> bool:
    """False: nothing was given up, the kernel does not know how."""
    known = version()
    if not known:
        return False
    rights = max(count for since, count in _FILE_RIGHTS if since <= known)
    handled = [(1 << rights) - 1, _TCP if known >= _TCP_SINCE else 0, _OUTSIDE if known >= _OUTSIDE_SINCE else 0]
    kept = handled[: 3 if known >= _OUTSIDE_SINCE else 2 if known >= _TCP_SINCE else 1]
    attributes = struct.pack(f"={len(kept)}Q", *kept)
    rules = _call(_CREATE, attributes, len(attributes), 0)
    if rules < 0:
        return False
    try:
        for path in paths:
            with suppress(OSError):  # it is not there
                _allow(rules, path)
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return _call(_RESTRICT, rules, 0) == 0
    finally:
        os.close(rules)


def _allow(rules: int, path: Path) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        allowed = _READ_FILE | _EXECUTE | (_READ_DIR if path.is_dir() else 0)
        _call(_ADD, rules, _BENEATH, struct.pack("=Qi", allowed, place), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: int | bytes | None) -> int:
    call = ctypes.CDLL(None).syscall
    call.restype = ctypes.c_long
    wide = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
    return int(call(ctypes.c_long(number), *wide))

"""Archives that are not ZIP files, read by libarchive: C, fed with hostile octets, so in the fenced process only."""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import c_char_p, c_int, c_void_p, cast
from dataclasses import dataclass

from libarchive import ffi
from libarchive.exception import ArchiveError
from libarchive.read import ArchiveRead

# By the label of `kinds.archive_of`: filters, formats. Never « all »: some filters start programs, some formats read files.
FORMATS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "RAR": ((), ("rar", "rar5")),
    "7z": ((), ("7zip",)),
    "CAB": ((), ("cab",)),
    "TAR": ((), ("tar",)),
    "LHA": ((), ("lha",)),
    "GZIP": (("gzip",), ("tar", "raw")),
    "BZIP2": (("bzip2",), ("tar", "raw")),
    "XZ": (("xz",), ("tar", "raw")),
    "ZSTD": (("zstd",), ("tar", "raw")),
    "COMPRESS": (("compress",), ("tar", "raw")),
}
_RAW = b"raw"
_is_locked = ffi.ffi("entry_is_data_encrypted", [ffi.c_archive_entry_p], c_int)
_format = ffi.ffi("format", [ffi.c_archive_p], c_int)  # 0: none was recognised
_holds_locked = ffi.ffi("read_has_encrypted_entries", [ffi.c_archive_p], c_int)


class Locked(Exception):
    """A password is needed to go on."""


class Broken(Exception):
    """No more of it can be read."""


@dataclass(slots=True)
class Member:
    """`read(size)`: the next octets. `name` is empty where the format keeps none (one compressed file)."""

    name: str
    locked: bool
    _archive: int
    _blocks: Iterator[bytes]
    _kept: bytes = b""

    def read(self, size: int) -> bytes:
        pieces, length = [self._kept], len(self._kept)
        try:
            while length < size and (block := next(self._blocks, b"")):
                pieces.append(block)
                length += len(block)
        except ArchiveError as fault:
            raise _why(self._archive) from fault
        octets = b"".join(pieces)
        self._kept = octets[size:]
        return octets[:size]

    def holds_anything(self) -> bool:
        """Asked of what is no file, before it is read."""
        try:
            self._kept = next(self._blocks, b"")
        except ArchiveError:  # some formats keep no octets of a folder or a link, and say so
            self._blocks = iter(())
        return bool(self._kept)


def members(data: bytes, label: str) -> Iterator[Member]:
    """The files in it, in order; each is to be read before the next is asked for. Raises `Locked` and `Broken`."""
    if label not in FORMATS:
        raise Broken
    filters, formats = FORMATS[label]
    archive = ffi.read_new()
    try:
        for name in filters:
            ffi.get_read_filter_function(name)(archive)
        for name in formats:
            ffi.get_read_format_function(name)(archive)
        ffi.read_open_memory(archive, cast(c_char_p(data), c_void_p), len(data))
        for entry in ArchiveRead(archive):
            name = "" if ffi.format_name(archive) == _RAW else _text(entry.pathname)
            member = Member(name, _is_locked(entry._entry_p) > 0, archive, entry.get_blocks())
            if entry.isfile or member.holds_anything() or not entry.isdir:  # what it is said to be is the sender's word
                yield member
    except ArchiveError as fault:
        raise _why(archive) from fault
    finally:
        ffi.read_free(archive)


def _why(archive: int) -> Locked | Broken:
    """libarchive asks the format, and does not look whether there is one: it would end this process, and what was found with it."""
    return Locked() if _format(archive) and _holds_locked(archive) > 0 else Broken()


def _text(name: str | bytes | None) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name or ""

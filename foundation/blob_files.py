"""Where large blobs live: sealed files, written aside, synced, then renamed into place. What is in them is `foundation.blobs`'s."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class SealedFile(Protocol):
    def write(self, data: bytes | bytearray) -> None: ...
    def write_first(self, data: bytes) -> None:
        """Over what was written first; nothing is written after that."""
        ...

    def read(self, offset: int, length: int) -> bytes: ...
    def end(self) -> None:
        """All is written; what waits for `commit` holds no descriptor."""
        ...

    def commit(self, name: str, read_soon: bool) -> None: ...
    def abort(self) -> None: ...


class BlobFiles(Protocol):
    """Where large blobs live: a folder here, S3 at scale."""

    def create(self) -> SealedFile: ...
    def read(self, name: str, offset: int, length: int) -> bytes: ...
    def remove(self, name: str) -> None: ...
    def older_than(self, at: int) -> Iterator[str]:
        """Names of the files written before `at` (ms)."""
        ...


class FolderFiles:
    """Large blobs as files, two letters of the name as folder; written aside, synced, then renamed into place."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._presence: int | None = None
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._incoming.mkdir(exist_ok=True, mode=0o700)

    def create(self) -> SealedFile:
        return _FolderFile(self, self._incoming / secrets.token_hex(16))

    def path(self, name: str) -> Path:
        return self._root / name[:2] / name

    def read(self, name: str, offset: int, length: int) -> bytes:
        try:
            with open(self.path(name), "rb") as file:
                return os.pread(file.fileno(), length, offset)
        except FileNotFoundError:
            raise KeyError(name) from None

    def remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def older_than(self, at: int) -> Iterator[str]:
        for folder in self._root.iterdir():
            if folder != self._incoming and folder.is_dir():
                for path in folder.iterdir():
                    if path.stat().st_mtime_ns // 1_000_000 < at:
                        yield path.name

    def enter(self) -> None:
        """At the start of a process that will write. Whoever finds no other there takes away what killed processes left half
        written: it was never promised to anyone.
        """
        self._presence = os.open(self._incoming.with_name("incoming.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # others write: what lies there may be theirs
        else:
            for path in self._incoming.iterdir():
                path.unlink(missing_ok=True)
        fcntl.flock(self._presence, fcntl.LOCK_SH)

    def leave(self) -> None:
        if self._presence is not None:
            os.close(self._presence)
            self._presence = None


class _FolderFile:
    def __init__(self, folder: FolderFiles, path: Path) -> None:
        self._folder = folder
        self._path = path
        self._file = open(path, "x+b", opener=lambda p, f: os.open(p, f, 0o600))  # noqa: SIM115

    def write(self, data: bytes | bytearray) -> None:
        self._file.write(data)

    def write_first(self, data: bytes) -> None:
        self._file.seek(0)
        self._file.write(data)

    def read(self, offset: int, length: int) -> bytes:
        self._file.flush()
        return os.pread(self._file.fileno(), length, offset)

    def end(self) -> None:
        self._file.close()

    def commit(self, name: str, read_soon: bool) -> None:
        """What nobody reads soon leaves the system's cache: the database and its index stay there, and the next file finds memory
        that was used before, where fresh memory costs more than all the rest of it (measured, in a virtual machine).
        """
        with open(self._path, "rb") if self._file.closed else self._file as file:
            file.flush()
            os.fdatasync(file.fileno())
            if not read_soon:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        target = self._folder.path(name)
        if not target.parent.exists():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(target.parent.parent)
        self._path.rename(target)
        _sync_folder(target.parent)

    def abort(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

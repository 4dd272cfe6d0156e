"""A copy of all that is stored but the master key, taken while the server runs, and the way back (docs/operator.md).

A backup is a folder:

    mssante.db      one moment of the database (PostgreSQL: mssante.dump, in pg_dump's own format)
    blobs/          the large messages and documents which that moment names, linked when they lie on the same disk
    blobs.txt       their names and sizes
    manifest.json   what this is, written last: without it the folder is no backup

The database comes first: a large blob is on disk before the transaction that names it and never changes, so every blob of that
moment can still be linked or copied afterwards. Nothing here opens what is sealed; only a check value tells one key from another.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection, select

from foundation.blob_chunks import TAG, chunk_count
from foundation.blob_files import FolderFiles
from foundation.keys import KEY_BYTES, KeyRing
from foundation.tables import blobs as blob_rows
from runtime import dump
from runtime.house import House
from runtime.schema import knows, upgrade
from runtime.settings import Settings

FORMAT = 1
MANIFEST, NAMES = "manifest.json", "blobs.txt"


class Wrong(Enum):
    """Why a backup or a restore does not go on; each has a sentence in `backup_cli`."""

    NOT_EMPTY = "not_empty"
    NOT_A_BACKUP = "not_a_backup"
    OTHER_FORMAT = "other_format"
    OTHER_DATABASE = "other_database"
    NEWER = "newer"
    NO_KEY = "no_key"
    OTHER_KEY = "other_key"
    DAMAGED = "damaged"
    MISSING = "missing"
    IN_USE = "in_use"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Fault:
    """`where`: a file, a database's address without its password, or what a tool said."""

    wrong: Wrong
    where: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`made_at` in ms; `octets` of the files of the blobs, sealed; `key`: tells master keys apart and says nothing of them."""

    format: int
    made_at: int
    dialect: str
    schema: str
    database: str
    sha256: str
    key: str
    blobs: int
    octets: int


# ---------------------------------------------------------------- there
def make(house: House, folder: Path) -> Manifest | Fault:
    """Into `folder`, which must be new or empty. Deliveries go on meanwhile."""
    if folder.exists() and any(folder.iterdir()):
        return Fault(Wrong.NOT_EMPTY, str(folder))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made_at = house.clock()
    taken = dump.take(house.db, folder)
    if isinstance(taken, dump.Failed):
        return Fault(Wrong.DAMAGED if taken.damaged else Wrong.TOOL, taken.said)
    count = octets = 0
    into = FolderFiles(folder / "blobs")
    with _new(folder / NAMES) as names:
        for name, size in taken.blobs:
            if _linked(house.files.path(name), into.path(name)):
                count, octets = count + 1, octets + size
                names.write(f"{name} {size}\n".encode())
            elif house.db.write_now(lambda tx, name=name: _is_named(tx.conn, name)):
                return Fault(Wrong.MISSING, str(house.files.path(name)))
        _sync(names)
    manifest = Manifest(
        FORMAT, made_at, house.db.dialect, taken.schema, taken.file.name, _sha256(taken.file), _mark(house.keys), count, octets
    )  # fmt: skip
    os.sync()  # the links too
    with _new(folder / MANIFEST) as file:
        file.write(json.dumps(asdict(manifest), indent=1).encode() + b"\n")
        _sync(file)
    return manifest


def _is_named(conn: Connection, name: str) -> bool:
    """False: removed since the moment of the copy, when nothing had pointed to it for days (`store.sweep`). Asked of the writer, so
    that a removal under way is over.
    """
    return conn.execute(select(blob_rows.c.id).where(blob_rows.c.name == name)).first() is not None


# ---------------------------------------------------------------- and back
def examine(settings: Settings, folder: Path) -> tuple[Manifest | None, list[Fault]]:
    """What `restore` would bring back, and all that speaks against it. Changes nothing."""
    manifest = _manifest(folder)
    if isinstance(manifest, Fault):
        return None, [manifest]
    return manifest, [*_unfit(settings, manifest), *_damaged(folder, manifest)]


def restore(settings: Settings, folder: Path, manifest: Manifest) -> Fault | None:
    """After an `examine` without faults. The blobs first, the database last: what is cut short can simply be begun again."""
    source, target = FolderFiles(folder / "blobs"), FolderFiles(settings.storage.blobs)
    for name, _ in _names(folder):
        _linked(source.path(name), target.path(name))
    os.sync()
    failed = dump.bring_back(folder / manifest.database, settings.storage.database)
    if failed is not None:
        return Fault(Wrong.TOOL, failed.said)
    upgrade(settings.storage.database)
    return None


def _manifest(folder: Path) -> Manifest | Fault:
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
        if found["format"] != FORMAT:
            return Fault(Wrong.OTHER_FORMAT, str(folder))
        return Manifest(**found)
    except (OSError, ValueError, TypeError, KeyError):
        return Fault(Wrong.NOT_A_BACKUP, str(folder))


def _unfit(settings: Settings, manifest: Manifest) -> Iterator[Fault]:
    """The place: an empty one, of the same kind, with the right key."""
    storage = settings.storage
    if not storage.master_key.exists() or storage.master_key.stat().st_size != KEY_BYTES:
        yield Fault(Wrong.NO_KEY, str(storage.master_key))
    elif _mark(KeyRing.load(storage.master_key)) != manifest.key:
        yield Fault(Wrong.OTHER_KEY, str(storage.master_key))
    if not knows(manifest.schema):
        yield Fault(Wrong.NEWER, manifest.schema)
    if dump.dialect(storage.database) != manifest.dialect:
        yield Fault(Wrong.OTHER_DATABASE, manifest.dialect)
    elif dump.in_use(storage.database):
        yield Fault(Wrong.IN_USE, dump.shown(storage.database))


def _damaged(folder: Path, manifest: Manifest) -> Iterator[Fault]:
    database = folder / manifest.database
    if not database.is_file():
        yield Fault(Wrong.MISSING, str(database))
    elif _sha256(database) != manifest.sha256:
        yield Fault(Wrong.DAMAGED, str(database))
    files, count = FolderFiles(folder / "blobs"), 0
    for count, (name, size) in enumerate(_names(folder), 1):  # noqa: B007  counted
        path = files.path(name)
        if not path.is_file():
            yield Fault(Wrong.MISSING, str(path))
        elif path.stat().st_size != sealed_size(size):
            yield Fault(Wrong.DAMAGED, str(path))
    if count != manifest.blobs:
        yield Fault(Wrong.DAMAGED, str(folder / NAMES))


# ---------------------------------------------------------------- parts
def sealed_size(size: int) -> int:
    """Octets of the file of a blob of `size` octets (`foundation.blobs`)."""
    return size + TAG * chunk_count(size)


def _names(folder: Path) -> Iterable[tuple[str, int]]:
    try:
        lines = (folder / NAMES).read_text("ascii").splitlines()
    except OSError:
        return
    for line in lines:
        name, _, size = line.partition(" ")
        yield name, int(size)


def _linked(source: Path, target: Path) -> bool:
    """A hard link, or a copy on another disk: the content of a blob never changes. False when there is no such file."""
    target.parent.mkdir(exist_ok=True, mode=0o700)
    try:
        os.link(source, target)
    except FileExistsError:
        pass  # of a restore that was cut short, or never lost
    except FileNotFoundError:
        return False
    except OSError:  # another file system, or one without links
        aside = target.with_name(target.name + ".new")
        shutil.copyfile(source, aside)
        with open(aside, "rb+") as file:
            _sync(file)
        aside.rename(target)
    return True


def _mark(keys: KeyRing) -> str:
    return keys.lookup("backup", "which key").hex()


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _new(path: Path) -> BinaryIO:
    return open(path, "xb", opener=lambda p, f: os.open(p, f, 0o600))


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())

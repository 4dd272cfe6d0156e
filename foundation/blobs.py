"""Blobs: immutable content, encrypted while it streams in, so that no plain octet ever touches the disk.

Each blob has its own random key, kept (sealed) in the rows that point to it: one stored copy serves many mailboxes. The content
is cut into chunks of 64 KiB, each AES-256-GCM under that key with its index as nonce (the key is used for one content only)
and a mark on the last one, so that a truncated or reordered file does not open and a slice reads only the chunks it needs.
Small blobs live in the database and share its fsync; large ones are files, synced before the transaction that names them.
The name is a keyed hash of the blob's key: it says nothing of the content. That of a small one begins with the time, so that the
index of names grows at its end, where one page takes many; that of a file does not: files are spread over folders by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2s
from itertools import islice
from threading import Semaphore

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, delete, insert, select

from foundation.blob_chunks import CHUNK, TAG, chunk_count, seal, seal_runs, unseal
from foundation.blob_files import BlobFiles, SealedFile
from foundation.clock import DAY, Clock, system_clock
from foundation.database import Transaction
from foundation.keys import KEY_BYTES, random_octets
from foundation.prepared import Prepared
from foundation.tables import blobs

STRAY_AGE = DAY
TICK = 64  # ms: nine hexadecimal digits until the year 2109
WAITING = 16  # large contents that may wait in memory in one process (`blob_receiver`)
INLINE = CHUNK  # up to one chunk in the database: measured 4 times faster than a file of its own, above it loses

_INSERT_ALL = Prepared(insert(blobs))
_INSERT = Prepared(insert(blobs).returning(blobs.c.id))


@dataclass(frozen=True, slots=True)
class BlobRef:
    """What a row keeps, sealed, to find and open a blob; `size` in octets of the plain content."""

    name: str
    key: bytes
    size: int

    def __repr__(self) -> str:
        return f"BlobRef({self.name}, {self.size} octets)"


class PreparedBlob:
    """Encrypted and, when large, synced to a file; it exists for others once `Blobs.insert` is committed.

    With a `place` it is large and still in memory, its file not written: it must be made `secure` before it is inserted.
    """

    __slots__ = ("_blobs", "_place", "_plain", "data", "ref")

    def __init__(
        self,
        blobs_: Blobs,
        ref: BlobRef,
        data: bytes | None,
        plain: bytes | None = None,
        place: Semaphore | None = None,
    ) -> None:
        self._blobs = blobs_
        self._plain = plain  # as it came: it is read at once, as a rule
        self._place = place
        self.ref = ref
        self.data = data  # sealed, when small

    def plaintext(self) -> bytes:
        return self.read(0, None)

    def read(self, offset: int, length: int | None) -> bytes:
        if (plain := self._plain) is not None:
            return plain[offset : None if length is None else offset + length]
        return self._blobs.open(self.ref, self.data, offset, length)

    @property
    def on_disk(self) -> bool:
        """To read it is to wait for the disk."""
        return self._plain is None and self.data is None

    def secure(self) -> PreparedBlob:
        """Itself, on disk if it is large (blocks)."""
        if self._place is not None:
            assert self._plain is not None
            self._blobs.write_file(self.ref, self._plain)
            self._leave()
        return self

    def discard(self) -> None:
        """Forgets a blob that was never inserted."""
        if self._place is not None:
            self._leave()
        elif self.data is None:
            self._blobs.files.remove(self.ref.name)

    def _leave(self) -> None:
        assert self._place is not None
        self._place.release()
        self._place = self._plain = None


class BlobWriter:
    """Takes octets, keeps at most one chunk of them in the clear, in memory."""

    def __init__(self, blobs_: Blobs) -> None:
        self._blobs = blobs_
        self._key = random_octets(KEY_BYTES)
        self._aead = AESGCM(self._key)
        self._buffer: bytearray | None = bytearray()  # None behind the end
        self._sealed = 0  # chunks already written
        self._file: SealedFile | None = None
        self._plain: bytes | None = None  # when small
        self._small: bytes | None = None  # the same, sealed
        self._keeps_first = False
        self._first = bytearray()  # the first chunk, when it is kept
        self.size = 0

    def keep_first(self) -> None:
        """From now on the first chunk stays in memory until the end, open to `put`; called while nothing is sealed."""
        self._keeps_first = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self._buffer is not None
        self._buffer += data
        self.size += len(data)
        while len(self._buffer) > CHUNK:  # the last chunk stays: it carries the end mark
            self._flush(bytes(self._buffer[:CHUNK]), last=False)
            del self._buffer[:CHUNK]

    def end(self) -> None:
        """All was written, and `finish` comes later: until then a large blob holds no memory and no descriptor."""
        self._end()
        if self._file is not None:
            self._file.end()

    def put(self, offset: int, data: bytes) -> None:
        """Writes over octets of the first chunk."""
        chunk = self._first if self._sealed else self._buffer
        assert chunk is not None
        chunk[offset : offset + len(data)] = data

    def pieces(self, offset: int) -> Iterator[bytes]:
        """What was written so far from `offset` on, a chunk at a time; nothing may be written meanwhile. Reads the file again."""
        for index in range(offset // CHUNK, self._sealed + 1):
            yield self._chunk(index)[max(0, offset - index * CHUNK) :]

    def _chunk(self, index: int) -> bytes:
        if index == self._sealed:
            assert self._buffer is not None
            return bytes(self._buffer)
        if index == 0 and self._keeps_first:
            return bytes(self._first)
        assert self._file is not None  # there is a sealed chunk
        return unseal(self._aead, index, self._file.read(index * (CHUNK + TAG), CHUNK + TAG), last=False)

    def finish(self) -> PreparedBlob:
        """Seals the last chunk; a large blob is on disk when this returns (blocks on fsync: call it in a thread)."""
        self._end()
        if self._file is None:
            return PreparedBlob(self._blobs, self._blobs.small_ref(self._key, self.size), self._small, self._plain)
        ref = BlobRef(_name(self._key), self._key, self.size)
        self._file.commit(ref.name, read_soon=True)
        return PreparedBlob(self._blobs, ref, None)

    def abort(self) -> None:
        if self._file is not None:
            self._file.abort()

    def _end(self) -> None:
        if self._buffer is None:
            return
        if self._file is None:
            self._plain = bytes(self._buffer)
            self._small = seal(self._aead, 0, self._plain, last=True)
        else:
            self._flush(bytes(self._buffer), last=True)
            if self._keeps_first:
                self._file.write_first(seal(self._aead, 0, bytes(self._first), last=False))
        self._buffer, self._first = None, bytearray()

    def _flush(self, chunk: bytes, last: bool) -> None:
        if self._file is None:
            self._file = self._blobs.files.create()
        if self._keeps_first and not self._sealed:
            self._first += chunk
            self._file.write(bytes(CHUNK + TAG))  # its place
        else:
            self._file.write(seal(self._aead, self._sealed, chunk, last))
        self._sealed += 1


class Blobs:
    """The blob store: `writer()` in, `insert` in the transaction of the row that points to it, `read` out."""

    def __init__(self, files: BlobFiles, clock: Clock = system_clock) -> None:
        self.files = files
        self.places = Semaphore(WAITING)
        self._clock = clock

    def writer(self) -> BlobWriter:
        return BlobWriter(self)

    def prepare(self, content: bytes) -> PreparedBlob:
        """On disk when this returns, if it is large (blocks)."""
        blob = self.held(content, None)
        if blob.data is None:
            self.write_file(blob.ref, content)
        return blob

    def held(self, content: bytes, place: Semaphore | None) -> PreparedBlob:
        """A large one is still to be written."""
        key = random_octets(KEY_BYTES)
        if len(content) <= INLINE:
            ref, sealed = self.small_ref(key, len(content)), seal(AESGCM(key), 0, content, last=True)
            return PreparedBlob(self, ref, sealed, content)
        ref = BlobRef(_name(key), key, len(content))
        return PreparedBlob(self, ref, None, content if place else None, place)

    def small_ref(self, key: bytes, size: int) -> BlobRef:
        """Of a blob in the database: its name begins with the time, in ticks."""
        return BlobRef(f"{self._clock() // TICK:09x}{_name(key)[9:]}", key, size)

    def write_file(self, ref: BlobRef, content: bytes) -> None:
        file = self.files.create()
        try:
            for sealed in seal_runs(AESGCM(ref.key), content):
                file.write(sealed)
            file.commit(ref.name, read_soon=False)
        except BaseException:
            file.abort()
            raise

    def insert(self, tx: Transaction, prepared: PreparedBlob) -> int:
        """The blob's row; returns its id."""
        return int(_INSERT.run(tx.conn, self._row(prepared)).fetchone()[0])

    def insert_all(self, tx: Transaction, prepared: Sequence[PreparedBlob]) -> list[int]:
        """`insert` of many, at least one, by a few statements."""
        if len(prepared) == 1:
            return [self.insert(tx, prepared[0])]
        _INSERT_ALL.run_all(tx.conn, [self._row(one) for one in prepared])
        names, ids = [one.ref.name for one in prepared], dict[str, int]()
        for start in range(0, len(names), 500):
            query = select(blobs.c.name, blobs.c.id).where(blobs.c.name.in_(names[start : start + 500]))
            ids.update((row.name, row.id) for row in tx.execute(query))
        return [ids[name] for name in names]

    def _row(self, prepared: PreparedBlob) -> dict[str, object]:
        ref = prepared.ref
        return {"name": ref.name, "size": ref.size, "data": prepared.data, "created_at": self._clock()}

    def read(self, conn: Connection, ref: BlobRef, offset: int = 0, length: int | None = None) -> bytes:
        """Octets from `offset`; raises KeyError when the blob is gone, `Tampered` when it was altered."""
        row = conn.execute(select(blobs.c.data).where(blobs.c.name == ref.name)).first()
        if row is None:
            raise KeyError(ref.name)
        return self.open(ref, row.data, offset, length)

    def stream(self, conn: Connection, ref: BlobRef) -> Iterator[bytes]:
        for offset in range(0, max(ref.size, 1), 4 * CHUNK):
            yield self.read(conn, ref, offset, 4 * CHUNK)

    def delete(self, tx: Transaction, names: list[str]) -> None:
        """Removes blobs that no row points to any more. A file removed by a transaction that fails was unused all the same."""
        tx.execute(delete(blobs).where(blobs.c.name.in_(names)))
        for name in names:
            self.files.remove(name)

    def sweep_strays(self, conn: Connection) -> int:
        """Removes files that no row names: a process was killed between the file and the commit, nothing was promised.

        Young files are left alone: their transaction may be under way. Returns how many went.
        """
        count = 0
        names = self.files.older_than(self._clock() - STRAY_AGE)
        while some := list(islice(names, 500)):
            known = set(conn.execute(select(blobs.c.name).where(blobs.c.name.in_(some))).scalars())
            for name in some:
                if name not in known:
                    self.files.remove(name)
                    count += 1
        return count

    def open(self, ref: BlobRef, data: bytes | None, offset: int, length: int | None) -> bytes:
        end = ref.size if length is None else min(ref.size, offset + length)
        if offset >= end:
            return b""
        first, last = offset // CHUNK, (end - 1) // CHUNK
        start = first * (CHUNK + TAG)
        stop = min((last + 1) * (CHUNK + TAG), ref.size + TAG * chunk_count(ref.size))
        sealed = data[start:stop] if data is not None else self.files.read(ref.name, start, stop - start)
        aead, total, view = AESGCM(ref.key), chunk_count(ref.size), memoryview(sealed)
        if total == 1:  # nearly all mail, and nothing to copy
            return unseal(aead, 0, sealed, last=True)[offset:end]
        plain = b"".join(
            unseal(aead, first + i, view[at : at + CHUNK + TAG], first + i == total - 1)
            for i, at in enumerate(range(0, len(sealed), CHUNK + TAG))
        )
        return plain[offset - first * CHUNK : end - first * CHUNK]


def _name(key: bytes) -> str:
    return blake2s(b"blob", key=key, digest_size=16).hexdigest()

"""Encryption at rest: what goes in comes out, whole or by slice; what was altered does not open."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.blob_chunks import CHUNK, TAG
from foundation.blob_files import FolderFiles
from foundation.blobs import TICK, Blobs
from foundation.clock import DAY, system_clock
from foundation.database import Database, metadata
from foundation.keys import NONCE_BYTES, Key, KeyRing, Tampered, random_octets
from tests.support.properties import examples


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(FolderFiles(tmp_path / "blobs"), clock=lambda: 0)


def path_of(blobs: Blobs, name: str) -> Path:
    assert isinstance(blobs.files, FolderFiles)
    return blobs.files.path(name)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7])
def test_round_trip_at_every_edge(blobs: Blobs, size: int) -> None:
    content = bytes(i % 251 for i in range(size))
    prepared = blobs.prepare(content)
    assert prepared.plaintext() == blobs.open(prepared.ref, prepared.data, 0, None) == content
    assert (prepared.data is None) == (size > CHUNK)  # large: in a file


@settings(max_examples=examples(60), deadline=None)
@given(
    size=st.integers(0, 3 * CHUNK),
    offset=st.integers(0, 4 * CHUNK),
    length=st.none() | st.integers(0, 4 * CHUNK),
    piece=st.integers(1, 2 * CHUNK),
)
def test_a_slice_is_the_slice(
    tmp_path_factory: pytest.TempPathFactory, size: int, offset: int, length: int | None, piece: int
) -> None:
    blobs = Blobs(FolderFiles(tmp_path_factory.mktemp("b")), clock=lambda: 0)
    content = bytes(i % 256 for i in range(size))
    writer = blobs.writer()
    for start in range(0, size, piece):
        writer.write(content[start : start + piece])
    blob = writer.finish()
    end = size if length is None else offset + length
    assert blobs.open(blob.ref, blob.data, offset, length) == blob.read(offset, length) == content[offset:end]


@settings(max_examples=examples(60), deadline=None)
@given(
    size=st.integers(40, 3 * CHUNK + 40),
    at=st.integers(0, 30),
    offset=st.integers(0, CHUNK),
    piece=st.integers(1, 2 * CHUNK),
)
def test_the_beginning_can_be_written_last(
    tmp_path_factory: pytest.TempPathFactory, size: int, at: int, offset: int, piece: int
) -> None:
    """And what was written is read again before that, piece by piece."""
    blobs = Blobs(FolderFiles(tmp_path_factory.mktemp("b")), clock=lambda: 0)
    content = bytes(i % 256 for i in range(size))
    writer = blobs.writer()
    writer.keep_first()
    for start in range(0, size, piece):
        writer.write(content[start : start + piece])
    assert b"".join(writer.pieces(min(offset, size))) == content[offset:]
    assert max(map(len, writer.pieces(0))) <= CHUNK
    writer.put(at, b"known last")
    blob = writer.finish()
    assert blobs.open(blob.ref, blob.data, 0, None) == content[:at] + b"known last" + content[at + 10 :]


def test_a_large_blob_on_disk_holds_no_plain_octets_and_is_private(blobs: Blobs) -> None:
    sentence = b"douleur thoracique depuis deux jours. "
    blob = blobs.prepare(sentence * 4000)
    path = path_of(blobs, blob.ref.name)
    assert sentence[:12] not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parents[1].stat().st_mode & 0o077 == 0  # the folder of all blobs: a restore makes it anew


@pytest.mark.parametrize("fault", ["flip", "truncate", "drop a chunk", "swap chunks"])
def test_an_altered_blob_does_not_open(blobs: Blobs, fault: str) -> None:
    blob = blobs.prepare(bytes(3 * CHUNK))
    path = path_of(blobs, blob.ref.name)
    data, step = bytearray(path.read_bytes()), CHUNK + TAG
    if fault == "flip":
        data[step + 5] ^= 1
    elif fault == "truncate":
        del data[-1:]
    elif fault == "drop a chunk":
        del data[:step]
    else:
        data[:step], data[step : 2 * step] = data[step : 2 * step], data[:step]
    path.write_bytes(data)
    with pytest.raises(Tampered):
        blob.plaintext()


async def test_a_small_blob_lives_in_the_database(tmp_path: Path, blobs: Blobs) -> None:
    db = Database(f"sqlite:///{tmp_path}/t.db")
    metadata.create_all(db.engine)
    blob = blobs.prepare(b"petit")
    await db.write(blobs.insert, blob)
    assert await db.read(blobs.read, blob.ref, 1, 2) == b"et"
    await db.write(blobs.delete, [blob.ref.name])
    with pytest.raises(KeyError):
        await db.read(blobs.read, blob.ref)
    await db.close()


def test_names_of_small_blobs_grow_with_time_and_those_of_files_are_spread(tmp_path: Path) -> None:
    now = [system_clock()]
    blobs = Blobs(FolderFiles(tmp_path / "blobs"), clock=lambda: now[0])
    small, files = [], set()
    for _ in range(40):
        writer = blobs.writer()
        writer.write(b"petit")
        for make in (partial(blobs.prepare, b"petit"), writer.finish):
            small.append(make().ref.name)
            now[0] += TICK
        files.add(path_of(blobs, blobs.prepare(bytes(CHUNK + 1)).ref.name).parent)
    assert small == sorted(set(small))
    assert len(files) > 20


async def test_a_file_that_a_killed_process_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    now = [system_clock()]
    blobs = Blobs(FolderFiles(tmp_path / "blobs"), clock=lambda: now[0])
    db = Database(f"sqlite:///{tmp_path}/t.db")
    metadata.create_all(db.engine)
    kept, stray = blobs.prepare(bytes(CHUNK + 1)), blobs.prepare(bytes(CHUNK + 2))
    await db.write(blobs.insert, kept)
    assert await db.read(blobs.sweep_strays) == 0  # young: its transaction may be under way
    now[0] += 2 * DAY
    assert await db.read(blobs.sweep_strays) == 1
    assert len(kept.plaintext()) == CHUNK + 1
    with pytest.raises(KeyError):
        stray.plaintext()
    await db.close()


def test_a_sealed_value_opens_only_in_its_context() -> None:
    key = Key(bytes(32))
    sealed = key.seal(b"Mme Exemple", b"row 1")
    assert key.open(sealed, b"row 1").decode() == "Mme Exemple"
    for opening, context in ((key, b"row 2"), (Key(bytes([1] * 32)), b"row 1")):
        with pytest.raises(Tampered):
            opening.open(sealed, context)
    with pytest.raises(Tampered):
        key.open(b"short", b"row 1")


def test_no_nonce_is_used_twice_not_even_by_a_process_and_its_child() -> None:
    read, write = os.pipe()
    random_octets(NONCE_BYTES)  # some are drawn, and left
    if (child := os.fork()) == 0:
        os.write(write, b"".join(random_octets(NONCE_BYTES) for _ in range(300)))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 300 * NONCE_BYTES)
    nonces = [theirs[at : at + NONCE_BYTES] for at in range(0, len(theirs), NONCE_BYTES)]
    nonces += [random_octets(NONCE_BYTES) for _ in range(1000)]
    assert len(nonces) == len(set(nonces)) == 1300
    assert {len(nonce) for nonce in nonces} == {NONCE_BYTES}


def test_a_key_ring_is_private_never_overwritten_and_gives_its_keys_back(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path / "keys" / "master")
    assert (tmp_path / "keys" / "master").stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        KeyRing.create(tmp_path / "keys" / "master")
    key, wrapped = ring.new_key(b"box 1")
    again = KeyRing.load(tmp_path / "keys" / "master")
    assert again.unwrap(wrapped, b"box 1").raw == key.raw
    assert again.lookup("address", "a@b.example") == ring.lookup("address", "a@b.example")
    assert again.lookup("address", "a@b.example") != ring.lookup("login", "a@b.example")
    assert "raw" not in repr(key)


def test_half_written_files_go_with_the_last_process_that_could_own_them(tmp_path: Path) -> None:
    """A process that starts beside others leaves what they are writing."""
    first, second, third = (FolderFiles(tmp_path) for _ in range(3))
    (tmp_path / "incoming" / "left").write_bytes(b"by a killed process")
    first.enter()
    assert list((tmp_path / "incoming").iterdir()) == []
    (tmp_path / "incoming" / "written").write_bytes(b"now")
    second.enter()
    assert len(list((tmp_path / "incoming").iterdir())) == 1
    first.leave()
    second.leave()
    third.enter()
    assert list((tmp_path / "incoming").iterdir()) == []
    third.leave()

"""Contents that wait in memory for who answers for them: few, not too long, and never on the disk in vain."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.blob_chunks import CHUNK, RUN
from foundation.blob_files import FolderFiles
from foundation.blob_receiver import LONGEST, Receiver
from foundation.blobs import INLINE, WAITING, Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(FolderFiles(tmp_path / "blobs"), clock=lambda: 0)


def received(blobs: Blobs, content: bytes, piece: int = 10_000_000) -> Receiver:
    receiver = Receiver(blobs)
    receiver.keep_first()
    for start in range(0, len(content), piece):
        receiver.write(content[start : start + piece])
    return receiver


def files(blobs: Blobs) -> int:
    assert isinstance(blobs.files, FolderFiles)
    return sum(path.is_file() for path in blobs.files.path("").parent.rglob("*"))


def free(blobs: Blobs) -> int:
    taken = sum(blobs.places.acquire(blocking=False) for _ in range(WAITING + 1))
    for _ in range(taken):
        blobs.places.release()
    return taken


@settings(max_examples=60, deadline=None)
@given(
    size=st.sampled_from(
        [40, INLINE, INLINE + 1, RUN * CHUNK, RUN * CHUNK + 1, (RUN + 1) * CHUNK, LONGEST, LONGEST + 1]
    ),
    at=st.integers(0, 30),
    offset=st.integers(0, 2 * CHUNK),
    piece=st.integers(CHUNK // 2, 4 * CHUNK),
    crowded=st.booleans(),
)
def test_what_goes_in_comes_out_wherever_it_waited(
    tmp_path_factory: pytest.TempPathFactory, size: int, at: int, offset: int, piece: int, crowded: bool
) -> None:
    blobs = Blobs(FolderFiles(tmp_path_factory.mktemp("b")), clock=lambda: 0)
    while crowded and blobs.places.acquire(blocking=False):
        pass
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    receiver = received(blobs, content, piece)
    assert receiver.size == size
    assert receiver.large == (size > LONGEST or (crowded and size > INLINE))
    assert b"".join(receiver.pieces(min(offset, size))) == content[offset:]
    receiver.put(at, b"known last")
    expected = content[:at] + b"known last" + content[at + 10 :]
    blob = receiver.finish()
    assert blob.plaintext() == expected
    blob.secure()
    assert blob.plaintext() == blobs.open(blob.ref, blob.data, 0, None) == expected


def test_what_is_given_up_never_touches_the_disk(blobs: Blobs) -> None:
    blob = received(blobs, bytes(LONGEST)).finish()
    assert not blob.on_disk
    assert (files(blobs), free(blobs)) == (0, WAITING - 1)
    blob.discard()
    assert (files(blobs), free(blobs)) == (0, WAITING)


def test_what_is_secure_waits_no_more(blobs: Blobs) -> None:
    blob = received(blobs, bytes(LONGEST)).finish()
    blob.secure()
    assert blob.on_disk
    assert (files(blobs), free(blobs)) == (1, WAITING)
    blob.secure()
    blob.discard()
    assert (files(blobs), free(blobs)) == (0, WAITING)


def test_few_wait_at_once_and_the_others_go_to_the_disk(blobs: Blobs) -> None:
    all_of_them = [received(blobs, bytes(INLINE + 1)) for _ in range(WAITING + 3)]
    assert [one.large for one in all_of_them] == [False] * WAITING + [True] * 3
    assert files(blobs) == 3
    for one in all_of_them:
        one.abort()
    assert (files(blobs), free(blobs)) == (0, WAITING)


def test_a_long_one_keeps_no_place(blobs: Blobs) -> None:
    receiver = received(blobs, bytes(LONGEST + 1), CHUNK)
    assert receiver.large
    assert free(blobs) == WAITING
    receiver.abort()
    assert (files(blobs), free(blobs)) == (0, WAITING)


def test_a_disk_that_refuses_leaves_nothing_and_keeps_the_content(blobs: Blobs, tmp_path: Path) -> None:
    blob = received(blobs, bytes(LONGEST)).finish()
    (tmp_path / "blobs" / "incoming").rmdir()
    with pytest.raises(FileNotFoundError):
        blob.secure()
    assert blob.plaintext() == bytes(LONGEST)
    blob.discard()
    assert (files(blobs), free(blobs)) == (0, WAITING)

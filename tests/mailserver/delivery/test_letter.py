"""Reading a letter: hostile octets cost little and never raise; what it says of itself is what the rules need."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.blob_files import FolderFiles
from foundation.blobs import Blobs
from foundation.keys import KeyRing
from mailserver.delivery.attachments import Addressed
from mailserver.delivery.letter import Letter, read
from mailserver.store.sealed import unpack_ref, unpack_text
from mssante.closing import Act
from mssante.kinds import BoxKind
from tests.support.properties import examples

KEYS = KeyRing(b"k" * 32)
PIECES = [
    b"Subject: [FIN] ",
    b"=?utf-8?q?[FIN]=0D=0ABcc:_x@y?=",
    b"=?utf-8?b?7aCA?=",
    b"From: a@b.example\r\n",
    b"Message-ID: <\xff@x>\r\n",
    b"References: <a> <b\r\n",
    b"X-MSS-MES: FIN\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: text/html\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"--b\r\n",
    b"--b--\r\n",
    b"\x00",
    b"\xed\xa0\x80",
    b"\n ",
]
octets = st.one_of(
    st.binary(max_size=400), st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=20).map(b"".join)
)


def numbered(octets: bytes) -> bytes:
    return octets if b"X-MSS-NIL" in octets else b"X-MSS-NIL: 42\r\n" + octets


def letter(content: bytes, folder: Path, wanted: set[Addressed] | None = None) -> Letter:
    blobs = Blobs(FolderFiles(folder))
    return read(
        KEYS, blobs, blobs.prepare(content), b"Return-Path: <a@b.example>\r\n", numbered, wanted or {None, *BoxKind}
    )


@settings(max_examples=examples(300), deadline=None, database=None)
@given(octets)
def test_any_octets_are_a_letter(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    got = letter(content, tmp_path_factory.getbasetemp() / "blobs")
    for copy in got.copies.values():
        ref = unpack_ref(copy.kept.front)
        assert ref.size == copy.kept.size == len(copy.blob.plaintext())
        unpack_text(copy.kept.heads)
        unpack_text(copy.kept.texts)
    relayed = got.copies[None].blob.plaintext()
    assert relayed.endswith(content)
    assert got.copies[BoxKind.PER].blob.plaintext() == b"Return-Path: <a@b.example>\r\n" + relayed
    if got.closing.act is not Act.DELIVER_THEN_CLOSE:
        assert got.copies[BoxKind.CIT].blob is got.copies[BoxKind.PER].blob


def test_a_subject_in_an_encoded_word_adds_no_header_field(tmp_path: Path) -> None:
    content = b"From: a@b.example\r\nSubject: =?utf-8?q?[FIN]=0D=0ABcc:_x@y.example?=\r\n\r\nbonjour\r\n"
    shown = letter(content, tmp_path).copies[BoxKind.CIT].blob.plaintext()
    assert b"\r\nBcc:" not in shown
    assert b"\r\nSubject: Bcc: x@y.example\r\n" in shown


def test_the_relayed_original_is_reused_as_it_is(tmp_path: Path) -> None:
    blobs = Blobs(FolderFiles(tmp_path))
    content = blobs.prepare(b"X-MSS-NIL: 7\r\nFrom: a@b.example\r\n\r\nx")
    got = read(KEYS, blobs, content, b"Return-Path: <>\r\n", numbered, {None})
    assert got.copies[None].blob is content
    assert set(got.copies) == {None}

"""Transfer encodings: cut anywhere, the same octets."""

from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime.encodings import DECODERS, decoded


def in_pieces(octets: bytes, encoding: str, cuts: list[int]) -> bytes:
    decoder, found, at = DECODERS[encoding](), b"", 0
    for cut in [*sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]:
        found += decoder.feed(octets[at:cut])
        at = cut
    return found + decoder.end()


HOSTILE = st.lists(st.sampled_from([b"=", b"QUJD", b"\r", b"\n", b"\r\n", b"=3D", b"a", b" ", b"\xff", b"=="])).map(
    b"".join
)


@pytest.mark.parametrize("encoding", sorted(DECODERS))
@given(octets=HOSTILE, cuts=st.lists(st.integers(0, 200), max_size=8))
def test_however_it_is_cut(encoding: str, octets: bytes, cuts: list[int]) -> None:
    assert in_pieces(octets, encoding, cuts) == decoded(octets, encoding)


@pytest.mark.parametrize(
    "octets", [b"=\r=QUJD", b"=\r=\rx\ny", b"==\r=41", b"=\r\n=\r=41\n=41", b"a=", b"a=4", b"===41"]
)
def test_quoted_printable_cut_anywhere(octets: bytes) -> None:
    for cut in range(len(octets) + 1):
        assert in_pieces(octets, "quoted-printable", [cut]) == decoded(octets, "quoted-printable"), cut


@given(st.binary(max_size=500))
def test_what_other_encoders_wrote_is_read(content: bytes) -> None:
    assert decoded(base64.encodebytes(content), "base64") == content
    assert decoded(binascii.b2a_qp(content, istext=False), "quoted-printable") == content


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"QUJD\r\nRA==\r\ntrailing words", b"ABCD"),
        (b"QUJDR", b"ABC"),
        (b"QUJ", b"AB"),
        (b"Q!U*J\x00D", b"ABC"),
        (b"", b""),
    ],
)
def test_base64_as_it_is_found(written: bytes, read: bytes) -> None:
    assert decoded(written, "base64") == read

"""Canonical bodies: the RFC's examples, dkimpy's on what SMTP lets in, in pieces of any size."""

from __future__ import annotations

import hashlib

import pytest
from dkim.canonicalization import Relaxed, Simple
from hypothesis import example, given
from hypothesis import strategies as st

from mailserver.signatures.body import BodyHash, Canonical

DKIMPY = {Canonical.SIMPLE: Simple, Canonical.RELAXED: Relaxed}
LINES = st.lists(st.lists(st.sampled_from([b" ", b"\t", b"a", b"b c", b"."]), max_size=5).map(b"".join), max_size=8)


def hashed(canonical: Canonical, body: bytes, step: int = 1 << 20) -> BodyHash:
    found = BodyHash(canonical)
    for at in range(0, len(body), step):
        found.update(body[at : at + step])
    return found


@pytest.mark.parametrize(
    ("canonical", "body", "form"),
    [
        # RFC 6376 3.4.5
        (Canonical.RELAXED, b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
        (Canonical.SIMPLE, b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n"),
        # 3.4.3 and 3.4.4: nothing, nothing but line ends, no line end
        (Canonical.SIMPLE, b"", b"\r\n"),
        (Canonical.RELAXED, b"", b""),
        (Canonical.SIMPLE, b"\r\n\r\n", b"\r\n"),
        (Canonical.RELAXED, b" \r\n\t\r\n", b""),
        (Canonical.SIMPLE, b"a", b"a\r\n"),
        (Canonical.RELAXED, b"a \t", b"a\r\n"),
    ],
)
def test_what_the_rfc_says(canonical: Canonical, body: bytes, form: bytes) -> None:
    found = hashed(canonical, body)
    assert found.digest() == hashlib.sha256(form).digest()
    assert found.size == len(form)


@given(st.sampled_from(Canonical), LINES, st.integers(1, 9))
@example(Canonical.RELAXED, [b"", b" a", b"\t", b"", b"b "], 1)
def test_pieces_of_any_size_give_what_dkimpy_finds(canonical: Canonical, lines: list[bytes], step: int) -> None:
    body = b"".join(line + b"\r\n" for line in lines)
    form = DKIMPY[canonical].canonicalize_body(body)
    assert hashed(canonical, body, step).digest() == hashlib.sha256(form).digest()

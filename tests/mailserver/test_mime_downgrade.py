"""The encoding « binary » taken off: what comes out is text, and means the same."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime import scan
from mailserver.mime.downgrade import is_text, textual, without_nul

HEAD = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=B\r\nContent-Transfer-Encoding: binary\r\n\r\n"


def mixed(*parts: tuple[bytes, bytes]) -> bytes:
    return HEAD + b"".join(b"--B\r\nContent-Transfer-Encoding: %b\r\n\r\n%b\r\n" % one for one in parts) + b"--B--\r\n"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"", True),
        (b"a\r\n" * 5, True),
        (b"a" * 998 + b"\r\n", True),
        (b"a" * 999 + b"\r\n", False),
        (b"x\r\n" + b"a" * 1000, False),
        (b"a\nb", False),
        (b"a\rb", False),
        (b"a\r", False),
        (b"a\0b", False),
        ("é\r\n".encode(), True),
    ],
)
def test_what_is_text(octets: bytes, text: bool) -> None:
    assert is_text(octets) is text


def test_labels_go_with_the_octets() -> None:
    content = mixed((b"binary", b"\0\n"), (b"Binary", b"plain text"), (b"8bit", "é".encode()))
    found = textual(content)
    assert found is not None
    assert found.count(b"base64") == 1
    assert found.count(b"8bit") == 3  # the multipart, the plain text, and the one that was
    assert b"binary" not in found.lower()
    assert without_nul(content) == content.replace(b"Encoding: binary\r\n\r\n\0\n", b"Encoding: base64\r\n\r\nAAo=")


def test_a_folded_label_and_a_message_inside() -> None:
    inner = b"Subject: y\r\nContent-Transfer-Encoding:\r\n binary\r\n\r\n\0"
    content = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n" + inner
    found = textual(content)
    assert found is not None
    assert scan(found).decoded("1.1") == b"\0"


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: \0\r\n\r\n",
        b"Subject: x\nTo: y\r\n\r\n",
        b"Subject: x\r\n\r\n\0",
        mixed((b"8bit", b"\0")),
        mixed((b"base64", b"\0")),
    ],
)
def test_elsewhere_nothing_can_be_done(content: bytes) -> None:
    assert textual(content) is None


@given(st.lists(st.tuples(st.sampled_from([b"binary", b"8bit"]), st.binary(max_size=60)), min_size=1, max_size=4))
def test_what_comes_out_is_text_and_means_the_same(parts: list[tuple[bytes, bytes]]) -> None:
    parts = [(name, octets.replace(b"-", b"") if name == b"binary" else b"as it is") for name, octets in parts]
    found = textual(mixed(*parts))
    assert found is not None
    assert is_text(found)
    message = scan(found)
    assert [message.decoded(str(n)) for n in range(1, len(parts) + 1)] == [octets for _, octets in parts]
    read = message_from_bytes(found, policy=policy.SMTP)
    assert [part.get_payload(decode=True) for part in read.iter_parts()] == [octets for _, octets in parts]

"""Tag lists are read as dkimpy reads them."""

from __future__ import annotations

import pytest
from dkim.util import InvalidTagValueList, parse_tag_value
from hypothesis import given
from hypothesis import strategies as st

from mailserver.signatures.tags import Tags, read_tags


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        (b"v=1; a=rsa-sha256", {b"v": b"1", b"a": b"rsa-sha256"}),
        (b" v = 1 ;\r\n\th=from:\r\n\tto;", {b"v": b"1", b"h": b"from:\r\n\tto"}),
        (b"b=AAA=; x=", {b"b": b"AAA=", b"x": b""}),
        (b"", {}),
        (b"v=1; ; a=b", None),
        (b"v=1; v=1", None),
        (b"v", None),
        (b"1=v", None),
        (b"=v", None),
    ],
)
def test_a_list_of_tags(text: bytes, tags: Tags | None) -> None:
    assert read_tags(text) == tags


@given(st.lists(st.sampled_from([b"v", b"bh", b"=", b"=", b";", b" ", b"\r\n\t", b"1", b"-"]), max_size=12))
def test_it_agrees_with_dkimpy(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    try:
        expected = parse_tag_value(text)
    except InvalidTagValueList:
        expected = None
    assert read_tags(text) == expected

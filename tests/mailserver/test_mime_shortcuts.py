"""The short ways through usual headers give what the long ways give: addresses, lines for SEARCH, white space of HTML."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.mime import card as wire
from mailserver.mime.addresses import _Reader, raw_addresses
from mailserver.mime.html import html_to_text
from mailserver.mime.message import _header_line, scan
from mailserver.store.api import Card, Front, PartOffsets
from mailserver.store.sealed import pack_back, unpack_card

LISTS = [
    b"a@b.test",
    b"a@b.test,",
    b"a@b.test, c@d.test",
    b"<a@b.test>,<c@d.test>",
    b'"Durand, Paul" <p@d.test>, Marie <m@d.test>',
    b"Paul <p@d.test>, equipe: a@b.test, c@d.test;, z@d.test",
    b"a@b.test (Paul), c@d.test",
    b"a@b.test c@d.test",
    b"a@b.test, , c@d.test",
    b"a@b.test, undisclosed",
    b"=?utf-8?q?R=C3=A9a?= <r@d.test>, <@route.test:x@y.test>",
    b'a@b.test, "c d"@e.test',
    b'" "<a@b.test>',
    b'" Paul "<a@b.test>, ""<a@b.test>',
    b"a@[192.0.2.1], c@d.test",
]


@pytest.mark.parametrize("value", LISTS)
def test_addresses(value: bytes) -> None:
    assert raw_addresses(value) == _Reader().read(value)


@given(
    st.lists(
        st.sampled_from([b"a@b", b"Paul", b" ", b"<a@b>", b",", b";", b":", b'"', b"(", b")", b"\\", b"@"]), max_size=12
    )
)
def test_no_list_is_read_otherwise(pieces: list[bytes]) -> None:
    value = b"".join(pieces).strip()
    long_way = [(name and name.strip(), *rest) for name, *rest in _Reader().read(value)]
    assert [(name and name.strip(), *rest) for name, *rest in raw_addresses(value)] == long_way


@given(
    st.lists(
        st.tuples(st.sampled_from(["To", "Subject", "X-Y"]), st.text("aB\t\x07\0\r é=?<>@", max_size=20)), min_size=1
    )
)
def test_lines_for_search(fields: list[tuple[str, str]]) -> None:
    message = scan("".join(f"{name}: {value}\r\n" for name, value in fields).encode() + b"\r\ntext")
    assert message.search_headers() == "\n".join(_header_line(*field) for field in message.root.fields.all)


@given(st.from_type(bytes), st.from_type(bytes), st.sampled_from([b"b.test", b"", None]))
def test_an_address_in_an_envelope(name: bytes, local: bytes, domain: bytes | None) -> None:
    for address in ((name, None, local, domain), (None, None, local, domain), (name, b"@r", local, domain)):
        assert wire._address(address) == b"(%b %b %b %b)" % tuple(map(wire.nstring, address))


@given(st.text(), st.text(), st.text())
def test_offsets_of_parts_are_read_as_written(number: str, encoding: str, media_type: str) -> None:
    parts = {number: PartOffsets(0, 10, 20, encoding, media_type), "9": PartOffsets(1, 2, 3)}
    card = Card(b"()", b"(body)", b"(more)", b"header", "aperçu", parts)
    assert unpack_card(Front(b"()", b"(more)"), pack_back(card)) == card


def test_a_folded_value_is_one_line_and_has_no_controls() -> None:
    message = scan(b"Subject: one\r\n two\n\tthree\0\rfour \r\nTo: a@b\r\n\r\n")
    assert message.root.fields.value(b"subject") == b"one two\tthree four"
    assert message.raw_headers("SUBJECT") == [b"one two\tthree four"]


@given(st.text(" \t\n\r\fa\u00a0", max_size=30))
def test_white_space_of_html(text: str) -> None:
    expected = re.sub(r"[ \t\r\n\f]+", " ", text)
    assert html_to_text(f"<p>x{text}y</p>") == f"x{expected}y"


def test_a_preview_behind_many_blanks_is_as_long_as_another() -> None:
    words = "mot " * 100
    spread = "mot" + " " * 3 + "mot    " * 100
    assert scan(b"\r\n" + spread.encode()).preview() == scan(b"\r\n" + words.encode()).preview()

"""What is made to be slow to read is known at a glance: what is light costs few steps, whatever it is made of."""

from __future__ import annotations

import sys
from base64 import encodebytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailserver.mime.message import scan
from mailserver.mime.weight import LIGHT, weight
from mailserver.mime.words import codec_for
from mailserver.store.digest import digest_message

SIZE = 16 * 1024
STEPS = 60_000  # calls, of Python's and of C's: some 3 ms without the profiler
HTML, MIXED = b"Content-Type: text/html\r\n\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def filled(head: bytes, unit: bytes, tail: bytes = b"", size: int = SIZE) -> bytes:
    return head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


HOSTILE = {
    "end tags under many elements": filled(HTML + b"<ruby>" * 240, b"</p>"),
    "tags": filled(HTML, b"<p>"),
    "cells": filled(HTML + b"<table><tr>", b"<td>x"),
    "tags in base64": filled(HTML.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: BASE64\r\n\r\n"), b"PHA+"),
    "tags in quoted-printable": filled(b"content-transfer-encoding: Quoted-Printable\r\n" + HTML, b"=3Cp>"),
    "empty parts": filled(MIXED, b"--b\r\n\r\n"),
    "parts with a header": filled(MIXED, b"--b\nContent-Type:text/html\n\na\n"),
    "messages in messages": filled(MIXED, b"--b\nContent-Type:message/rfc822\n\n\n"),
    "commas": filled(b"To: ", b",", b"\r\n\r\n"),
    "groups": filled(b"To: ", b"a:b@c;", b"\r\n\r\n"),
    "colons": filled(b"To: ", b"a:", b"\r\n\r\n"),
    "quoted names": filled(b"To: ", b'"a" ', b"\r\n\r\n"),
    "comments": filled(b"To: ", b"(a) ", b"\r\n\r\n"),
    "short fields": filled(b"", b"To:a\r\n", b"\r\n"),
    "encoded words": filled(b"Subject: ", b"=?u?q?a?=", b"\r\n\r\n"),
    "quoted pairs": filled(b'Content-Type: text/plain; name="', b"\\a", b'"\r\n\r\n'),
}
LINE = b"Je vous adresse ce patient pour avis, avec mes remerciements (voir la lettre).\r\n"
HEADER = b"From: Dr Martin <a@b.example>\r\nTo: c@d.example\r\nSubject: =?utf-8?q?Avis?=\r\nDate: 1 Jan 2026 10:00:00 +0100\r\n"
LETTERS = {
    "a page": filled(HEADER + b"\r\n", LINE, size=4_000),
    "some pages": filled(HEADER + b"\r\n", LINE.replace(b"(voir la lettre)", b"et voici la lettre")),
    "HTML": filled(HEADER + HTML, b'<p style="margin:0">' + LINE.rstrip() * 3 + b"</p>\r\n", size=6_000),
    "a small picture": HEADER
    + b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + encodebytes(bytes(1_200)),
}


def steps(content: bytes) -> int:
    """Calls made to read it."""
    counted = 0

    def count(frame: object, what: str, of: object) -> None:
        nonlocal counted
        counted += what in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        digest_message(scan(content))
    finally:
        sys.setprofile(before)
    return counted


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_made_to_be_slow_is_heavy(content: bytes) -> None:
    assert weight(content) > LIGHT


@pytest.mark.parametrize("content", LETTERS.values(), ids=LETTERS.keys())
def test_an_ordinary_letter_is_light(content: bytes) -> None:
    assert weight(content) <= LIGHT


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_as_much_of_it_as_is_light_costs_few_steps(content: bytes) -> None:
    light = next(content[:size] for size in range(len(content), 0, -100) if weight(content[:size]) <= LIGHT)
    assert steps(light) <= STEPS


fragments = st.lists(
    st.sampled_from(
        [
            HTML,
            MIXED,
            b"To: ",
            b"\r\n",
            b"\r\n\r\n",
            b"--b\r\n",
            b"<p>",
            b"</p>",
            b"<td>",
            b"a@b,",
            b"a:b;",
            b"=?u?q?a?=",
            b"(",
            b'"',
            b"\\a",
            b"&amp;",
            b"a ",
            b"x" * 70,
            b"Content-Type: message/rfc822\r\n\r\n",
            b"; a*1=b",
        ]
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(fragments, fragments, st.integers(1, 4_000))
def test_what_is_light_costs_few_steps_whatever_it_is(head: list[bytes], unit: list[bytes], times: int) -> None:
    content = (b"".join(head) + b"".join(unit) * times)[: 4 * SIZE]
    if weight(content) <= LIGHT:
        assert steps(content) <= STEPS


@pytest.mark.parametrize("charset", ["cp037", "cp500", "cp1140", "cp273"])
def test_no_charset_hides_markup(charset: str) -> None:
    assert codec_for(charset) is None
    assert codec_for("cp1252") == codec_for("iso-8859-1") == "cp1252"

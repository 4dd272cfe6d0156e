"""HTML written to keep the server busy: no letter costs more than a moment, and nothing of an honest one is lost."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from mailserver.mime.fields import message_ids
from mailserver.mime.html import MAX_HTML, html_to_text
from mailserver.mime.message import scan
from mailserver.mime.params import safe_name

MOMENT = 5.0  # seconds of CPU; without the bounds the worst of these take 10 to 100
NAMES = [f"a{number}" for number in range(140_000)]
ATTRIBUTES = {
    "plain": "<p " + "=1 ".join(NAMES) + ">fin",
    "without value": "<p " + " ".join(NAMES) + ">fin",
    "slashes": "<p/" + "/".join(NAMES) + ">fin",
    "ends of tags in quotes": "<p " + '=">" '.join(NAMES) + ">fin",
    "begun in a comment": '<!-- <x a="--><p ' + " ".join(NAMES) + '">fin',
    "begun in a style": '<style><x a="</style><p ' + '=">" '.join(NAMES) + '">fin',
    "equals sign twice": '<p a==" ' + '=">" '.join(NAMES) + '">fin',
    "end tag": "</p " + " ".join(NAMES) + ">fin",
}


def seconds(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


@pytest.mark.parametrize("html", ATTRIBUTES.values(), ids=ATTRIBUTES.keys())
def test_a_tag_with_a_hundred_thousand_attributes_costs_a_moment(html: str) -> None:
    assert seconds(lambda: html_to_text(html)) < 1.0


def test_many_costly_parts_cost_as_much_as_one() -> None:
    costly = "<ruby>" * 240 + "</p>" * (MAX_HTML // 5)
    part = f"--b\r\nContent-Type: text/html\r\n\r\n{costly}\r\n"
    message = scan(("Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 20 + "--b--\r\n").encode())
    assert seconds(message.search_text) < MOMENT
    assert seconds(message.text) < MOMENT
    assert seconds(message.written_texts) < MOMENT


def test_what_was_not_read_is_not_empty() -> None:
    html = "<!--" + "x" * MAX_HTML + "--><p>Reprenez le 3 mai"
    assert scan(f"Content-Type: text/html\r\n\r\n{html}".encode()).written_texts() == ["…"]


def test_pictures_written_as_data_hide_no_text() -> None:
    picture = "A/b+" * MAX_HTML
    html = f'<p class="a">Avant</p><img alt="une image" src="data:image/png;base64,{picture}"><p title="b">Après</p>'
    assert html_to_text(html) == "Avant\n\n[une image]\n\nAprès"


@pytest.mark.parametrize("hostile", ["a\u2028b@x", "a\x85b@x", "a\x00b@x", "a\x1cb@x", "a" * 1000 + "@x"])
def test_an_id_that_no_reply_could_repeat_is_none(hostile: str) -> None:
    """`EmailMessage` refuses line separators in a header: the citizen's answer would fail each time."""
    assert message_ids(f"<{hostile}> <été@x>".encode()) == ["<été@x>"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cr.pdf" + " " * 120 + ".exe", "cr.pdf .exe"),
        ("cr.pdf\u00a0\u00a0\u3000.exe", "cr.pdf .exe"),
        ("cr\u202efdp.exe", "crfdp.exe"),
        ("cr\u061cfdp.exe", "crfdp.exe"),
        ("cr.p\u200bd\u2060f\ufeff", "cr.pdf"),
        ("cr.j\U000e0041s", "cr.js"),
        ("..\\..\\cr.exe/", "cr.exe"),
        (" . ", ""),
    ],
)
def test_a_name_shows_its_ending_and_nothing_else(name: str, shown: str) -> None:
    assert safe_name(name) == shown

"""Mails made to be slow: what a page does with them stays bounded, and nothing of them is lost."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from citizen_inbox import safe_html, wording
from tests.support.citizen import Town
from tests.support.web import Visitor

PATIENCE = 2.0  # seconds of CPU; each of these took from 4 seconds to minutes


@pytest.mark.parametrize(
    "text", ["re" + " " * 200_000 + "x", "RE : " * 50_000, "XDM/1.0/DDM+" * 20_000, "tr\u00a0" * 90_000]
)
def test_a_subject_costs_little(text: str) -> None:
    start = time.process_time()
    assert len(wording.subject(text)) <= wording.LONGEST_SUBJECT
    assert time.process_time() - start < PATIENCE


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 60_000 + "fin",
        "<p " + "a=1 " * 140_000 + ">fin",
        "<b>" * 30_000 + "<i>" * 30_000 + "fin",
        "<table><tr><td>" * 20_000,
    ],
    ids=["nested", "attributes", "formatting", "tables"],
)
def test_tangled_html_is_shown_as_its_text(html: str) -> None:
    start = time.process_time()
    page = safe_html.page(html, lambda _: None)
    assert time.process_time() - start < PATIENCE
    assert "<body>" in page


def test_ordinary_html_keeps_its_form() -> None:
    assert "<b>bien</b>" in safe_html.page("<p>tout va <b>bien</b></p><script>x</script>", lambda _: None)


async def test_a_very_long_message_is_cut_on_the_page_and_whole_in_a_file(
    place: tuple[Town, str], jacqueline: Visitor
) -> None:
    text = "\n".join(f"ligne {number}" for number in range(40_000))
    await place[0].mail(place[0].letter(text=text))
    link = (await jacqueline.get("/messagerie")).first("a.row")
    page = await jacqueline.get(link.attributes["href"] or "")
    assert "Ce message est très long" in page.words
    assert len(page.body) < 300_000
    whole = page.first("a[href$='/texte']")
    assert "ligne 39999" in (await jacqueline.get(whole.attributes["href"] or "")).body.decode()
    sent = await jacqueline.upload(link.attributes["href"] or "", {"texte": "Merci."}, [])
    assert sent.location.endswith("?fait=envoye")


@pytest.mark.parametrize("number", ["9" * 5_000, "9" * 20, "١"])
async def test_a_number_that_cannot_be_is_not_found(jacqueline: Visitor, number: str) -> None:
    assert (await jacqueline.get(f"/messagerie/{quote(number)}")).status == 404

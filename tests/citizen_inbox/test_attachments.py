"""Attachments shown or downloaded, and a mail's own formatting in its frame, with hostile content."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from citizen_inbox import safe_html
from foundation.database import Transaction
from foundation.web import french
from health_space.dossier import operations as dossier
from health_space.dossier import refusals
from tests.support import files
from tests.support.citizen import Town, open_town
from tests.support.there import there
from tests.support.web import Answer, Visitor


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Town, Visitor]]:
    async with open_town(tmp_path) as (here, origin):
        yield here, await here.visitor(origin)


async def opened(here: Town, visitor: Visitor, message: EmailMessage) -> Answer:
    await here.mail(message)
    node = (await visitor.get("/messagerie")).first("a.row")
    return await visitor.get(node.attributes["href"] or "")


def with_file(here: Town, name: str, kind: str, content: bytes) -> EmailMessage:
    message = here.letter()
    maintype, _, subtype = kind.partition("/")
    message.add_attachment(content, maintype=maintype, subtype=subtype, filename=name)
    return message


async def attachment(here: Town, visitor: Visitor, name: str, kind: str, content: bytes) -> tuple[str, Answer]:
    page = await opened(here, visitor, with_file(here, name, kind, content))
    link = page.first(".files a")
    assert link.text() == name
    base = link.attributes["href"] or ""
    return base, await visitor.get(base)


LOCKED = "Attention : Un mot de passe le ferme : personne n’a pu vérifier ce qu’il contient. Ne l’ouvrez que si vous l’attendiez."


async def test_a_suspicious_attachment_is_told_beside_it(place: tuple[Town, Visitor]) -> None:
    """On the list, tied to its link; on its own page; and nothing beside the other one."""
    here, visitor = place
    message = with_file(here, "radio.jpg", "image/jpeg", files.jpg())
    message.add_attachment(files.locked_zip(), maintype="application", subtype="zip", filename="radios.zip")
    page = await opened(here, visitor, message)
    plain, suspicious = page.tree.css(".files a")
    assert [node.text().replace("\u00a0", " ") for node in page.tree.css(".warned")] == [LOCKED]
    assert [node.attributes["id"] for node in page.tree.css(".warned")] == [suspicious.attributes["aria-describedby"]]
    assert "aria-describedby" not in plain.attributes
    shown = await visitor.get(suspicious.attributes["href"] or "")
    assert "Attention à cette pièce jointe Un mot de passe le ferme" in shown.words
    assert "Attention" not in (await visitor.get(plain.attributes["href"] or "")).words


async def test_what_holds_of_the_whole_message_is_told_once(place: tuple[Town, Visitor]) -> None:
    """An attached message is one attachment, whatever it holds; words that nobody here wrote are not shown."""
    here, visitor = place
    inner = EmailMessage()
    inner.set_content("Voir la pièce.")
    inner.add_attachment(files.locked_zip(), maintype="application", subtype="zip", filename="radios.zip")
    message = here.letter()
    message.add_attachment(inner)
    message["X-MSSante-Attachment-Warning"] = "unreadable, <b>gagné</b>"
    page = await opened(here, visitor, message)
    words = [node.text().replace("\u00a0", " ") for node in page.tree.css(".warned")]
    assert words == [
        LOCKED,
        "Attention : Ce message contient une partie que nous n’avons pas pu vérifier : "
        "n’ouvrez que les pièces que vous attendiez.",
    ]
    assert "gagné" not in page.words


@pytest.mark.parametrize(
    ("name", "kind", "content", "text"),
    [
        ("ordonnance.pdf", "application/pdf", files.pdf("Amoxicilline", pages=2), "Amoxicilline 1"),
        ("photo.jpg", "image/jpeg", files.jpg(with_place=True), ""),
    ],
)
async def test_pages_are_drawn_again(
    place: tuple[Town, Visitor], name: str, kind: str, content: bytes, text: str
) -> None:
    here, visitor = place
    base, page = await attachment(here, visitor, name, kind, content)
    assert text in page.words
    assert page.tree.css_first(f'img[src="{base}/pages/1"]') is not None
    assert f"Télécharger ({french.size(len(content))})".replace("\u00a0", " ") in page.words
    assert [node.text() for node in page.tree.css("summary")] == (["Lire le texte du document"] if text else [])
    image = await visitor.get(f"{base}/pages/1")
    assert image.headers["content-type"] == "image/webp"
    assert image.body[8:12] == b"WEBP"
    assert "sandbox" in image.headers["content-security-policy"]
    assert b"Jacqueline" not in image.body  # the EXIF of the photo
    for beyond in ("0", "3", "99"):
        assert (await visitor.get(f"{base}/pages/{beyond}")).status == 404


async def test_text_is_shown_as_text(place: tuple[Town, Visitor]) -> None:
    _, page = await attachment(*place, "note.txt", "text/plain", "Tension <b>12/8</b> à jeun".encode("cp1252"))
    body = page.first(".body")
    assert body.text() == "Tension <b>12/8</b> à jeun"


@pytest.mark.parametrize(
    ("name", "kind", "content", "why"),
    [
        ("page.html", "text/html", b"<script>alert(1)</script>", "format"),
        ("dessin.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "format"),
        ("faux.pdf", "application/pdf", b"%PDF-1.4 rien", ""),
        ("secret.pdf", "application/pdf", files.pdf(locked=True), ""),
    ],
)
async def test_what_cannot_be_shown_is_only_downloaded(
    place: tuple[Town, Visitor], name: str, kind: str, content: bytes, why: str
) -> None:
    here, visitor = place
    base, page = await attachment(here, visitor, name, kind, content)
    assert "Aperçu non disponible" in page.words
    assert why in page.words
    assert page.tree.css_first("img") is None
    answer = await visitor.get(f"{base}/telecharger")
    assert answer.body == content
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_hostile_file_name_stays_inside_its_header(place: tuple[Town, Visitor]) -> None:
    here, visitor = place
    base, _ = await attachment(here, visitor, 'a"; x=é.txt', "text/plain", b"x")
    header = (await visitor.get(f"{base}/telecharger")).headers["content-disposition"]
    assert header == "attachment; filename=\"a__ x__.txt\"; filename*=UTF-8''a%22%3B%20x%3D%C3%A9.txt"


HOSTILE = """<html><head><style>body{background:url(https://mechant.example/a)}</style><meta http-equiv=refresh content="0;url=https://m.example">
<base href="https://mechant.example/"></head><body onload="alert(1)"><p style="color:red;background:url(https://m.example/x);position:fixed">Bonjour
<img src="https://mechant.example/espion.gif"><img src="cid:logo@x"><img src="cid:faux@x"><img src="data:text/html,x">
<a href="javascript:alert(1)">un</a><a href="https://sante.example/">deux</a></p>
<p style="color:red">Rouge</p><form action="https://m.example"><input name=a></form>
<iframe src="https://m.example"></iframe><svg><script>alert(1)</script></svg><script>alert(1)</script></body></html>"""


async def test_formatting_is_cleaned_and_fenced(place: tuple[Town, Visitor]) -> None:
    here, visitor = place
    message = here.letter()
    message.add_alternative(HOSTILE, subtype="html")
    related = there(message.get_body(("html",)))
    related.add_related(b"\x89PNG\r\n\x1a\nimage", "image", "png", cid="<logo@x>")
    related.add_related(b"<svg/>", "image", "png", cid="<faux@x>")
    page = await opened(here, visitor, message)
    assert "Tout va bien." in page.words  # the text first
    link = next(n.attributes["href"] for n in page.tree.css("a") if "mise-en-forme" in (n.attributes["href"] or ""))
    around = await visitor.get(link or "")
    frame = around.first("iframe")
    assert "allow-scripts" not in (frame.attributes["sandbox"] or "")
    inside = await visitor.get(frame.attributes["src"] or "")
    policy = inside.headers["content-security-policy"]
    assert policy == safe_html.POLICY
    assert inside.headers["x-frame-options"] == "SAMEORIGIN"
    low = inside.text.lower()
    for word in (
        "script",
        "onload",
        "mechant",
        "m.example",
        "<form",
        "<input",
        "<iframe",
        "<svg",
        "http-equiv",
        "position",
        "data:text",
    ):
        assert word not in low.replace('name="viewport"', ""), word
    assert 'href="https://sante.example/"' in inside.text
    assert 'rel="noopener noreferrer nofollow"' in inside.text
    assert inside.text.count("data:image/png;base64,") == 1
    assert "color:red" in low


async def test_no_formatting_no_frame(place: tuple[Town, Visitor]) -> None:
    here, visitor = place
    page = await opened(here, visitor, with_file(here, "note.txt", "text/plain", b"x"))
    assert "mise-en-forme" not in page.text
    link = page.first(".files a")
    base = (link.attributes["href"] or "").split("/pieces/")[0]
    assert (await visitor.get(base + "/mise-en-forme")).status == 404
    assert (await visitor.get(base + "/mise-en-forme/contenu")).status == 404


async def test_what_the_dossier_did_with_each_attachment(place: tuple[Town, Visitor]) -> None:
    here, visitor = place
    message = with_file(here, "analyse.pdf", "application/pdf", files.pdf("Analyse"))
    message.add_attachment(b"PK", maintype="application", subtype="zip", filename="tout.zip")
    page = await opened(here, visitor, message)
    assert page.tree.css_first(".files a") is not None
    document = await here.prescription()
    raw = await here.newest("jacqueline")

    def note(tx: Transaction) -> None:
        found = dossier.open_dossier(tx, here.space.keys, here.ids["jacqueline"], here.now)
        key = dossier.message_key(found, dossier.message_name("<m1@cabinet.example>", raw))
        dossier.record_filings(tx, found, key, [("2", document, 10)], here.now)
        refusals.record_refusals(
            tx, found, key, [refusals.NewRefusal("3", "document_archive", 2, "tout.zip", "Dr", "d@x")], here.now
        )

    await here.db.write(note)
    node = (await visitor.get("/messagerie")).first("a.row")
    again = await visitor.get(node.attributes["href"] or "")
    assert again.tree.css_first(f'.files a[href="/documents/{document}"]') is not None
    assert "Non rangée dans vos documents. Ce fichier est une archive" in again.words

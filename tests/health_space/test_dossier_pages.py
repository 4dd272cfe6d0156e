"""Documents over a real socket, without JavaScript: the list, a document, what may not be done; the neighbour's numbers."""

from __future__ import annotations

import io
from datetime import date

from PIL import Image
from sqlalchemy import select

from foundation.clock import DAY
from foundation.database import Transaction
from foundation.tables import audit as audit_table
from foundation.web import french
from health_space.dossier import operations as ops
from health_space.dossier import refusals
from tests.health_space.site import FIELDS, JACQUELINE, LOUISE, SARAH, Site
from tests.support import files
from tests.support.clamd import EICAR, clamd  # noqa: F401  a fixture
from tests.support.web import Visitor


async def test_list_filters_sorts_and_pages(site: Site, origin: str) -> None:
    for index in range(30):
        category = "BIOLOGIE" if index % 3 == 0 else "CPT_REND"
        await site.put(
            JACQUELINE, b"%d" % index, title=f"Doc {index:02}", category=category, act_date=date(2026, 1, 1 + index)
        )
    visitor = await site.visitor(origin, JACQUELINE)

    async def titles(query: str) -> list[str]:
        answer = await visitor.get("/documents" + query)
        assert answer.status == 200
        return [node.text() for node in answer.tree.css("ul.list a.row")]

    assert (await titles(""))[:2] == ["Doc 29", "Doc 28"]
    assert len(await titles("")) == 25
    assert len(await titles("?page=2")) == 5
    assert await titles("?page=99") == await titles("?page=2")
    assert (await titles("?categorie=BIOLOGIE&tri=anciens"))[0] == "Doc 00"
    assert len(await titles("?categorie=BIOLOGIE")) == 10
    assert await titles("?categorie=CERT_MED") == []
    assert "Aucun document dans cette catégorie." in (await visitor.get("/documents?categorie=CERT_MED")).words
    assert len(await titles("?categorie=<script>&tri=nimporte")) == 25


async def test_preview_download_and_what_they_may_not_do(site: Site, origin: str) -> None:
    content = files.pdf("Tension", pages=6) + b"%" * 600_000
    number = await site.put(JACQUELINE, content, pages=6, title="Écho été", file_name='éc"ho.pdf')
    visitor = await site.visitor(origin, JACQUELINE)
    shown = await visitor.get(f"/documents/{number}")
    assert [node.attributes["src"] for node in shown.tree.css("img.paper")] == [
        f"/documents/{number}/pages/{page}" for page in (1, 2, 3, 4)
    ]
    assert "Page 1 sur 2" in shown.words
    assert "Lire le texte du document" in shown.words
    assert f"Télécharger ({french.size(len(content))})".replace("\u00a0", " ") in shown.words
    assert "Pour les professionnels" not in shown.words  # said only when it is masked
    assert len((await visitor.get(f"/documents/{number}?page=2")).tree.css("img.paper")) == 2
    image = await visitor.get(f"/documents/{number}/pages/6")
    assert image.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(image.body)).width == 1000
    file = await visitor.get(f"/documents/{number}/telecharger")
    assert file.body == content
    assert (
        file.headers["content-disposition"] == "attachment; filename=\"_c ho.pdf\"; filename*=UTF-8''%C3%A9c%20ho.pdf"
    )
    for answer in (image, file):
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
    for path in ("pages/0", "pages/7", "pages/x", "pages/99999999999999999999"):
        assert (await visitor.get(f"/documents/{number}/{path}")).status == 404


async def test_text_documents_are_shown_as_text_only(site: Site, origin: str) -> None:
    number = await site.put(
        JACQUELINE, "<script>alert(1)</script> été".encode(), "text/plain", pages=0, title="<b>note</b>"
    )
    visitor = await site.visitor(origin, JACQUELINE)
    shown = await visitor.get(f"/documents/{number}")
    assert "<script>alert" not in shown.text
    assert "<b>note" not in shown.text
    assert "<script>alert(1)</script> été" in shown.words
    file = await visitor.get(f"/documents/{number}/telecharger")
    assert file.headers["content-type"] == "text/plain; charset=utf-8"


async def test_a_very_long_text_is_cut_on_the_page_only(site: Site, origin: str) -> None:
    number = await site.put(JACQUELINE, b"mot " * 500_000, "text/plain", pages=0)
    visitor = await site.visitor(origin, JACQUELINE)
    shown = await visitor.get(f"/documents/{number}")
    assert "La suite du texte est dans le fichier à télécharger." in shown.words
    assert len(shown.body) < 100_000
    assert len((await visitor.get(f"/documents/{number}/telecharger")).body) == 2_000_000


async def test_the_neighbours_numbers_are_like_unknown_numbers(site: Site, origin: str) -> None:
    theirs = await site.put(JACQUELINE, files.pdf())
    childs = await site.put(LOUISE, files.pdf())
    sarah = await site.visitor(origin, SARAH)
    unknown = await sarah.get("/documents/999999")
    for number in (theirs, childs):  # Louise's only from Louise's profile
        for path in ("", "/pages/1", "/telecharger"):
            answer = await sarah.get(f"/documents/{number}{path}")
            assert answer.status == 404
            assert answer.words.split("Numéro")[0] == unknown.words.split("Numéro")[0]
    token = await sarah.token("/documents/ajouter")
    answer = await sarah.post(f"/documents/{theirs}", {"categorie": "ORD_SOIN"}, token)
    assert answer.status == 404
    for box, number in ((JACQUELINE, theirs), (LOUISE, childs)):
        dossier = await site.db.read(ops.dossier_of, site.keys, box)
        assert dossier is not None
        document = await site.db.read(ops.find, dossier, number)
        assert document is not None
        assert document.category == "CPT_REND"
    assert (await Visitor(origin).get(f"/documents/{theirs}")).status == 303  # to the sign-in page


async def test_a_mother_acts_for_her_child(site: Site, origin: str) -> None:
    childs = await site.put(LOUISE, files.pdf())
    sarah = await site.visitor(origin, SARAH)
    token = await sarah.token("/documents/ajouter")
    await sarah.post("/profil", {"profil": str(LOUISE)}, token)
    assert (await sarah.get(f"/documents/{childs}")).status == 200
    page = await sarah.get("/documents/ajouter")
    assert "Ce document ira dans les documents de Louise Lambert ." in page.words
    shown = await sarah.follow(
        await sarah.upload("/documents/ajouter", FIELDS, [("fichier", "b.txt", "text/plain", b"poids 12 kg")])
    )
    assert "Sarah Lambert" in shown.words  # who added it
    rows = await site.db.read(lambda conn: conn.execute(select(audit_table)).all())
    assert [(row.event, row.actor) for row in rows] == [("citizen:document:add", f"box {SARAH}")]


async def test_sorting_elsewhere(site: Site, origin: str) -> None:
    number = await site.put(JACQUELINE, files.pdf())
    visitor = await site.visitor(origin, JACQUELINE)
    shown = await visitor.follow(await visitor.post(f"/documents/{number}", {"categorie": "ORD_SOIN"}))
    assert "Le document a changé de catégorie." in shown.words
    assert "Envoyer à une pharmacie" in shown.words
    assert (await visitor.post(f"/documents/{number}", {"categorie": "NOPE"})).status == 400
    [row] = await site.db.read(lambda conn: conn.execute(select(audit_table)).all())
    assert (row.event, row.actor) == ("citizen:document:sort", f"box {JACQUELINE}")


async def test_refused_attachments_are_named_for_a_month(site: Site, origin: str) -> None:
    def write(tx: Transaction) -> None:
        dossier = ops.open_dossier(tx, site.keys, JACQUELINE, 1)
        new = refusals.NewRefusal("2", "document_too_large", 6_200_000, "scanner.pdf", "Dr Roche", "r@x.example")
        refusals.record_refusals(tx, dossier, b"k" * 16, [new], site.now)
        refusals.mark_told(tx, dossier, b"k" * 16, site.now)

    await site.db.write(write)
    visitor = await site.visitor(origin, JACQUELINE)
    page = await visitor.get("/documents")
    assert "scanner.pdf , de Dr Roche, le 5 mai 2026. Ce fichier pèse 6,2 Mo. La limite est de 5 Mo." in page.words
    assert "L'expéditeur est prévenu." in page.words
    assert "scanner.pdf" not in (await (await site.visitor(origin, SARAH)).get("/documents")).words
    site.now += 31 * DAY
    later = await site.visitor(origin, JACQUELINE)
    assert "scanner.pdf" not in (await later.get("/documents")).words

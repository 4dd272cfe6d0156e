"""Adding a document over a real socket, without JavaScript: what is taken, what is refused and in which words."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from foundation.antivirus import Clamd
from health_space.dossier import operations as ops
from health_space.dossier.operations import Origin
from health_space.dossier.pages.add import parse_date
from tests.health_space.site import FIELDS, JACQUELINE, Site
from tests.support import files
from tests.support.clamd import EICAR, clamd  # noqa: F401  a fixture
from tests.support.clamd import Clamd as Daemon
from tests.support.web import serving


async def test_from_empty_to_a_first_document_in_two_pages(site: Site, origin: str) -> None:
    visitor = await site.visitor(origin, JACQUELINE)
    empty = await visitor.get("/documents")
    assert "Aucun document pour le moment." in empty.words
    form = await visitor.get("/documents/ajouter")  # page 1
    assert "5 Mo au plus" in form.words
    sent = await visitor.upload(
        "/documents/ajouter", FIELDS, [("fichier", "ordo_mai.pdf", "application/pdf", files.pdf("Doliprane"))]
    )
    shown = await visitor.follow(sent)  # page 2
    assert "Le document est ajouté à vos documents." in shown.words
    assert shown.title().startswith("ordo mai")
    assert "Doliprane 1" in shown.words  # the text can be read aloud
    assert "Jacqueline Morel" in shown.words
    listing = await visitor.get("/documents")
    assert "3 mai 2026" in listing.words
    assert "Ordonnances et soins" in listing.words
    dossier = await site.db.read(ops.dossier_of, site.keys, JACQUELINE)
    assert dossier is not None
    [document] = await site.db.read(ops.prescriptions, dossier)
    assert (document.type_code, document.origin) == ("DOCPAT02", Origin.CITIZEN)
    assert f"/ordonnance/{document.id}" in shown.text


async def test_adding_twice_leads_to_the_first(site: Site, origin: str) -> None:
    visitor = await site.visitor(origin, JACQUELINE)
    file = [("fichier", "a.pdf", "application/pdf", files.pdf())]
    first = await visitor.upload("/documents/ajouter", FIELDS, file)
    again = await visitor.upload("/documents/ajouter", FIELDS, file)
    assert again.location == first.location.replace("ajoute", "deja")
    assert "était déjà dans vos documents" in (await visitor.follow(again)).words


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"%PDF-1.4" + bytes(5_120_000), "Ce fichier pèse 5,2 Mo. La limite est de 5 Mo."),
        (files.archive(), "Ce fichier est une archive"),
        (files.pdf(locked=True), "Ce PDF est protégé par un mot de passe."),
        (files.jpg()[:300], "Ce fichier est abîmé ou incomplet"),
        (b"GIF89a\x01\x00\x01\x00\x00", "Les formats acceptés sont : PDF, JPG, PNG, TXT, RTF et TIF."),
        (b"", "Ce fichier est vide."),
    ],
)
async def test_a_refused_file_says_why_and_keeps_what_was_typed(
    site: Site, origin: str, content: bytes, sentence: str
) -> None:
    visitor = await site.visitor(origin, JACQUELINE)
    values = {"nom": "Mon <scanner>", "date": "2026-05-02", "categorie": "RADIO_SC"}
    answer = await visitor.upload("/documents/ajouter", values, [("fichier", "x.pdf", "application/pdf", content)])
    assert answer.status == 422
    assert answer.title().startswith("Erreur : ")
    assert answer.words.count(sentence) == 2  # in the summary and at the field
    assert 'value="Mon &lt;scanner&gt;"' in answer.text
    assert 'value="2026-05-02"' in answer.text
    checked = answer.first("input[type=radio][checked]")
    assert checked.attributes["value"] == "RADIO_SC"


async def test_far_over_the_limit_gets_our_page_too(site: Site, origin: str) -> None:
    visitor = await site.visitor(origin, JACQUELINE)
    file = [("fichier", "film.pdf", "application/pdf", bytes(12_340_000))]
    answer = await visitor.upload("/documents/ajouter", FIELDS, file)
    assert answer.status == 422
    assert "Ce fichier pèse 12,4 Mo. La limite est de 5 Mo." in answer.words
    assert "Choisissez-le de nouveau" in answer.words


async def test_faults_of_the_fields(site: Site, origin: str) -> None:
    visitor = await site.visitor(origin, JACQUELINE)
    answer = await visitor.upload("/documents/ajouter", {"nom": "x" * 101, "date": "2026-05-09", "categorie": "?"}, [])
    for sentence in (
        "Choisissez un fichier.",
        "Ce nom a 101 lettres. La limite est de 100.",
        "Cette date n'est pas encore arrivée.",
        "Choisissez une catégorie.",
    ):
        assert sentence in answer.words
    assert "Choisissez-le de nouveau" not in answer.words  # none was chosen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", date(2026, 5, 5)),
        ("2026-05-03", date(2026, 5, 3)),
        ("3/5/2026", date(2026, 5, 3)),
        ("03.05.26", date(2026, 5, 3)),
        ("14-5-87", date(1987, 5, 14)),
        ("31/02/2026", None),
        ("hier", None),
        ("٣/5/2026", None),
    ],
)
def test_dates_as_people_write_them(text: str, expected: date | None) -> None:
    assert parse_date(text, date(2026, 5, 5)) == expected


async def test_malware_is_not_added_and_nothing_without_the_antivirus(tmp_path: Path, clamd: Daemon) -> None:  # noqa: F811
    made = Site(tmp_path, Clamd(clamd.address, 20))
    async with serving(made.app) as origin:
        visitor = await made.visitor(origin, JACQUELINE)

        async def added(content: bytes) -> str:
            file = ("fichier", "notes.txt", "text/plain", content)
            answer = await visitor.upload("/documents/ajouter", FIELDS, [file])
            return (await visitor.follow(answer) if answer.location else answer).words

        assert "contient un programme malveillant" in await added(b"Notes\n" + EICAR)
        assert "Le document est ajouté à vos documents." in await added(b"Notes\n")
        clamd.stop()
        assert "Le contrôle antivirus ne répond pas." in await added(b"Autres notes\n")
        assert (await visitor.get("/documents")).words.count("notes") == 1
    await made.readers.close()
    await made.db.close()

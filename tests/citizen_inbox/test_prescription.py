"""« Envoyer une ordonnance » in four pages, over real delivery; tracking, warnings, neighbours."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from email import message_from_bytes
from pathlib import Path
from urllib.parse import quote

import pytest

from foundation.clock import HOUR
from mailserver.store.api import Flag, FlagOp, Flags
from tests.support import files
from tests.support.citizen import OTHER_PHARMACY, PHARMACY, Town, open_town
from tests.support.web import Answer, Visitor


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Town, Visitor, str]]:
    async with open_town(tmp_path) as (here, origin):
        yield here, await here.visitor(origin), origin


async def send(visitor: Visitor, document: int, pharmacy: str, words: str = "Lyon") -> Answer:
    """The whole way, counting the pages that the reader acts on."""
    first = await visitor.post("/ordonnance", {"document": str(document)})
    second = first.location
    await visitor.post(second, {"chercher": "1", "mots": words})
    third = (await visitor.post(second, {"pharmacie": pharmacy})).location
    assert third == f"/ordonnance/{document}/verifier"
    return await visitor.post(third, {"texte": "Bonjour", "pharmacie": pharmacy})


async def test_no_prescription_says_what_to_do(place: tuple[Town, Visitor, str]) -> None:
    page = await place[1].get("/ordonnance")
    assert "Aucune ordonnance dans vos documents." in page.words
    assert adding(page)


def adding(page: Answer) -> str:
    """Where « Ajouter une ordonnance » leads."""
    [link] = [node for node in page.tree.css("main a") if node.text() == "Ajouter une ordonnance"]
    return link.attributes["href"] or ""


async def add(visitor: Visitor, form: Answer, content: bytes, **changes: str) -> Answer:
    """Fills the form as the page gives it."""
    inputs = [*form.tree.css("main input[type=hidden]"), *form.tree.css("main input[type=radio][checked]")]
    given = {node.attributes["name"] or "": node.attributes["value"] or "" for node in inputs}
    values = {"nom": "", "date": "2026-11-03", **given, **changes}
    file = ("fichier", "photo.pdf", "application/pdf", content)
    return await visitor.upload("/documents/ajouter", values, [file], token=given["_csrf"])


async def test_a_prescription_added_on_the_way_goes_on_to_the_pharmacy(place: tuple[Town, Visitor, str]) -> None:
    _, visitor, _ = place
    form = await visitor.get(adding(await visitor.get("/ordonnance")))
    refused = await add(visitor, form, b"")
    assert refused.status == 422
    added = await add(visitor, refused, files.pdf("Amoxicilline"))  # what was chosen outlives the error
    assert re.fullmatch(r"/ordonnance/\d+/pharmacie\?fait=ajoute", added.location), added.location
    page = await visitor.follow(added)
    assert "L'ordonnance est ajoutée à vos documents." in page.words
    assert "Étape 2 sur 3, pour « photo »" in page.words
    again = await visitor.follow(await add(visitor, form, files.pdf("Amoxicilline")))
    assert "Cette ordonnance était déjà dans vos documents." in again.words


async def test_only_a_prescription_that_may_be_sent_goes_on(place: tuple[Town, Visitor, str]) -> None:
    _, visitor, _ = place
    form = await visitor.get(adding(await visitor.get("/ordonnance")))
    other = await add(visitor, form, files.pdf("Analyse"), categorie="BIOLOGIE")
    assert re.fullmatch(r"/documents/\d+\?fait=ajoute", other.location), other.location
    same = await add(visitor, form, files.pdf("Analyse"))  # the file is there already, among the results
    assert same.location == other.location.replace("ajoute", "deja")


@pytest.mark.parametrize("suite", ["https://mechant.example/", "//mechant.example", "/deconnexion", "ordonnance/", ""])
async def test_what_comes_after_adding_is_a_name_of_ours(place: tuple[Town, Visitor, str], suite: str) -> None:
    _, visitor, _ = place
    form = await visitor.get(f"/documents/ajouter?categorie=ORD_SOIN&suite={quote(suite)}")
    added = await add(visitor, form, files.pdf("Amoxicilline"), suite=suite)
    assert re.fullmatch(r"/documents/\d+\?fait=ajoute", added.location), added.location


async def test_four_pages_from_choice_to_tracking(place: tuple[Town, Visitor, str]) -> None:
    here, visitor, _ = place
    document = await here.prescription()
    page = await visitor.get("/ordonnance")
    assert "Ordonnance du 3 novembre Dr Aïssata Diallo, 3 novembre 2026" in page.words
    second = f"/ordonnance/{document}/pharmacie"
    found = await visitor.follow(await visitor.post(second, {"chercher": "1", "mots": "lyon"}))
    assert "Pharmacie du Pont Lyon · 8 h 30 à 19 h 30" in found.words
    assert "Pharmacie du Faux" not in found.words  # by sector, not by name
    chosen = await visitor.follow(await visitor.post(second, {"pharmacie": PHARMACY}))
    for words in ("Rien n'est encore envoyé", "Pour Jacqueline Morel", "Apportez l'original", "Pharmacie du Pont"):
        assert words in chosen.words
    values = {"texte": "Bonjour", "pharmacie": PHARMACY}
    sent = await visitor.post(f"/ordonnance/{document}/verifier", values)
    assert sent.location.endswith("?fait=envoyee")
    page = await visitor.follow(sent)
    assert "Ordonnance envoyée" in page.words
    done = [node.text(strip=True) for node in page.tree.css(".steps .done .step")]
    assert done == ["Envoyée", "Remise à la pharmacie"]
    store = here.space.store
    inbox = next(f for f in await store.folders(here.ids[PHARMACY]) if f.name == "INBOX")
    raw = await store.content(inbox.id, 1) or b""
    assert b"ordonnance.pdf" in raw
    assert b"Ordonnance de Jacqueline Morel" in raw
    await store.store_flags(inbox.id, [1], FlagOp.ADD, Flags(Flag.SEEN))
    again = await visitor.get(sent.location)
    assert "Ouverte par l'équipe" in [n.text(strip=True).replace("’", "'") for n in again.tree.css(".done .step")]
    assert "Ordonnance du 3 novembre" in (await visitor.get("/accueil")).words


async def test_the_pharmacy_s_answer_is_one_click_from_the_tracking_page(place: tuple[Town, Visitor, str]) -> None:
    here, visitor, _ = place
    way = (await send(visitor, await here.prescription(), PHARMACY)).location.partition("?")[0]
    before = await visitor.get(way)
    assert "La pharmacie vous répondra dans la messagerie." in before.words
    assert "La pharmacie vous a répondu." not in before.words
    assert when(before) == [
        "le 12 novembre 2026 à 9 h 40",
        "le 12 novembre 2026 à 9 h 40",
        "(pas encore)",
        "(pas encore)",
    ]
    here.now += HOUR
    asked = message_from_bytes(await here.newest(PHARMACY))
    await here.mail(
        here.letter(sender=PHARMACY, text="Elle est prête.", In_Reply_To=asked["Message-ID"]), sender=PHARMACY
    )
    page = await (await here.visitor(visitor.origin)).get(way)
    assert "La pharmacie vous a répondu. Lire sa réponse" in page.words
    assert "vous répondra" not in page.words
    assert when(page)[3] == "le 12 novembre 2026 à 10 h 40"
    [link] = page.tree.css("main a[href^='/messagerie/']")
    assert "Elle est prête." in (await (await here.visitor(visitor.origin)).get(link.attributes["href"] or "")).words


def when(page: Answer) -> list[str]:
    """What stands beside each state."""
    return [node.text().replace("\u00a0", " ") for node in page.tree.css(".steps .muted")]


async def test_a_second_pharmacy_is_warned_about(place: tuple[Town, Visitor, str]) -> None:
    here, visitor, _ = place
    document = await here.prescription()
    await send(visitor, document, PHARMACY)
    second = f"/ordonnance/{document}/pharmacie"
    page = await visitor.get(second)
    assert "Pharmacies que vous avez déjà contactées" in page.words
    await visitor.post(second, {"pharmacie": OTHER_PHARMACY})
    check = await visitor.get(f"/ordonnance/{document}/verifier")
    assert "Cette ordonnance a déjà été envoyée ailleurs" in check.words
    assert "Pharmacie du Pont, le 12 novembre 2026 à" in check.words


async def test_another_operator_s_pharmacy_is_told_apart(place: tuple[Town, Visitor, str]) -> None:
    here, visitor, _ = place
    document = await here.prescription()
    page = await visitor.follow(await send(visitor, document, "pharma.loin@hopital.example", "Brest"))
    assert "Nous ne pouvons pas savoir si votre ordonnance a été ouverte." in page.words


@pytest.mark.parametrize("pharmacy", ["faux@cabinet.example", "dr.diallo@cabinet.example", "x", ""])
async def test_only_pharmacies_can_be_chosen(place: tuple[Town, Visitor, str], pharmacy: str) -> None:
    here, visitor, _ = place
    document = await here.prescription()
    answer = await visitor.post(f"/ordonnance/{document}/pharmacie", {"pharmacie": pharmacy})
    assert answer.status == 422
    assert "Choisissez une pharmacie." in answer.words


async def test_without_pharmacy_back_to_the_choice(place: tuple[Town, Visitor, str]) -> None:
    here, visitor, _ = place
    document = await here.prescription()
    answer = await visitor.get(f"/ordonnance/{document}/verifier")
    assert answer.location == f"/ordonnance/{document}/pharmacie"


async def test_no_pharmacy_found_first_doubts_the_spelling(place: tuple[Town, Visitor, str]) -> None:
    here, visitor, _ = place
    second = f"/ordonnance/{await here.prescription()}/pharmacie"
    page = await visitor.follow(await visitor.post(second, {"chercher": "1", "mots": "Xanadu"}))
    assert "Aucune pharmacie trouvée. Vérifiez l'orthographe du nom ou de la ville." in page.words
    assert "Une pharmacie qui n'a pas de messagerie sécurisée ne peut pas être jointe ici." in page.words


async def test_nothing_chosen_is_an_error(place: tuple[Town, Visitor, str]) -> None:
    here, visitor, _ = place
    await here.prescription()
    await here.prescription(title="Une autre")
    answer = await visitor.post("/ordonnance", {})
    assert answer.status == 422
    assert "Choisissez l'ordonnance à envoyer." in answer.words


async def test_neighbours_find_nothing(place: tuple[Town, Visitor, str]) -> None:
    here, visitor, origin = place
    document = await here.prescription()
    sent = await send(visitor, document, PHARMACY)
    paul = await here.visitor(origin, "paul")
    for path in (f"/ordonnance/{document}/pharmacie", f"/ordonnance/{document}/verifier", sent.location):
        assert (await paul.get(path)).status == 404
    token = await paul.token("/messagerie")
    for path in (f"/ordonnance/{document}/pharmacie", f"/ordonnance/{document}/verifier"):
        assert (await paul.post(path, {"texte": "x", "pharmacie": PHARMACY}, token=token)).status == 404
    assert (await paul.post("/ordonnance", {"document": str(document)}, token=token)).status == 422


async def test_it_goes_to_the_pharmacy_that_the_page_showed(place: tuple[Town, Visitor, str]) -> None:
    here, visitor, _ = place
    document = await here.prescription()
    way = f"/ordonnance/{document}"
    await visitor.post(f"{way}/pharmacie", {"pharmacie": PHARMACY})
    shown = (await visitor.get(f"{way}/verifier")).first("input[name=pharmacie]")
    token = await visitor.token(f"{way}/verifier")
    await visitor.post(f"{way}/pharmacie", {"pharmacie": OTHER_PHARMACY})  # in another window
    values = {"texte": "Bonjour", "pharmacie": shown.attributes["value"] or ""}
    page = await visitor.follow(await visitor.post(f"{way}/verifier", values, token=token))
    assert "à Pharmacie du Pont" in page.words


async def test_sent_twice_by_a_double_click_acts_once(place: tuple[Town, Visitor, str]) -> None:
    here, visitor, _ = place
    document = await here.prescription()
    way = f"/ordonnance/{document}"
    await visitor.post(f"{way}/pharmacie", {"pharmacie": PHARMACY})
    page = await visitor.get(f"{way}/verifier")
    form = {n.attributes["name"] or "": n.attributes["value"] or "" for n in page.tree.css("main input[type=hidden]")}
    values = {"texte": "Bonjour", **form}
    answers = await asyncio.gather(*(visitor.post(f"{way}/verifier", values, token=form["_csrf"]) for _ in range(4)))
    assert len({answer.location for answer in answers}) == 1
    inbox = next(f for f in await here.space.store.folders(here.ids[PHARMACY]) if f.name == "INBOX")
    assert len((await here.space.store.rows(inbox.id))[1]) == 1

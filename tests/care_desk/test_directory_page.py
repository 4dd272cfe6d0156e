"""« Annuaire »: found as people speak of them, by who is signed in; nothing of it in an address."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from mssante import directory
from mssante.directory import Entry
from mssante.kinds import BoxKind
from tests.care_desk.office import SIGN_IN, Office
from tests.support.chromium import looks, tab_with
from tests.support.web import Answer, Visitor

PAGE = "/annuaire"
HEART = Entry(
    "camille.roche@medecins.example", BoxKind.PER, "Dr Camille ROCHE", "Médecin", "Villefleur", "99100", given_name="Camille",
    family_name="ROCHE", speciality="Cardiologie et maladies vasculaires", skills="Gériatrie",
    organisation="Cabinet des Tilleuls", phone="01 99 00 10 10",
)  # fmt: skip
TEAM = Entry(
    "cardio@chu.example", BoxKind.ORG, "Cardiologie, CHU de Villefleur", town="Villefleur", postcode="99100",
    organisation="CHU de Villefleur", service="Cardiologie",
)  # fmt: skip
MANY = [
    Entry(
        f"anne.petit{n}@a.example",
        BoxKind.PER,
        f"Anne PETIT {n:02d}",
        "Sage-femme",
        "Montclair",
        "98000",
        family_name="PETIT",
    )
    for n in range(30)
]
OWN = Entry("camille.roche@alpha.example", BoxKind.PER, "Dr Camille Roche", town="Zonville", postcode="97100")
NEAR = Entry("zoe.petit@a.example", BoxKind.PER, "Zoé PETIT", town="Zonville", postcode="97100", family_name="PETIT")


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def filled(office: Office) -> None:
    for entry in (HEART, TEAM, *MANY, OWN, NEAR):
        await office.db.write(directory.add, office.keys, entry)


async def searched(visitor: Visitor, words: str) -> Answer:
    await visitor.get(PAGE)
    sent = await visitor.post(PAGE, {"mots": words})
    assert (sent.status, sent.location) == (303, PAGE)
    return await visitor.get(PAGE)


def names(page: Answer) -> list[str]:
    return [one.text() for one in page.tree.css("ul.list strong")]


@pytest_asyncio.fixture(loop_scope="session")
async def antoine(office: Office, origin: str) -> Visitor:
    visitor = Visitor(origin)
    await office.enter(visitor, "antoine")
    return visitor


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("cardiologue villefleur", ["Dr Camille ROCHE"]),
        ("Gériatre", ["Dr Camille ROCHE"]),
        ("cardiolgue", ["Dr Camille ROCHE"]),
        ("cardiologie", ["Cardiologie, CHU de Villefleur", "Dr Camille ROCHE"]),
        ("  Petit 07 ", ["Anne PETIT 07"]),
        ("zzz", []),
        ("<script>", []),
    ],
)
async def test_who_is_found(antoine: Visitor, words: str, found: list[str]) -> None:
    page = await searched(antoine, words)
    assert names(page) == found
    assert ("Aucun professionnel trouvé." in page.words) == (not found)
    assert "<script>alert" not in page.text


async def test_what_is_told_of_a_person(antoine: Visitor) -> None:
    page = await searched(antoine, "cardiologue")
    told = page.words.replace("\u00a0", " ")
    for one in (
        "1 résultat", "Médecin, Cardiologie et maladies vasculaires, Gériatrie", "Cabinet des Tilleuls, 99100 Villefleur",
        "01 99 00 10 10",
    ):  # fmt: skip
        assert one in told
    assert page.first("ul.list a").attributes["href"] == "mailto:camille.roche@medecins.example"
    assert "CHU de Villefleur, 99100" not in (await searched(antoine, "chu")).words  # its name says it already


async def test_of_too_many_the_nearest_first(office: Office, antoine: Visitor, origin: str) -> None:
    """By the asker's own entry: antoine has none."""
    camille = Visitor(origin)
    await office.enter(camille, "camille")
    for visitor, first in ((antoine, "Anne PETIT 00"), (camille, "Zoé PETIT")):
        page = await searched(visitor, "petit")
        assert (names(page)[0], len(names(page))) == (first, 25)
        assert "Les 25 premiers résultats" in page.words


async def test_only_for_who_is_signed_in(office: Office, origin: str, antoine: Visitor) -> None:
    """What one looked for is in one's own session."""
    assert (await Visitor(origin).get(PAGE)).location.startswith(SIGN_IN)
    await searched(antoine, "cardiologue")
    nadia = Visitor(origin)
    await office.enter(nadia, "nadia")
    assert names(await nadia.get(PAGE)) == []


async def test_in_chromium(antoine: Visitor, origin: str, browser: Browser) -> None:
    tab = await tab_with(browser, origin, antoine.cookies)
    for words, shot in (
        ("", "annuaire"),
        ("petit", "annuaire-beaucoup"),
        ("cardiologie", "annuaire-trouve"),
        ("zzz", "annuaire-vide"),
    ):
        if words:
            await searched(antoine, words)
        await tab.goto(origin + PAGE)
        assert await looks(tab, shot, widths=(320, 360, 1280)) == []

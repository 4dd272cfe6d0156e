"""« Boîtes partagées »: what came for a team and who answered it; whose page it is, and whose it is not."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from foundation.web import french
from mailserver.store.api import Flag, FlagOp, Flags, NewMessage
from mssante.kinds import SignInState
from tests.care_desk.office import SIGN_IN, Office
from tests.care_desk.ward import Ward
from tests.support.chromium import looks, tab_with
from tests.support.there import there
from tests.support.web import Visitor

TEAMS = "/boites-partagees"


@pytest_asyncio.fixture(loop_scope="session")
async def ward(office: Office) -> Ward:
    made = Ward(office)
    await made.fill("Rendez-vous", "Ordonnance", "Résultats")
    return made


async def entered(office: Office, origin: str, login: str) -> Visitor:
    visitor = Visitor(origin)
    await office.enter(visitor, login)
    return visitor


def page_of(ward: Ward) -> str:
    return f"{TEAMS}/{ward.box}"


async def test_who_answered_and_when(office: Office, ward: Ward, origin: str) -> None:
    await ward.store.store_flags(ward.inbox, [1, 3], FlagOp.ADD, Flags(Flag.ANSWERED))
    await ward.store.answered(ward.inbox, [1], ward.seat, "Dr Awa Diallo")
    at = french.date_and_hour(office.now)
    awa = await entered(office, origin, "awa")
    assert "Cardiologie" in (await awa.get(TEAMS)).words
    page = await awa.get(page_of(ward))
    lines = [" ".join(line.text().split()) for line in page.tree.css("ul.list > li")]
    newest, middle, oldest = (french.typeset(line).replace(french.NBSP, " ") for line in lines)
    assert newest.startswith("Résultats")
    assert newest.endswith("Répondu"), "by a program that did not say who"
    assert "Non lu" in middle
    assert middle.endswith("Pas encore de réponse")
    assert oldest.endswith(f"Répondu par Dr Awa Diallo, le {at}".replace(french.NBSP, " "))
    assert "De Jacqueline Morel" in oldest


async def test_the_same_for_who_signs_in_to_the_team_s_mailbox(office: Office, ward: Ward, origin: str) -> None:
    nadia = await entered(office, origin, "nadia")
    assert "Rendez-vous" in (await nadia.get(page_of(ward))).words


@pytest.mark.parametrize("path", [TEAMS, f"{TEAMS}/1"])
async def test_nothing_is_shown_to_who_is_not_signed_in(ward: Ward, origin: str, path: str) -> None:
    assert (await Visitor(origin).get(path)).location.startswith(SIGN_IN)


async def test_another_s_mailbox_is_no_page(office: Office, ward: Ward, origin: str) -> None:
    """A team's where one has no seat, one's own, one that does not exist: all the same."""
    camille = await entered(office, origin, "camille")
    shown = await camille.get(TEAMS)
    assert "membre d'aucune boîte partagée" in shown.words
    who = there(office.db.read_now(office.credentials.of, office.ids["camille"]))
    answers = [await camille.get(f"{TEAMS}/{box}") for box in (ward.box, who.box_id, 999, "x")]
    assert {answer.status for answer in answers} == {404}
    assert len({answer.title() for answer in answers}) == 1


async def test_who_lost_the_seat_has_no_page(office: Office, ward: Ward, origin: str) -> None:
    awa = await entered(office, origin, "awa")
    assert (await awa.get(page_of(ward))).status == 200
    await office.db.write(office.credentials.set_state, ward.seat, SignInState.SUSPENDED)
    assert (await awa.get(page_of(ward))).status == 404
    assert (await awa.get(f"{page_of(ward)}/{ward.inbox}")).status == 404


async def test_a_folder_that_is_hidden_from_a_member_is_no_page(office: Office, ward: Ward, origin: str) -> None:
    """The others stay; when all are hidden there is nothing to show."""
    awa = await entered(office, origin, "awa")
    await ward.store.set_rights(ward.box, ward.inbox, ward.seat, frozenset(), 1)
    assert (await awa.get(f"{page_of(ward)}/{ward.inbox}")).status == 404
    page = await awa.get(page_of(ward))
    assert "Rendez-vous" not in page.words
    assert "Boîte de réception" not in page.words
    for folder in await ward.store.folders(ward.box):
        await ward.store.set_rights(ward.box, folder.id, ward.seat, frozenset(), 1)
    assert (await awa.get(page_of(ward))).status == 404


async def test_each_folder_with_what_nobody_opened(office: Office, ward: Ward, origin: str) -> None:
    folders = {folder.name: folder.id for folder in await ward.store.folders(ward.box)}
    await ward.store.answered(ward.inbox, [3], ward.seat, "Dr Awa Diallo")
    await ward.store.copy(ward.inbox, [2, 3], folders["Archives"])
    sent = (
        "From: cardiologie@alpha.example\r\nSender: Dr Nadia Benali <cardiologie@alpha.example>\r\n"
        "To: Jacqueline Morel <j@patient.example>, b@patient.example\r\nSubject: Re: Ordonnance\r\n\r\nx\r\n"
    )
    await ward.store.append(folders["Envoyés"], [NewMessage(sent.encode(), Flags(Flag.SEEN))])
    awa = await entered(office, origin, "awa")
    page = await awa.get(page_of(ward))
    shown = [" ".join(node.text().replace("\u00a0", " ").split()) for node in page.tree.css(".folders li")]
    assert shown[:3] == ["Boîte de réception 1 non lu", "Brouillons", "Envoyés"]
    assert "Archives 1 non lu" in shown
    links = {node.text(): node.attributes["href"] or "" for node in page.tree.css(".folders a")}
    archived = await awa.get(links["Archives"])
    assert [node.text() for node in archived.tree.css(".folders [aria-current=page]")] == ["Archives"]
    assert "Rendez-vous" not in archived.words
    assert "Répondu par Dr Awa Diallo" in archived.words, "an answer is one to the message, wherever it lies"
    own = await awa.get(links["Envoyés"])
    assert "À Jacqueline Morel et 1 autre" in own.words
    assert "Écrit par Dr Nadia Benali" in own.words
    assert "Pas encore de réponse" not in own.words
    assert "Aucun message dans ce dossier" in (await awa.get(links["Corbeille"])).words


async def test_another_mailbox_s_folder_is_no_page(office: Office, ward: Ward, origin: str) -> None:
    own = there(office.db.read_now(office.credentials.of, office.ids["awa"]))
    await ward.store.open_box(own.box_id, professional=True)
    mine = (await ward.store.folders(own.box_id))[0].id
    awa = await entered(office, origin, "awa")
    camille = await entered(office, origin, "camille")
    pages = [await awa.get(f"{page_of(ward)}/{folder}") for folder in (mine, 99_999, "x")]
    pages.append(await awa.get(f"{TEAMS}/{own.box_id}/{mine}"))
    pages.append(await camille.get(f"{page_of(ward)}/{ward.inbox}"))
    assert {page.status for page in pages} == {404}


async def test_thirty_a_page(office: Office, ward: Ward, origin: str) -> None:
    await ward.fill(*(f"Lettre {number}" for number in range(40)))
    awa = await entered(office, origin, "awa")
    first, second = await awa.get(page_of(ward)), await awa.get(page_of(ward) + "?page=2")
    assert [len(page.tree.css("ul.list > li")) for page in (first, second)] == [30, 13]
    assert "Lettre 39" in first.words
    assert "Rendez-vous" in second.words
    assert "Rendez-vous" in (await awa.get(page_of(ward) + "?page=99")).words


async def test_no_code_of_a_stranger_runs(office: Office, ward: Ward, origin: str) -> None:
    await ward.fill("<script>alert(1)</script>")
    page = await (await entered(office, origin, "awa")).get(page_of(ward))
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


async def test_every_page_in_chromium(office: Office, ward: Ward, origin: str, browser: Browser) -> None:
    long = "Compte rendu d'hospitalisation et traitement de sortie, à lire avant la consultation de jeudi"
    await ward.fill(long, "Ordonnance", "Électrocardiogramme")
    await ward.store.answered(ward.inbox, [1, 4], ward.seat, "Dr Awa Diallo")
    await ward.store.answered(ward.inbox, [4], 1, "Dr Nadia Benali")
    visitor = await entered(office, origin, "awa")
    tab = await tab_with(browser, origin, visitor.cookies)
    for path, shot in ((TEAMS, "equipes"), (page_of(ward), "equipe")):
        await tab.goto(origin + path)
        assert await looks(tab, shot, widths=(320, 360, 1280)) == []

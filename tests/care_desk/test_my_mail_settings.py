"""« Régler mon logiciel de messagerie » for who is signed in: their own address and login, and nobody else's.

| mailbox | signs in with |
|---|---|
| of one person (PER) | a login that the operator gave, often the address |
| shared (ORG, CAB) | each member's own login |
"""

from __future__ import annotations

import plistlib
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from mssante.credentials import NewCredential
from mssante.kinds import BoxKind, SignInState
from mssante.mailbox import Holder, NewMailbox
from tests.browser.test_pages import SMALL_TARGETS, TYPOGRAPHY
from tests.care_desk.mail_settings import HOST
from tests.care_desk.office import ACCOUNT, PASSWORD, PASSWORD_HASH, Office
from tests.care_desk.test_mail_settings import ASK, PAGE, SIGN_IN, ask_outlook
from tests.care_desk.ward import Ward
from tests.support.chromium import looks, tab_with, watch
from tests.support.web import Answer, Visitor

SERVERS = [HOST, "993", HOST, "465"]
TEAM = "cardiologie@alpha.example"
NOT_THE_ADDRESS = "Ce n'est pas l'adresse."


@pytest_asyncio.fixture(loop_scope="session")
async def ward(office: Office) -> Ward:
    return Ward(office)


async def entered(office: Office, origin: str, login: str) -> Visitor:
    visitor = Visitor(origin)
    assert (await office.enter(visitor, login)).location.startswith(ACCOUNT)
    return visitor


def values(page: Answer) -> list[str]:
    return [node.attributes.get("value") or "" for node in page.tree.css("input[readonly]")]


def profiles(page: Answer) -> list[str]:
    return [node.attributes["href"] or "" for node in page.tree.css(f"a[href^='{PAGE}/profil/']")]


async def profile(visitor: Visitor, path: str) -> tuple[str, str, str]:
    """Address, login to read, login to send."""
    answer = await visitor.get(path)
    assert answer.headers["content-type"] == "application/x-apple-aspen-config"
    [mail] = plistlib.loads(answer.body)["PayloadContent"]
    return mail["EmailAddress"], mail["IncomingMailServerUsername"], mail["OutgoingMailServerUsername"]


# ---------------------------------------------------------------- whose it is
@pytest.mark.parametrize(
    ("login", "address"),
    [("camille", "camille.roche@alpha.example"), ("antoine", "antoine.vidal@alpha.example"), ("nadia", TEAM)],
)
async def test_the_page_is_filled_in(office: Office, origin: str, login: str, address: str) -> None:
    visitor = await entered(office, origin, login)
    page = await visitor.get(PAGE)
    assert values(page) == [address, login, *SERVERS]
    assert NOT_THE_ADDRESS in page.words
    assert "Thunderbird trouve les serveurs. Il écrit l'adresse" in page.words
    [path] = profiles(page)
    assert await profile(visitor, path) == (address, login, login)
    assert address not in path


async def test_who_has_the_address_for_login_has_nothing_to_correct(office: Office, origin: str) -> None:
    office.db.write_now(_lou, office)
    page = await (await entered(office, origin, "Lou@alpha.example")).get(PAGE)
    assert values(page) == ["lou@alpha.example", "lou@alpha.example", *SERVERS]
    assert NOT_THE_ADDRESS not in page.words
    assert "écrit l'adresse comme nom d'utilisateur" not in page.words


def _lou(tx: Any, office: Office) -> None:
    box = office.boxes.create(tx, NewMailbox("lou@alpha.example", BoxKind.PER, Holder("Lou")), office.now)
    office.credentials.add(tx, NewCredential(box.id, "lou@alpha.example", "Lou", PASSWORD_HASH), office.now)


async def test_a_person_s_shared_mailboxes_with_the_logins_of_theirs(office: Office, ward: Ward, origin: str) -> None:
    awa = await entered(office, origin, "awa")
    page = await awa.get(PAGE)
    assert values(page) == ["awa@alpha.example", "awa", *SERVERS, TEAM, "awa-cardio"]
    assert "nadia" not in page.text, "another member"
    own, seat = profiles(page)
    assert await profile(awa, own) == ("awa@alpha.example", "awa", "awa")
    assert await profile(awa, seat) == (TEAM, "awa-cardio", "awa-cardio")
    await office.db.write(office.credentials.set_state, ward.seat, SignInState.SUSPENDED)
    assert TEAM not in (await awa.get(PAGE)).text
    assert (await awa.get(seat)).status == 404


async def test_somebody_else_s_number_is_no_page(office: Office, ward: Ward, origin: str) -> None:
    """Of another person, of another member of the same team, of one who may not sign in any more, of nobody, and no number."""
    camille, nadia = [await entered(office, origin, login) for login in ("camille", "nadia")]
    ids = office.ids
    answers = [
        await camille.get(f"{PAGE}/profil/{number}") for number in (ids["nadia"], ids["awa"], ward.seat, 999, "x")
    ]
    answers += [await nadia.get(f"{PAGE}/profil/{number}") for number in (ids["camille"], ward.seat, 0)]
    assert {answer.status for answer in answers} == {404}
    assert len({answer.title() for answer in answers}) == 1
    assert not any(login in answer.text for answer in answers for login in ("awa-cardio", "awa@", "<plist"))


@pytest.mark.parametrize("enrolled", [True, False])
async def test_which_password_the_program_wants(office: Office, origin: str, enrolled: bool) -> None:
    words = (await (await entered(office, origin, "camille" if enrolled else "antoine")).get(PAGE)).words
    assert ("il n'accepte pas votre mot de passe habituel" in words) is enrolled
    assert ("Votre mot de passe habituel ou, mieux" in words) is not enrolled


# ---------------------------------------------------------------- who is not signed in
async def test_who_gave_the_password_only_is_a_stranger_here(office: Office, origin: str) -> None:
    visitor = Visitor(origin)
    await office.password_step(visitor, "camille")
    page = await visitor.get(PAGE)
    assert values(page) == SERVERS
    assert "camille" not in page.text.lower()
    number = office.ids["camille"]
    assert (await visitor.get(f"{PAGE}/profil/{number}")).location.startswith(SIGN_IN)


async def test_the_page_leads_to_signing_in_and_back(office: Office, origin: str) -> None:
    visitor = Visitor(origin)
    link = (await visitor.get(PAGE)).first(f"main a[href^='{SIGN_IN}']").attributes["href"] or ""
    assert link == f"{SIGN_IN}?suite={PAGE}"
    assert PAGE in (await visitor.get(link)).text
    await visitor.post(SIGN_IN, {"identifiant": "camille", "mot_de_passe": PASSWORD, "suite": PAGE})
    assert (await visitor.post(f"{SIGN_IN}/code", {"code": office.totp()})).location == PAGE


@pytest.mark.parametrize("signed_in", [False, True])
async def test_programs_are_told_the_same_of_every_address(
    office: Office, ward: Ward, origin: str, signed_in: bool
) -> None:
    """A personal mailbox, a team's, a login that is no address, a mailbox that does not exist."""
    visitor = await entered(office, origin, "awa") if signed_in else Visitor(origin)
    addresses = ("awa@alpha.example", TEAM, "awa-cardio@alpha.example", "personne@alpha.example")
    for ask in (_mozilla, _outlook, _profile_of):
        told = {(await ask(visitor, address)).replace(address.encode(), b"ADDRESS") for address in addresses}
        assert len(told) == 1


async def _mozilla(visitor: Visitor, address: str) -> bytes:
    return (await visitor.get(f"/mail/config-v1.1.xml?emailaddress={address}")).body


async def _outlook(visitor: Visitor, address: str) -> bytes:
    return (await ask_outlook(visitor.origin, ASK.format(doctype="", address=address).encode())).body


async def _profile_of(visitor: Visitor, address: str) -> bytes:
    """Without the numbers that are made of the address."""
    profile = plistlib.loads((await visitor.post(PAGE, {"adresse": address})).body)
    for one in (profile, *profile["PayloadContent"]):
        del one["PayloadUUID"], one["PayloadIdentifier"]
    return plistlib.dumps(profile)


# ---------------------------------------------------------------- in a browser
async def test_every_state_in_chromium(office: Office, ward: Ward, origin: str, browser: Browser) -> None:
    for login in ("awa", "nadia"):
        visitor = await entered(office, origin, login)
        tab = await tab_with(browser, origin, visitor.cookies, locale="fr-FR")
        seen = watch(tab, origin)
        await tab.goto(origin + PAGE)
        for summary in await tab.locator("summary").all():
            await summary.click()
        also = {"target": SMALL_TARGETS, "typography": TYPOGRAPHY}
        assert await looks(tab, f"reglages-{login}", widths=(320, 360, 1280), also=also) + seen == []


async def focused(tab: Page) -> str:
    """What a screen reader would name."""
    return " ".join((await tab.evaluate("document.activeElement.innerText || document.activeElement.id")).split())


async def test_by_the_keyboard_alone(office: Office, ward: Ward, origin: str, browser: Browser) -> None:
    """Tab reaches each value and its button in the order of the page; Enter copies; one button says that it did."""
    visitor = await entered(office, origin, "awa")
    permissions = ["clipboard-read", "clipboard-write"]
    tab = await tab_with(browser, origin, visitor.cookies, permissions=permissions, locale="fr-FR")
    await tab.goto(origin + PAGE)
    await tab.locator("#compte-adresse").focus()
    await tab.keyboard.press("Tab")
    await tab.keyboard.press("Enter")
    await tab.get_by_role("status").get_by_text("Copié : Adresse de messagerie").wait_for()
    assert await tab.evaluate("navigator.clipboard.readText()") == "awa@alpha.example"
    for name in ("compte-identifiant", "Copier : Identifiant"):
        await tab.keyboard.press("Tab")
        assert name in await focused(tab)
    await tab.keyboard.press("Space")
    await tab.get_by_role("status").get_by_text("Copié : Identifiant").wait_for()
    assert await tab.evaluate("navigator.clipboard.readText()") == "awa"
    assert await tab.get_by_role("button", name="Copié").count() == 1
    await tab.locator("summary").focus()
    await tab.keyboard.press("Enter")
    assert await tab.get_by_label("Identifiant, Cardiologie").is_visible()

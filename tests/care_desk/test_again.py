"""A page left open: whoever finds it reads the account, and makes no way in without the second factor."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser

from care_desk.account.again import FRESH
from foundation.clock import MINUTE
from mssante.ceremonies import RelyingParty
from tests.care_desk.office import ACCOUNT, APPLICATION, SIGN_IN, Office
from tests.support.authenticator import Device
from tests.support.chromium import looks, tab_with
from tests.support.web import Visitor

PAGE, ADD = f"{ACCOUNT}/verification", f"{ACCOUNT}/cles/ajouter"
PLACE = "http://localhost:8443"


@pytest.fixture
def party() -> RelyingParty:
    return RelyingParty("localhost", "Opérateur Alpha", PLACE)


async def left_open(office: Office, origin: str, login: str = "camille", device: Device | None = None) -> Visitor:
    """Signed in more than ten minutes ago, and used since."""
    visitor = Visitor(origin)
    await office.enter(visitor, login)
    if device is not None:
        options = await visitor.post(f"{ADD}/demande", {}, token=await visitor.token(ADD))
        await visitor.post(ADD, {"nom": "Clé", "reponse": device.create(options.text)})
    office.now += FRESH
    return visitor


async def test_what_makes_a_way_in_asks_again(office: Office, origin: str) -> None:
    device = Device(PLACE, "localhost")
    thief = await left_open(office, origin, device=device)
    token = await thief.token(ACCOUNT)
    for path in (APPLICATION, ADD, f"{ACCOUNT}/cles/1/supprimer"):
        assert (await thief.get(path)).location == f"{PAGE}?suite={path}"
        assert (await thief.post(path, {"nom": "x", "code": "000000"}, token=token)).location == f"{PAGE}?suite={path}"
    assert (await thief.post(f"{ADD}/demande", {}, token=token)).status == 404
    made = await thief.post(ACCOUNT, {"nom": "x", "imap": "oui"}, token=token)
    assert made.location == f"{PAGE}?suite={ACCOUNT}"
    assert "Aucun mot de passe d'application." in (await thief.get(ACCOUNT)).words
    assert (await thief.get(f"{ACCOUNT}/connexions")).status == 200  # sending others away is always possible


async def test_shown_once_it_holds_for_a_while(office: Office, origin: str) -> None:
    camille = await left_open(office, origin)
    for wrong in ("", "12345", "000000"):
        office.now += MINUTE
        assert (await camille.post(PAGE, {"code": wrong, "suite": APPLICATION})).status == 422
    office.now += MINUTE
    assert (await camille.post(PAGE, {"code": office.totp(), "suite": APPLICATION})).location == APPLICATION
    assert (await camille.get(APPLICATION)).status == 200
    await office.create(camille)
    office.now += FRESH
    assert (await camille.get(APPLICATION)).location == f"{PAGE}?suite={APPLICATION}"


async def test_by_a_passkey(office: Office, origin: str) -> None:
    device = Device(PLACE, "localhost")
    nadia = Visitor(origin)
    await office.password_step(nadia, "nadia")
    options = await nadia.post(f"{ADD}/demande", {}, token=await nadia.token(ADD))
    await nadia.post(ADD, {"nom": "Clé", "reponse": device.create(options.text)})
    office.now += FRESH
    assert "Utilisez votre clé d'accès." in (await nadia.post(PAGE, {"code": "123456"})).words
    options = await nadia.post(f"{ACCOUNT}/cle", {}, token=await nadia.token(PAGE))
    assert (await nadia.post(PAGE, {"reponse": device.get(options.text)})).location == ACCOUNT


async def test_by_a_code_sent(office: Office, origin: str) -> None:
    antoine = await left_open(office, origin, "antoine")
    page = await antoine.post(PAGE, {"encore": "1", "suite": APPLICATION})
    assert "Un code est parti à votre adresse personnelle." in page.words
    code = re.findall(r"\d{6}", office.sent[-1][2])[0]
    assert (await antoine.post(PAGE, {"code": code, "suite": APPLICATION})).location == APPLICATION


@pytest.mark.parametrize(
    "suite", ["//evil.example", "https://evil.example", "/messagerie", SIGN_IN + "\r\nX: y", "/mon-compte\\x"]
)
async def test_it_leads_nowhere_else(office: Office, origin: str, suite: str) -> None:
    camille = await left_open(office, origin)
    assert (await camille.post(PAGE, {"code": office.totp(), "suite": suite})).location == ACCOUNT


async def test_strangers_and_forms_of_other_sites(office: Office, origin: str) -> None:
    assert (await Visitor(origin).get(PAGE)).location.startswith(SIGN_IN)
    camille = await left_open(office, origin)
    assert (await camille.post(PAGE, {"code": office.totp()}, token="0" * 32)).status == 403


async def test_in_a_browser(office: Office, origin: str, browser: Browser) -> None:
    camille = await left_open(office, origin, device=Device(PLACE, "localhost"))
    tab = await tab_with(browser, origin, camille.cookies)
    for path, shot in ((APPLICATION, "verification"), (ACCOUNT, "compte-ouvert")):
        await tab.goto(origin + path)
        assert await looks(tab, shot) == []

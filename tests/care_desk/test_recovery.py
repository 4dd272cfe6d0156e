"""« J'ai perdu mon appareil »: the password, the code that two operators gave, then a new factor; the old ones open no more."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser
from sqlalchemy import select

from foundation.clock import MINUTE
from foundation.tables import audit
from mssante import passkeys, recovery
from mssante.ceremonies import RelyingParty
from mssante.recovery import Lost, new_code
from tests.care_desk.office import ACCOUNT, APPLICATION, SIGN_IN, Office
from tests.support.authenticator import Device
from tests.support.chromium import looks, tab_with
from tests.support.web import Answer, Visitor

PAGE, CODE = f"{SIGN_IN}/secours", f"{SIGN_IN}/code"
ADD = f"{ACCOUNT}/cles/ajouter"
PLACE = "http://localhost:8443"


@pytest.fixture
def party() -> RelyingParty:
    return RelyingParty("localhost", "Opérateur Alpha", PLACE)


async def agreed(office: Office, login: str = "camille", lost: Lost = Lost.FACTOR) -> str:
    """The code, as two operators have made it."""
    code, person = new_code(), office.ids[login]
    number = await office.db.write(recovery.ask, office.keys, person, lost, "operator a", "vol", office.now)
    await office.db.write(recovery.agree, office.keys, number, "operator b", code, office.now)
    return code


async def lost(office: Office, origin: str, login: str = "camille") -> Visitor:
    visitor = Visitor(origin)
    await office.password_step(visitor, login)
    return visitor


async def enrol_passkey(visitor: Visitor, device: Device) -> Answer:
    options = await visitor.post(f"{ADD}/demande", {}, token=await visitor.token(ADD))
    return await visitor.post(ADD, {"nom": "Nouvelle", "reponse": device.create(options.text)})


async def test_a_new_application(office: Office, origin: str) -> None:
    before = Visitor(origin)
    await office.enter(before)
    device = Device(PLACE, "localhost")
    await enrol_passkey(before, device)
    code = await agreed(office)
    camille = await lost(office, origin)
    assert any(a.attributes.get("href") == PAGE for a in (await camille.get(CODE)).tree.css("main a"))
    assert (await camille.post(PAGE, {"secours": code.replace(" ", "-")})).location == APPLICATION
    inside = await camille.follow(await office.enrol(camille))
    assert "Camille Exemple" in inside.words
    assert "Ce que vous avez perdu n'ouvre plus rien." in inside.words
    assert (await before.get(ACCOUNT)).location.startswith(SIGN_IN)  # whoever was in is out
    assert await office.db.read(passkeys.of, office.keys, office.ids["camille"]) == []
    again = await lost(office, origin)
    office.now += MINUTE
    assert (await again.post(CODE, {"code": office.totp()})).status == 422  # of the old one
    office.now += MINUTE
    assert (await again.post(CODE, {"code": office.totp(office.secret)})).location == ACCOUNT
    assert office.told[-1] == (office.ids["camille"], "recovered")
    rows = await office.db.read(lambda conn: list(conn.execute(select(audit))))
    assert (rows[-1].event, '"recovery":1' in rows[-1].details) == ("account:totp:enrol", True)


async def test_a_new_passkey(office: Office, origin: str) -> None:
    code = await agreed(office)
    camille = await lost(office, origin)
    await camille.post(PAGE, {"secours": code})
    device = Device(PLACE, "localhost")
    assert (await enrol_passkey(camille, device)).location == f"{ACCOUNT}?fait=recupere"
    again = await lost(office, origin)
    office.now += MINUTE
    assert "Code à 6 chiffres" not in (await again.get(CODE)).words  # the application that was lost
    assert (await again.post(CODE, {"code": office.totp()})).status == 422
    options = await again.post(f"{SIGN_IN}/cle", {}, token=await again.token(CODE))
    assert (await again.post(CODE, {"reponse": device.get(options.text)})).location == ACCOUNT


async def test_the_code_is_good_until_the_new_factor_is_there(office: Office, origin: str) -> None:
    """Who closes the page does not call two operators again; once it is done, it is done."""
    code = await agreed(office)
    first, second = await lost(office, origin), await lost(office, origin)
    for visitor in (first, second):
        assert (await visitor.post(PAGE, {"secours": code})).location == APPLICATION
    assert (await office.enrol(first)).location == f"{ACCOUNT}?fait=recupere"
    assert (await second.get(APPLICATION)).location == SIGN_IN  # the other sessions ended with it
    third = await lost(office, origin)
    office.now += MINUTE
    assert (await third.post(PAGE, {"secours": code})).status == 422


async def test_a_code_too_late_between_two_pages(office: Office, origin: str) -> None:
    code = await agreed(office)
    office.now += recovery.CODE_LIVES - MINUTE
    camille = await lost(office, origin)
    assert (await camille.post(PAGE, {"secours": code})).location == APPLICATION
    office.now += 2 * MINUTE
    assert (await office.enrol(camille)).status == 422
    assert (await enrol_passkey(camille, Device(PLACE, "localhost"))).status == 422


async def test_only_behind_the_password_and_for_its_person(office: Office, origin: str) -> None:
    code = await agreed(office)
    assert (await Visitor(origin).get(PAGE)).location == SIGN_IN
    antoine = await lost(office, origin, "antoine")
    assert (await antoine.post(PAGE, {"secours": code})).status == 422
    assert (await antoine.get(APPLICATION)).location == SIGN_IN
    camille = await lost(office, origin)
    for wrong in ("", "123456", "00 00 00 00 00 00", code[:-1]):
        office.now += MINUTE
        page = await camille.post(PAGE, {"secours": wrong})
        assert "Ce code est inexact, ou n'est plus valable." in page.words
    assert (await camille.get(APPLICATION)).location == SIGN_IN
    assert (await camille.post(PAGE, {"secours": code}, token="0" * 32)).status == 403


async def test_a_signed_in_session_carries_no_recovery(office: Office, origin: str) -> None:
    camille = Visitor(origin)
    await office.enter(camille)
    assert (await camille.get(PAGE)).location == SIGN_IN


async def test_guessing_is_slowed(office: Office, origin: str) -> None:
    camille = await lost(office, origin)
    for _ in range(4):
        page = await camille.post(PAGE, {"secours": new_code()})
    assert "Attendez" in page.words


async def test_in_a_browser(office: Office, origin: str, browser: Browser) -> None:
    camille = await lost(office, origin)
    tab = await tab_with(browser, origin, camille.cookies)
    for path, shot in ((CODE, "code"), (PAGE, "secours")):
        await tab.goto(origin + path)
        assert await looks(tab, shot) == []

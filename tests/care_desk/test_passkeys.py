"""« Clés d'accès » on a professional's pages: refusals and the neighbour's, by a device in software; then Chromium with its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, CDPSession, Page
from sqlalchemy import select
from structlog.testing import capture_logs

from foundation.clock import MINUTE
from foundation.tables import audit
from mssante import passkeys
from mssante.ceremonies import RelyingParty
from mssante.credentials import IMAP, WrongPassword
from tests.care_desk.office import ACCOUNT, APPLICATION, PASSWORD, SIGN_IN, Office
from tests.support.authenticator import Device
from tests.support.chromium import looks
from tests.support.port import a_port
from tests.support.web import Answer, Visitor, serving

KEYS, ADD = f"{ACCOUNT}/cles", f"{ACCOUNT}/cles/ajouter"


@pytest.fixture
def port() -> Iterator[int]:
    with a_port() as found:
        yield found


@pytest.fixture
def party(port: int) -> RelyingParty:
    return RelyingParty("localhost", "Opérateur Alpha", f"http://localhost:{port}")


@pytest_asyncio.fixture(loop_scope="session")
async def origin(office: Office, port: int) -> AsyncIterator[str]:
    async with serving(office.app, port) as found:
        yield found


@pytest.fixture
def device(port: int) -> Device:
    return Device(f"http://localhost:{port}", "localhost")


async def asked(visitor: Visitor, place: str, page: str) -> Answer:
    return await visitor.post(place, {}, token=await visitor.token(page))


async def enrol(visitor: Visitor, device: Device, name: str = "Téléphone") -> Answer:
    options = await asked(visitor, f"{ADD}/demande", ADD)
    assert options.headers["content-type"] == "application/json"
    return await visitor.post(ADD, {"nom": name, "reponse": device.create(options.text)})


async def by_passkey(office: Office, visitor: Visitor, device: Device, login: str = "camille") -> Answer:
    assert (await office.password_step(visitor, login)).location == f"{SIGN_IN}/code"
    options = await asked(visitor, f"{SIGN_IN}/cle", f"{SIGN_IN}/code")
    return await visitor.post(f"{SIGN_IN}/code", {"reponse": device.get(options.text)})


# ---------------------------------------------------------------- by a device in software
async def test_enrolled_shown_used_and_removed(office: Office, origin: str, camille: Visitor, device: Device) -> None:
    assert "Vous n'avez qu'une seconde vérification." in (await camille.get(ACCOUNT)).words
    done = await enrol(camille, device, " Téléphone  de garde ")
    assert done.location == f"{KEYS}?fait=cle"
    page = await camille.follow(done)
    assert "Téléphone de garde" in page.words
    assert "Jamais utilisée" in page.words
    words = (await camille.get(ACCOUNT)).words
    assert "application de codes et 1 clé d'accès" in words
    assert "Vous n'avez qu'une seconde vérification." not in words
    again = Visitor(origin)
    assert (await by_passkey(office, again, device)).location == ACCOUNT
    assert "Utilisée le" in (await again.get(KEYS)).words
    remove = f"{KEYS}/1/supprimer"
    assert "Elle n'ouvrira plus votre compte" in (await again.get(remove)).words
    assert (await again.post(remove, {})).location == f"{KEYS}?fait=supprimee"
    assert (await again.post(remove, {}, token=await again.token(ADD))).status == 404
    third = Visitor(origin)
    assert (await office.password_step(third, "camille")).location == f"{SIGN_IN}/code"
    assert "clé d'accès" not in (await third.get(f"{SIGN_IN}/code")).words
    assert (await asked(third, f"{SIGN_IN}/cle", f"{SIGN_IN}/code")).status == 404


async def test_an_enrolled_passkey_takes_the_place_of_codes_by_email(
    office: Office, origin: str, device: Device
) -> None:
    antoine = Visitor(origin)
    await office.enter(antoine, "antoine")
    await enrol(antoine, device)
    sent = len(office.sent)
    again = Visitor(origin)
    await office.password_step(again, "antoine")
    assert "Utiliser une clé d'accès" in (await again.get(f"{SIGN_IN}/code")).words
    await again.post(f"{SIGN_IN}/code", {"encore": "1"})
    assert len(office.sent) == sent
    office.now += MINUTE
    assert isinstance(await office.credentials.check("antoine", PASSWORD, office.now, "192.0.2.1", IMAP), WrongPassword)


async def test_a_first_factor_in_the_middle_of_signing_in(office: Office, origin: str, device: Device) -> None:
    nadia, thief = Visitor(origin), Visitor(origin)
    for visitor in (thief, nadia):
        assert (await office.password_step(visitor, "nadia")).location == APPLICATION
    late = await asked(thief, f"{ADD}/demande", ADD)
    assert any(a.attributes.get("href") == ADD for a in (await nadia.get(APPLICATION)).tree.css("main a"))
    inside = await enrol(nadia, device)
    assert inside.location == f"{ACCOUNT}?fait=cle"
    words = (await nadia.follow(inside)).words
    assert "Nadia Exemple" in words
    assert "Votre clé d'accès est enregistrée." in words
    thiefs = Device(device.origin, device.domain)
    assert (await thief.post(ADD, {"nom": "x", "reponse": thiefs.create(late.text)})).status == 422
    assert (await thief.get(ACCOUNT)).location.startswith(SIGN_IN)


async def test_who_has_a_factor_adds_none_with_the_password_alone(office: Office, origin: str) -> None:
    for login in ("camille", "antoine"):
        visitor = Visitor(origin)
        await office.password_step(visitor, login)
        assert (await visitor.get(ADD)).location == SIGN_IN
        assert (await asked(visitor, f"{ADD}/demande", f"{SIGN_IN}/code")).status == 404
        assert (await visitor.get(KEYS)).location.startswith(SIGN_IN)


async def test_the_last_factor_stays(office: Office, origin: str, device: Device) -> None:
    nadia = Visitor(origin)
    await office.password_step(nadia, "nadia")
    await enrol(nadia, device)
    remove = f"{KEYS}/1/supprimer"
    assert "C'est votre seule seconde vérification." in (await nadia.get(remove)).words
    assert "seule" in (await nadia.post(remove, {}, token=await nadia.token(ADD))).words
    await enrol(nadia, Device(device.origin, device.domain), "Autre")
    assert (await nadia.post(remove, {})).status == 303


async def test_the_neighbours_passkey(office: Office, origin: str, camille: Visitor, device: Device) -> None:
    await enrol(camille, device)
    antoine = Visitor(origin)
    await office.enter(antoine, "antoine")
    theirs = f"{KEYS}/1/supprimer"
    assert (await antoine.get(theirs)).status == 404
    assert (await antoine.post(theirs, {}, token=await antoine.token(ACCOUNT))).status == 404
    assert "Téléphone" not in (await antoine.get(KEYS)).words
    own = Device(device.origin, device.domain)
    await enrol(antoine, own)
    again = Visitor(origin)
    assert (await by_passkey(office, again, device, "antoine")).status == 422  # camille's device, antoine's password
    assert (await again.get(ACCOUNT)).location.startswith(SIGN_IN)


async def test_an_answer_is_good_once_and_in_its_session(
    office: Office, origin: str, camille: Visitor, device: Device
) -> None:
    await enrol(camille, device)
    one, two = Visitor(origin), Visitor(origin)
    for visitor in (one, two):
        await office.password_step(visitor, "camille")
    options = await asked(one, f"{SIGN_IN}/cle", f"{SIGN_IN}/code")
    answer = {"reponse": device.get(options.text)}
    refused = await two.post(f"{SIGN_IN}/code", answer)
    assert refused.status == 422
    assert "Cette clé d'accès n'a pas été acceptée." in refused.words
    office.now += 5 * MINUTE
    assert (await one.post(f"{SIGN_IN}/code", answer)).status == 422
    assert (await one.post(f"{SIGN_IN}/code", {"code": office.totp()})).status == 303  # the other way stays


async def test_forms_of_other_sites(office: Office, origin: str, camille: Visitor, device: Device) -> None:
    for place in (ADD, f"{ADD}/demande", f"{SIGN_IN}/cle"):
        assert (await camille.post(place, {"nom": "x"}, token="0" * 32)).status == 403
        token = await camille.token(ADD)
        assert (await camille.post(place, {"nom": "x"}, token=token, origin="https://evil.example")).status == 403
    assert (await Visitor(origin).get(ADD)).location == SIGN_IN


async def test_without_a_domain_none_are_offered(tmp_path: Path) -> None:
    office = Office(tmp_path)
    async with serving(office.app) as origin:
        camille = Visitor(origin)
        await office.enter(camille)
        assert "clé d'accès" not in (await camille.get(ACCOUNT)).words
        for place in (KEYS, ADD):
            assert (await camille.get(place)).status == 404
    await office.db.close()


async def test_audited_and_in_no_log(office: Office, origin: str, camille: Visitor, device: Device) -> None:
    with capture_logs() as logs:
        await enrol(camille, device, "Téléphone de Camille")
        device.count = 0
        assert (await by_passkey(office, Visitor(origin), device)).status == 422  # a copy
    assert "Une copie de cette clé a peut-être servi." in (await camille.get(KEYS)).words
    rows = await office.db.read(lambda conn: list(conn.execute(select(audit))))
    actor = f"credential {office.ids['camille']}"
    assert [(row.event, row.actor) for row in rows] == [
        ("account:passkey:enrol", actor),
        ("account:passkey:block", actor),
    ]
    assert [log["reason"] for log in logs if log["event"] == "account.passkey_refused"] == ["COPIED"]
    assert "Camille" not in str(logs) + str(rows)


# ---------------------------------------------------------------- by Chromium's own
async def with_device(context: BrowserContext, verified: bool = True) -> tuple[Page, CDPSession, str]:
    tab = await context.new_page()
    tab.on("console", lambda said: pytest.fail(said.text) if "Content Security" in said.text else None)
    cdp = await context.new_cdp_session(tab)
    await cdp.send("WebAuthn.enable")
    wanted = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    wanted |= {"isUserVerified": verified, "automaticPresenceSimulation": True}
    made = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": wanted})
    return tab, cdp, made["authenticatorId"]


async def let_in(context: BrowserContext, office: Office, origin: str, login: str = "camille") -> None:
    visitor = Visitor(origin)
    await office.enter(visitor, login)
    place = origin.replace("127.0.0.1", "localhost")
    cookies = [{"name": name, "value": value, "url": place} for name, value in visitor.cookies.items()]
    await context.add_cookies(cookies)  # type: ignore[arg-type]


async def password_step(tab: Page, place: str, login: str = "camille") -> None:
    await tab.goto(place + SIGN_IN)
    await tab.get_by_label("Identifiant").fill(login)
    await tab.get_by_label("Mot de passe").fill(PASSWORD)
    await tab.get_by_role("button", name="Se connecter").click()
    await tab.get_by_role("heading", name="Votre seconde vérification").wait_for()


async def test_chromium_enrols_and_signs_in(office: Office, origin: str, browser: Browser, port: int) -> None:
    place = f"http://localhost:{port}"
    context = await browser.new_context()
    await let_in(context, office, origin)
    tab, cdp, device = await with_device(context)
    await tab.goto(place + KEYS)
    assert await looks(tab, "cles-aucune") == []
    await tab.get_by_role("link", name="Ajouter une clé d’accès").click()
    assert await looks(tab, "cle-ajouter") == []
    await tab.get_by_role("button", name="Créer la clé d’accès").click()
    await tab.locator(".errors:focus").wait_for()
    assert await looks(tab, "cle-sans-nom") == []
    await tab.get_by_label("Nom de la clé").fill("Téléphone")
    await tab.get_by_label("Nom de la clé").press("Enter")
    await tab.get_by_text("Votre clé d’accès est enregistrée.").wait_for()
    assert await looks(tab, "cles") == []
    await tab.goto(place + ACCOUNT)
    assert await looks(tab, "compte-cles") == []
    await tab.get_by_role("button", name="Se déconnecter").click()
    await password_step(tab, place)
    assert await looks(tab, "cle-connexion") == []
    await tab.get_by_role("button", name="Utiliser une clé d’accès").click()
    await tab.wait_for_url(place + ACCOUNT)
    [kept] = (await cdp.send("WebAuthn.getCredentials", {"authenticatorId": device}))["credentials"]
    assert kept["rpId"] == "localhost"
    assert b"camille" not in json.dumps(kept["userHandle"]).encode()


async def test_chromium_where_nobody_is_recognised(office: Office, origin: str, browser: Browser, port: int) -> None:
    context = await browser.new_context()
    await let_in(context, office, origin)
    tab, _, _ = await with_device(context, verified=False)
    await tab.goto(f"http://localhost:{port}{ADD}")
    await tab.get_by_label("Nom de la clé").fill("Clé trouvée")
    await tab.get_by_role("button", name="Créer la clé d’accès").click()
    await tab.get_by_text("L’appareil n’a pas répondu, ou vous avez refusé. Recommencez.").wait_for()
    assert await office.db.read(passkeys.of, office.keys, office.ids["camille"]) == []


async def test_chromium_at_another_address_of_the_page(office: Office, origin: str, browser: Browser) -> None:
    context = await browser.new_context()
    tab, _, _ = await with_device(context)
    visitor = Visitor(origin)
    await office.enter(visitor, "camille")
    cookies = [{"name": name, "value": value, "url": origin} for name, value in visitor.cookies.items()]
    await context.add_cookies(cookies)  # type: ignore[arg-type]
    await tab.goto(origin + ADD)  # by its number, where passkeys are made for « localhost »
    await tab.get_by_label("Nom de la clé").fill("Téléphone")
    await tab.get_by_role("button", name="Créer la clé d’accès").click()
    await tab.get_by_text("Ouvrez la page à l’adresse que vous a donnée votre opérateur.").wait_for()
    assert await office.db.read(passkeys.of, office.keys, office.ids["camille"]) == []


async def test_chromium_with_a_copied_device(office: Office, origin: str, browser: Browser, port: int) -> None:
    """The private key, taken out of one device and put in another: the second to be used is found out."""
    place = f"http://localhost:{port}"
    context = await browser.new_context()
    await let_in(context, office, origin)
    tab, cdp, first = await with_device(context)
    await tab.goto(place + ADD)
    await tab.get_by_label("Nom de la clé").fill("Téléphone")
    await tab.get_by_role("button", name="Créer la clé d’accès").click()
    await tab.get_by_text("Votre clé d’accès est enregistrée.").wait_for()
    [stolen] = (await cdp.send("WebAuthn.getCredentials", {"authenticatorId": first}))["credentials"]
    await tab.get_by_role("button", name="Se déconnecter").click()
    await password_step(tab, place)
    await tab.get_by_role("button", name="Utiliser une clé d’accès").click()
    await tab.wait_for_url(place + ACCOUNT)

    other = await browser.new_context()
    thief, theirs, copy = await with_device(other)
    await password_step(thief, place)
    await theirs.send("WebAuthn.addCredential", {"authenticatorId": copy, "credential": {**stolen, "signCount": 0}})
    await thief.get_by_role("button", name="Utiliser une clé d’accès").click()
    await thief.locator(".errors:focus").wait_for()
    await tab.goto(place + KEYS)
    await tab.get_by_text("Bloquée").wait_for()
    assert await looks(tab, "cle-bloquee") == []


async def test_without_script_the_other_way_stays(
    office: Office, origin: str, browser: Browser, camille: Visitor, device: Device, port: int
) -> None:
    await enrol(camille, device)
    context = await browser.new_context(java_script_enabled=False)
    tab = await context.new_page()
    await password_step(tab, f"http://localhost:{port}")
    assert not await tab.get_by_role("button", name="Utiliser une clé d’accès").is_visible()
    await tab.get_by_text("ce navigateur ne sait pas utiliser de clé d’accès").wait_for()
    await tab.get_by_label("Code à 6 chiffres").fill(office.totp())
    await tab.get_by_role("button", name="Continuer").click()
    await tab.wait_for_url(f"http://localhost:{port}{ACCOUNT}")

"""« Mon compte » in headless Chromium: axe-core finds nothing in both themes and widths, nothing is wider than 320 px."""

from __future__ import annotations

from io import BytesIO

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Browser

from mssante.credentials import IMAP
from tests.care_desk.office import ACCOUNT, APPLICATION, SIGN_IN, Office
from tests.support.chromium import looks, tab_with
from tests.support.web import Visitor

PASSWORD_PAGE = f"{ACCOUNT}/mot-de-passe"
SIZES = (320, 360, 1280)
WRAPPED = """[...document.querySelectorAll('nav.main a')].filter(a => {
  const words = document.createRange(); words.selectNodeContents(a);
  return new Set([...words.getClientRects()].map(r => Math.round(r.top))).size > 1; }).map(a => a.textContent)"""


async def test_every_page(office: Office, origin: str, camille: Visitor, browser: Browser) -> None:
    for name in ("Thunderbird du cabinet", "Téléphone de garde, celui que l'équipe se passe le week-end"):
        secret = await office.create(camille, name)
    await office.credentials.check("camille", secret, office.now, "192.0.2.1", IMAP)
    page = await camille.get(ACCOUNT)
    remove = next(a.attributes["href"] or "" for a in page.tree.css("a[href$=supprimer]"))
    stranger = await tab_with(browser, origin, {})
    await stranger.goto(origin + SIGN_IN)
    assert await looks(stranger, "connexion", SIZES) == []
    tab = await tab_with(browser, origin, camille.cookies)
    shots = {ACCOUNT: "compte", APPLICATION: "application", remove: "supprimer", PASSWORD_PAGE: "mot-de-passe"}
    for path, shot in shots.items():
        await tab.goto(origin + path)
        assert await looks(tab, shot, SIZES, also={"on two lines": WRAPPED}) == []
    await tab.goto(origin + ACCOUNT)
    await tab.get_by_role("button", name="Créer le mot de passe").click()
    await tab.locator(".errors:focus").wait_for()
    assert await looks(tab, "erreur", SIZES) == []
    await tab.get_by_label("Nom du logiciel").fill("Poste")
    await tab.keyboard.press("Enter")
    await tab.get_by_role("heading", name="Votre mot de passe d’application").wait_for()
    assert await looks(tab, "cree", SIZES) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_picture_is_the_key(origin: str, camille: Visitor, browser: Browser, scheme: str) -> None:
    """Read from the screen by another's reader, at the width of a telephone."""
    tab = await tab_with(browser, origin, camille.cookies, viewport={"width": 320, "height": 900}, color_scheme=scheme)
    await tab.goto(origin + APPLICATION)
    shot = Image.open(BytesIO(await tab.locator(".qr").screenshot()))
    address = await tab.get_by_role("link", name="Ouvrir l’application").get_attribute("href") or ""
    assert [code.text for code in zxingcpp.read_barcodes(shot)] == [address]
    key = (await tab.locator("#cle").input_value()).replace(" ", "")
    assert address.startswith("otpauth://totp/")
    assert f"secret={key}" in address

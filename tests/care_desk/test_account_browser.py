"""« Mon compte » in headless Chromium: axe-core finds nothing in both themes and widths, nothing is wider than 320 px.

Set SHOTS to a folder to keep the pictures.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from mssante.credentials import IMAP
from tests.care_desk.office import ACCOUNT, APPLICATION, SIGN_IN, Office
from tests.support.web import CHROMIUM_FLAGS, Visitor, axe, serving

PASSWORD_PAGE = f"{ACCOUNT}/mot-de-passe"
SHOTS = os.environ.get("SHOTS", "")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS)
        yield started
        await started.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page(office: Office, browser: Browser, scheme: str) -> None:
    async with serving(office.app) as origin:
        visitor = Visitor(origin)
        await office.enter(visitor)
        for name in ("Thunderbird du cabinet", "Téléphone de garde, celui que l'équipe se passe le week-end"):
            secret = await office.create(visitor, name)
        await office.credentials.check("camille", secret, office.now, "192.0.2.1", IMAP)
        page = await visitor.get(ACCOUNT)
        remove = next(a.attributes["href"] or "" for a in page.tree.css("a[href$=supprimer]"))
        for width in (320, 360, 1280):
            context = await browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
            cookies = [{"name": name, "value": value, "url": origin} for name, value in visitor.cookies.items()]
            tab = await context.new_page()
            await tab.goto(origin + SIGN_IN)
            await look(tab, "connexion", scheme, width)
            await context.add_cookies(cookies)  # type: ignore[arg-type]
            for path, shot in (
                (ACCOUNT, "compte"),
                (APPLICATION, "application"),
                (remove, "supprimer"),
                (PASSWORD_PAGE, "mot-de-passe"),
            ):
                await tab.goto(origin + path)
                await look(tab, shot, scheme, width)
            await tab.goto(origin + ACCOUNT)
            await tab.get_by_role("button", name="Créer le mot de passe").click()
            await tab.locator(".errors:focus").wait_for()
            await look(tab, "erreur", scheme, width)
            await tab.get_by_label("Nom du logiciel").fill(f"Poste {scheme} {width}")
            await tab.keyboard.press("Enter")
            await tab.get_by_role("heading", name="Votre mot de passe d’application").wait_for()
            await look(tab, "cree", scheme, width)
            await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_picture_is_the_key(office: Office, browser: Browser, scheme: str) -> None:
    """Read from the screen by another's reader, at the width of a telephone."""
    async with serving(office.app) as origin:
        visitor = Visitor(origin)
        await office.enter(visitor)
        context = await browser.new_context(viewport={"width": 320, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        cookies = [{"name": name, "value": value, "url": origin} for name, value in visitor.cookies.items()]
        await context.add_cookies(cookies)  # type: ignore[arg-type]
        tab = await context.new_page()
        await tab.goto(origin + APPLICATION)
        shot = Image.open(BytesIO(await tab.locator(".qr").screenshot()))
        address = await tab.get_by_role("link", name="Ouvrir l’application").get_attribute("href") or ""
        assert [code.text for code in zxingcpp.read_barcodes(shot)] == [address]
        key = (await tab.locator("#cle").input_value()).replace(" ", "")
        assert address.startswith("otpauth://totp/")
        assert f"secret={key}" in address


async def look(tab: Page, shot: str, scheme: str, width: int) -> None:
    if SHOTS:
        await tab.screenshot(path=f"{SHOTS}/{shot}-{scheme}-{width}.png", full_page=True)
    assert await axe(tab) == []
    assert await tab.evaluate("document.documentElement.scrollWidth") <= width

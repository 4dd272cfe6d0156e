"""« Régler mon logiciel de messagerie » in headless Chromium: axe, widths, targets, and the copy buttons."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.test_pages import SMALL_TARGETS, TYPOGRAPHY
from tests.care_desk.mail_settings import HOST, settings_page
from tests.support.chromium import looks, watch

PAGE = "/regler-ma-messagerie"


@pytest_asyncio.fixture(loop_scope="session")
async def origin(tmp_path: Path) -> AsyncIterator[str]:
    async with settings_page(tmp_path) as found:
        yield found


async def test_the_page_in_its_states(browser: Browser, origin: str) -> None:
    context = await browser.new_context(locale="fr-FR")
    page = await context.new_page()
    seen = watch(page, origin)
    faults: list[str] = []
    for state, typed in (("vide", None), ("erreur", "nadia@ailleurs.example")):
        await page.goto(origin + PAGE)
        if typed is not None:
            await page.get_by_label("Adresse de la boîte").fill(typed)
            await page.get_by_role("button", name="Télécharger le profil Apple").click()
            await page.locator(".errors:focus").wait_for()
        assert "nadia" not in page.url
        also = {"target": SMALL_TARGETS, "typography": TYPOGRAPHY}
        faults += await looks(page, f"reglages-{state}", widths=(320, 360, 1280), also=also)
    assert faults + seen == []


async def test_a_button_copies_its_field_and_says_so(browser: Browser, origin: str) -> None:
    context = await browser.new_context(permissions=["clipboard-read", "clipboard-write"], locale="fr-FR")
    page = await context.new_page()
    await page.goto(origin + PAGE)
    await page.get_by_role("button", name="Copier : Serveur, réception").click()
    await page.get_by_role("button", name="Copié : Serveur, réception").wait_for()
    assert await page.evaluate("navigator.clipboard.readText()") == HOST

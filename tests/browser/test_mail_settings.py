"""« Régler mon logiciel de messagerie » in headless Chromium: axe, widths, targets, and the copy buttons."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser.test_pages import SMALL_TARGETS, TYPOGRAPHY, look
from tests.care_desk.mail_settings import HOST, settings_page
from tests.support.web import axe

ADDRESS = "nadia.benali@medecins.alpha.example"
PAGE = "/regler-ma-messagerie"


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[str]:
    async with settings_page(tmp_path) as found:
        yield found


@pytest.mark.parametrize("dark", [False, True], ids=["clair", "sombre"])
@pytest.mark.parametrize("width", [320, 1280])
async def test_the_page_in_its_states(browser: Browser, origin: str, dark: bool, width: int) -> None:
    scheme = "dark" if dark else "light"
    context = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, locale="fr-FR")
    page = await context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    faults: list[str] = []
    for state, typed in (("vide", None), ("erreur", "nadia@ailleurs.example"), ("rempli", ADDRESS)):
        await page.goto(origin + PAGE)
        if typed is not None:
            await page.get_by_label("Votre adresse de messagerie").fill(typed)
            await page.get_by_role("button", name="Afficher mes réglages").click()
        assert ADDRESS not in page.url
        await look(page, f"reglages-{state}-{width}-{scheme}")
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        faults += [f"{state}: {fault}" for fault in await axe(page)]
        faults += [f"{state}: {wide} px too wide"] if wide > 0 else []
        faults += [f"{state}: {target}" for target in await page.evaluate(SMALL_TARGETS)]
        faults += [f"{state}: typography « {text.strip()} »" for text in await page.evaluate(TYPOGRAPHY)]
    assert faults == []
    assert [problem for problem in problems if "422" not in problem] == []


async def test_a_button_copies_its_field_and_says_so(browser: Browser, origin: str) -> None:
    context = await browser.new_context(permissions=["clipboard-read", "clipboard-write"], locale="fr-FR")
    page = await context.new_page()
    await page.goto(origin + PAGE)
    await page.get_by_role("button", name="Copier : Serveur, réception").click()
    await page.get_by_role("button", name="Copié : Serveur, réception").wait_for()
    assert await page.evaluate("navigator.clipboard.readText()") == HOST

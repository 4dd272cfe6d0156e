"""Documents and Notifications in headless Chromium: axe-core finds nothing in both themes and widths, nor is anything too wide."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from foundation.database import Transaction
from health_space.dossier import operations as ops
from health_space.dossier import refusals
from health_space.dossier.operations import Origin
from health_space.notices.rules import Kind
from tests.health_space.site import JACQUELINE, LOUISE, SARAH, Site, ring
from tests.support import files
from tests.support.chromium import looks, tab_with
from tests.support.web import Visitor, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    yield made
    await made.readers.close()
    await made.db.close()


async def furnish(site: Site) -> dict[str, str]:
    """A dossier as Jacqueline's could be; addresses of the pages to look at."""
    letter = await site.put(JACQUELINE, files.pdf("Compte rendu de consultation", pages=6), pages=6)
    await site.put(
        JACQUELINE,
        files.pdf("Ordonnance"),
        title="Ordonnance du docteur Roche",
        category="ORD_SOIN",
        act_date=date(2026, 5, 1),
    )
    await site.put(
        JACQUELINE,
        files.jpg(800, 600),
        "image/jpeg",
        title="Photo de mon ancienne prothèse, côté gauche, vue de dessus",
        author_name="Jacqueline Morel",
        origin=Origin.CITIZEN,
        category="AUTR_DOC",
        masked=True,
    )
    note = await site.put(JACQUELINE, b"Tension : 12/8\nPoids : 61 kg", "text/plain", pages=0, title="Mesures")

    def refuse(tx: Transaction) -> None:
        dossier = ops.open_dossier(tx, site.keys, JACQUELINE, 1)
        new = refusals.NewRefusal(
            "2",
            "document_too_large",
            6_200_000,
            "scanner_thorax_complet.pdf",
            "Service de cardiologie",
            "c@chu.example",
        )
        refusals.record_refusals(tx, dossier, b"k" * 16, [new], site.now)
        refusals.mark_told(tx, dossier, b"k" * 16, site.now)

    await site.db.write(refuse)
    await ring(site, JACQUELINE, Kind.MESSAGE, [], 1)
    await ring(site, JACQUELINE, Kind.DOCUMENT, [f"/documents/{letter}", "/documents/777"], 2, "no_address")
    return {
        "liste": "/documents",
        "categorie-vide": "/documents?categorie=CERT_MED",
        "ajouter": "/documents/ajouter",
        "document": f"/documents/{letter}?fait=ajoute",
        "texte": f"/documents/{note}",
        "notifications": "/notifications",
    }


def said_in(page: Page) -> list[str]:
    """Of its console, from now on: a policy violation says so there."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    return said


async def test_axe_and_width(site: Site, browser: Browser) -> None:
    pages = await furnish(site)
    await ring(site, LOUISE, Kind.MESSAGE, [], 9)
    empty = {"vide": "/documents", "cloche-vide": "/notifications"}
    async with serving(site.app) as origin:
        for person, addresses in ((JACQUELINE, pages), (SARAH, empty)):
            page = await tab_with(browser, origin, (await site.visitor(origin, person)).cookies)
            said = said_in(page)
            for name, address in addresses.items():
                await page.goto(origin + address, wait_until="networkidle")
                assert await looks(page, name) == []
            assert said == []


async def test_errors_and_320_pixels(site: Site, browser: Browser) -> None:
    pages = await furnish(site)
    async with serving(site.app) as origin:
        visitor: Visitor = await site.visitor(origin, JACQUELINE)
        page = await tab_with(browser, origin, visitor.cookies, viewport={"width": 320, "height": 700})
        for name, address in pages.items():
            await page.goto(origin + address)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 320, name
        await page.goto(origin + "/documents/ajouter")
        await page.set_input_files(
            "#fichier", {"name": "a.zip", "mimeType": "application/zip", "buffer": files.archive()}
        )
        await page.click("text=Ajouter le document")
        assert (await page.title()).startswith("Erreur")
        assert await looks(page, "erreur", widths=(320,)) == []


async def test_a_document_is_added_and_read_without_javascript(site: Site, browser: Browser) -> None:
    async with serving(site.app) as origin:
        visitor = await site.visitor(origin, JACQUELINE)
        page = await tab_with(
            browser, origin, visitor.cookies, viewport={"width": 360, "height": 700}, java_script_enabled=False
        )
        await page.goto(origin + "/documents")
        await page.click("text=Ajouter un document")
        await page.fill("#nom", "Mon ordonnance")
        await page.check("text=Ordonnances et soins")
        await page.set_input_files("#fichier", {"name": "o.png", "mimeType": "image/png", "buffer": files.png()})
        await page.click("button:has-text('Ajouter le document')")
        assert await page.inner_text("h1") == "Mon ordonnance"
        async with page.expect_download() as download:
            await page.click("#telecharger")
        assert (await download.value).suggested_filename == "o.png.jpg"

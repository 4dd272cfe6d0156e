"""Every citizen's page in headless Chromium: axe-core without violation, no scroll sideways, targets, no request elsewhere.

Light and dark, 360 and 1280 px, and 320 px (400 % zoom). Screenshots go to the folder named by SCREENSHOTS when it is set.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.support import files
from tests.support.citizen import PHARMACY, Town
from tests.support.web import Visitor, axe

PUBLIC = ("/connexion", "/connexion?suite=/accueil&garde=1", "/aide", "/accessibilite", "/donnees-personnelles")
SIZES = (360, 1280)
# Links inside a sentence may be as high as the line (WCAG 2.5.8, inline); all else is 44 px.
SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), summary, textarea')]
  .filter(e => e.checkVisibility() && !e.closest('.skips'))
  .map(e => ({html: e.outerHTML.slice(0, 120), box: (e.closest('label') || e).getBoundingClientRect(),
    least: e.matches('p a:not(.button), li .row, li a') && !e.closest('.back, .inline-actions, .actions, nav, .foot') ? 24 : 44}))
  .filter(({box, least}) => box.height > 0 && box.height < least - 0.5)
  .map(({html, box}) => `${Math.round(box.height)} px ${html}`)"""


# Our own words in French typography: no plain space before : ; ! ? » nor after «, no straight apostrophe.
TYPOGRAPHY = """() => { const page = document.body.cloneNode(true);
  page.querySelectorAll('.body, .row, .files a, h1, textarea, script').forEach(e => e.remove());
  return (page.textContent.match(/.{0,20}( [:;!?»]|« |[a-zé]'[a-zé]).{0,10}/gi) || []); }"""


async def story(here: Town, origin: str) -> dict[str, str]:
    """Pages in all their states; name -> path, for Claire who has a child."""
    message = here.letter("claire", "Vos résultats d'analyse", LONG, X_MSS_INS="O")
    message.add_attachment(
        files.pdf("Résultats"), maintype="application", subtype="pdf", filename="résultats d'analyse.pdf"
    )
    message.add_attachment(b"<svg/>", maintype="image", subtype="svg+xml", filename="dessin.svg")
    await here.mail(message)
    html = here.letter(
        "claire", "Lettre mise en forme", "Bonjour\n\nLe 3 mai 2026, Vous a écrit :\n> merci\n\nÀ bientôt"
    )
    html.add_alternative(
        "<h1>Bonjour</h1><p style='color:navy'>Bien à vous</p><img src='https://mechant.example/x.gif'>", subtype="html"
    )
    await here.mail(html)
    visitor = await here.visitor(origin, "claire")
    listed = [n.attributes["href"] or "" for n in (await visitor.get("/messagerie")).tree.css("a.row")]
    formatted, long = listed
    await visitor.upload(long, {"texte": "Merci docteur.\nJe prends le traitement ce soir."}, [])
    pieces = [n.attributes["href"] or "" for n in (await visitor.get(long)).tree.css(".files a")]
    shaped = next(
        n.attributes["href"] or ""
        for n in (await visitor.get(formatted)).tree.css("a")
        if "forme" in (n.attributes["href"] or "")
    )
    document = await here.prescription("claire")
    sent = await prescribe(visitor, document)
    closed = here.letter("claire", "Fin de suivi", sender="dr.loin@hopital.example", name="Dr Loin")
    await here.mail(closed, "dr.loin@hopital.example")
    ended = here.letter("claire", "[FIN]", "", sender="dr.loin@hopital.example", name="Dr Loin")
    await here.mail(ended, "dr.loin@hopital.example")
    last = (await visitor.get("/messagerie")).tree.css_first("a.row")
    assert last is not None
    return {
        "accueil": "/accueil",
        "messagerie": "/messagerie",
        "messagerie-vide": "/messagerie?voir=non-lus&page=9",
        "conversation": long,
        "conversation-close": last.attributes["href"] or "",
        "piece-pdf": pieces[0],
        "piece-refusee": pieces[1],
        "mise-en-forme": shaped,
        "nouveau": "/messagerie/nouveau",
        "ordonnance-1": "/ordonnance",
        "ordonnance-2": f"/ordonnance/{document}/pharmacie",
        "ordonnance-3": f"/ordonnance/{document}/verifier",
        "ordonnance-4": sent,
        "erreur-404": "/messagerie/123456",
        "documents": "/documents",
        "notifications": "/notifications",
    }


async def prescribe(visitor: Visitor, document: int) -> str:
    way = f"/ordonnance/{document}/pharmacie"
    await visitor.post(way, {"chercher": "1", "mots": "Lyon"})
    await visitor.post(way, {"pharmacie": PHARMACY})
    return (
        await visitor.post(f"/ordonnance/{document}/verifier", {"texte": "Bonjour", "pharmacie": PHARMACY})
    ).location


LONG = (
    "Bonjour Madame,\n\nVos analyses sont bonnes. Le traitement peut continuer comme prévu, un comprimé le matin.\n"
    "Si vous avez des vertiges, appelez le cabinet.\n\nhttps://un-tres-long-lien.example/"
    + "a" * 150
    + "\n\nDr Diallo\n"
)


async def signed_in(browser: Browser, here: Town, origin: str, dark: bool, width: int) -> BrowserContext:
    context = await browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light", locale="fr-FR"
    )
    cookie = await here.session("claire")
    await context.add_cookies([{"name": here.web.cookie, "value": cookie, "url": origin}])
    return context


async def look(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("dark", [False, True], ids=["clair", "sombre"])
@pytest.mark.parametrize("width", SIZES)
async def test_every_page(browser: Browser, place: tuple[Town, str], dark: bool, width: int) -> None:
    here, origin = place
    pages = await story(here, origin)
    context = await signed_in(browser, here, origin, dark, width)
    public = await browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light"
    )
    faults: list[str] = []
    for name, path in [*pages.items(), *((path.strip("/").split("?")[0], path) for path in PUBLIC)]:
        page = await (public if path in PUBLIC else context).new_page()
        elsewhere: list[str] = []
        page.on(
            "request",
            lambda request, seen=elsewhere: (
                None if request.url.startswith((origin, "data:")) else seen.append(request.url)
            ),
        )
        problems: list[str] = []
        page.on(
            "console", lambda message, seen=problems: seen.append(message.text) if message.type == "error" else None
        )
        await page.goto(origin + path)
        await look(page, f"{name}-{width}-{'sombre' if dark else 'clair'}")
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        faults += [f"{name}: {fault}" for fault in await axe(page)]
        faults += [f"{name}: {wide} px too wide"] if wide > 0 else []
        faults += [f"{name}: asks {url}" for url in elsewhere]
        faults += [f"{name}: {problem}" for problem in problems if "404" not in problem and "img-src" not in problem]
        faults += [f"{name}: {target}" for target in await page.evaluate(SMALL_TARGETS)]
        faults += [f"{name}: typography « {text.strip()} »" for text in await page.evaluate(TYPOGRAPHY)]
        await page.close()
    assert faults == []


async def test_no_scroll_sideways_at_320_pixels_and_large_text(browser: Browser, place: tuple[Town, str]) -> None:
    here, origin = place
    pages = await story(here, origin)
    context = await signed_in(browser, here, origin, False, 320)
    page = await context.new_page()
    faults = []
    for name, path in pages.items():
        await page.goto(origin + path)
        for zoom in ("112.5%", "200%"):
            await page.evaluate("size => document.documentElement.style.fontSize = size", zoom)
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            faults += [f"{name} at {zoom}: {wide} px"] if wide > 0 else []
    assert faults == []

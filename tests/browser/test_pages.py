"""Every citizen's page in headless Chromium: axe-core without violation, no scroll sideways, targets, no request elsewhere.

Light and dark, 360 and 1280 px, and 320 px (400 % zoom).
"""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, BrowserContext

from tests.support import files
from tests.support.chromium import SIDEWAYS, looks, watch
from tests.support.citizen import PHARMACY, Town
from tests.support.web import Visitor

PUBLIC = (
    "/connexion",
    "/connexion/oubli",
    "/connexion?suite=/accueil&garde=1",
    "/aide",
    "/accessibilite",
    "/donnees-personnelles",
)
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
    message.add_attachment(files.locked_zip(), maintype="application", subtype="zip", filename="radios.zip")
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
    last = (await visitor.get("/messagerie")).first("a.row")
    return {
        "accueil": "/accueil",
        "messagerie": "/messagerie",
        "messagerie-vide": "/messagerie?voir=non-lus&page=9",
        "conversation": long,
        "conversation-close": last.attributes["href"] or "",
        "piece-pdf": pieces[0],
        "piece-refusee": pieces[1],
        "piece-suspecte": pieces[-1],
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


async def signed_in(browser: Browser, here: Town, origin: str, width: int) -> BrowserContext:
    context = await browser.new_context(viewport={"width": width, "height": 800}, locale="fr-FR")
    cookie = await here.session("claire")
    await context.add_cookies([{"name": here.web.cookie, "value": cookie, "url": origin}])
    return context


@pytest.mark.timeout(300)
async def test_every_page(browser: Browser, place: tuple[Town, str]) -> None:
    here, origin = place
    pages = await story(here, origin)
    contexts = (await signed_in(browser, here, origin, 360), await browser.new_context(locale="fr-FR"))
    inside, outside = [(page, watch(page, origin)) for page in [await context.new_page() for context in contexts]]
    faults: list[str] = []
    for name, path in [*pages.items(), *((path.strip("/").split("?")[0], path) for path in PUBLIC)]:
        page, seen = outside if path in PUBLIC else inside
        await page.goto(origin + path)
        faults += await looks(page, name, also={"target": SMALL_TARGETS, "typography": TYPOGRAPHY})
        faults += [f"{name}: {what}" for what in seen]
        seen.clear()
    assert faults == []


async def test_no_scroll_sideways_at_320_pixels_and_large_text(browser: Browser, place: tuple[Town, str]) -> None:
    here, origin = place
    pages = await story(here, origin)
    context = await signed_in(browser, here, origin, 320)
    page = await context.new_page()
    faults = []
    for name, path in pages.items():
        await page.goto(origin + path)
        for zoom in ("112.5%", "200%"):
            await page.evaluate("size => document.documentElement.style.fontSize = size", zoom)
            wide = await page.evaluate(SIDEWAYS)
            faults += [f"{name} at {zoom}: {wide} px"] if wide > 0 else []
    assert faults == []

"""Every page of the running site in headless Chromium; and what a neighbour's numbers answer.

Light and dark at 360 and 1280 px: axe-core without violation. No console error, nothing asked of another host, no scroll sideways
at 320 px. `tests/browser` looks closer at single pages; here it is the site that `mssante demo` serves.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, BrowserContext, FilePayload, expect

from tests.support import files
from tests.support.browser_session import Page as WebPage
from tests.support.browser_session import WebSession
from tests.support.chromium import looks, watch
from tests.support.demo import Demo, compose, wait_until
from tests.support.html import plain

PUBLIC = ("/connexion", "/connexion?suite=/accueil&garde=1", "/aide", "/accessibilite", "/donnees-personnelles")
HTML = "<h1>Bonjour</h1><p style='color:#777'>Tout va bien.</p><img src='https://ailleurs.example/x.gif'><script>document.title=1</script>"
LONG = (
    "Bonjour,\n\nhttps://un-lien-tres-long.example/"
    + "a" * 200
    + "\n\nLe 3 mai 2026, Vous a écrit :\n> merci\n\nÀ bientôt."
)


@dataclass(frozen=True)
class Places:
    """Jacqueline's pages in all their states, by name; `files`: what her pages link to that is no page; `notice`: a bell entry."""

    pages: dict[str, str]
    files: list[str]
    notice: str


@pytest.fixture(scope="module")
def places(demo: Demo, jacqueline: WebSession) -> Places:
    stamp, patient = str(time.time_ns()), demo.person("jacqueline")["address"]
    demo.send(
        "medecin", patient, f"Une longue lettre {stamp}", LONG,
        attachments=[
            (f"ordonnance {stamp}.pdf", files.pdf(f"Ordonnance {stamp}", pages=2), "application", "pdf"),
            ("dessin.svg", b"<svg/>", "image", "svg+xml"),
            ("note.txt", f"Une note {stamp}".encode(), "text", "plain"),
        ],
    )  # fmt: skip
    shaped = compose(demo.person("cardiologie")["address"], patient, f"Mise en forme {stamp}", "Tout va bien.")
    shaped.add_alternative(HTML, subtype="html")
    with demo.submission(demo.person("cardiologie")) as smtp:
        smtp.send_message(shaped)
    demo.send("confrere", patient, f"Dernière lettre {stamp}", "Au revoir.")
    closed = jacqueline.conversation(f"Dernière lettre {stamp}", 20)
    demo.send("confrere", patient, "[FIN]", "")
    wait_until(lambda: "est close" in jacqueline.get(closed).words, 20, "closed over the border")

    long, formatted = (
        jacqueline.conversation(f"longue lettre {stamp}"),
        jacqueline.conversation(f"Mise en forme {stamp}"),
    )
    jacqueline.answer(long, "Merci docteur.")
    pdf, svg, _ = list(jacqueline.get(long).links(f"{long}/"))
    original = next(href for href in jacqueline.get(formatted).links(f"{formatted}/") if "forme" in href)
    documents = wait_until(
        lambda: [
            href
            for href, label in jacqueline.get("/documents").links("/documents/").items()
            if f"ordonnance {stamp}" in label
        ],
        20,
        "the document",
    )
    number = documents[0].rpartition("/")[2]
    way = f"/ordonnance/{number}"
    jacqueline.post(f"{way}/pharmacie", {"chercher": "1", "mots": "Villefleur"})
    jacqueline.post(f"{way}/pharmacie", {"pharmacie": demo.person("pharmacie")["address"]})
    sent = jacqueline.post(f"{way}/verifier", {"texte": "Bonjour."})
    assert "Ordonnance envoyée" in sent.words
    jacqueline.post("/messagerie/recherche", {"mots": stamp})
    bell = wait_until(lambda: jacqueline.get("/notifications").tree.css("button[name=voir]"), 10, "a bell entry")
    pages = {
        "home": "/accueil",
        "list": "/messagerie",
        "search": "/messagerie?recherche=1",
        "unread": "/messagerie?voir=non-lus&page=9",
        "conversation": long,
        "closed": closed,
        "attachment": pdf,
        "attachment refused": svg,
        "formatted": original,
        "new": "/messagerie/nouveau",
        "prescription 1": "/ordonnance",
        "prescription 2": f"{way}/pharmacie",
        "prescription 3": f"{way}/verifier",
        "prescription 4": sent.path,
        "documents": "/documents",
        "document": documents[0],
        "add": "/documents/ajouter",
        "notifications": "/notifications",
        "404": "/messagerie/123456789",
        "404 anywhere": "/rien/du/tout",
    }
    linked = [
        f"{pdf}/pages/1",
        f"{pdf}/telecharger",
        f"{original}/contenu",
        f"{documents[0]}/pages/1",
        f"{documents[0]}/telecharger",
    ]
    return Places(pages, linked, bell[0].attributes["value"] or "")


async def signed_in(browser: Browser, demo: Demo, session: WebSession, scripts: bool = True) -> BrowserContext:
    context = await browser.new_context(locale="fr-FR", java_script_enabled=scripts)
    await context.add_cookies([{"name": n, "value": v, "url": demo.url("/")} for n, v in session.cookies.items()])
    return context


@pytest.mark.timeout(300)
async def test_every_page_of_the_running_site(
    demo: Demo, places: Places, jacqueline: WebSession, browser: Browser
) -> None:
    origin = demo.url("/")
    contexts = (await signed_in(browser, demo, jacqueline), await browser.new_context(locale="fr-FR"))
    inside, outside = [(page, watch(page, origin)) for page in [await context.new_page() for context in contexts]]
    faults: list[str] = []
    for name, path in [*places.pages.items(), *((path, path) for path in PUBLIC)]:
        page, seen = outside if path in PUBLIC else inside
        answer = await page.goto(origin + path.removeprefix("/"))
        assert answer is not None
        assert answer.status == (404 if "404" in name else 200), (name, answer.status)
        assert page.url == origin + path.removeprefix("/"), f"{name} led to {page.url}"
        faults += await looks(page, name)
        faults += await looks(page, name, widths=(320,), schemes=("light",))
        faults += [f"{name}: {what}" for what in seen]
        seen.clear()
    assert faults == []


@pytest.mark.timeout(120)
async def test_without_javascript_everything_is_there(
    demo: Demo, places: Places, jacqueline: WebSession, browser: Browser
) -> None:
    stamp, patient = str(time.time_ns()), demo.person("jacqueline")["address"]
    demo.send("medecin", patient, f"Sans script {stamp}", "Bonjour.")
    context = await signed_in(browser, demo, jacqueline, scripts=False)
    page = await context.new_page()
    await page.goto(demo.url("/messagerie"))
    await page.get_by_role("link", name=f"Sans script {stamp}").click()
    await page.get_by_label("Votre message").fill("Merci docteur.")
    with_file = FilePayload(name="tension.txt", mimeType="text/plain", buffer=b"13/8")
    await page.get_by_label("Pièces jointes").set_input_files(with_file)
    await page.get_by_role("button", name="Envoyer ma réponse").click()
    await expect(page.get_by_role("status")).to_have_text("Votre message est envoyé.")
    assert b"tension.txt" in demo.wait_for(demo.person("medecin"), f"Sans script {stamp}")
    await page.goto(demo.url(places.pages["document"]))
    await expect(page.locator("img.paper").first).to_be_visible()
    for name, path in places.pages.items():
        answer = await page.goto(demo.url(path))
        assert answer is not None
        assert answer.status == (404 if "404" in name else 200), name
        assert await page.locator("main h1").inner_text(), name


# -------------------------------------------------------------------- neighbours
def said(page: WebPage) -> str:
    """What the page says in its middle, without the reference number of each answer."""
    return re.sub(r"[2-9A-Z]{4}-[2-9A-Z]{4}", "…", plain(page.first("main").text()))


def test_a_neighbours_pages_are_not_found(places: Places, sarah: WebSession, jacqueline: WebSession) -> None:
    """The same answer as for what does not exist: not even that it exists is told."""
    nothing = said(sarah.get("/messagerie/987654321"))
    own = (
        "conversation",
        "closed",
        "attachment",
        "formatted",
        "prescription 2",
        "prescription 3",
        "prescription 4",
        "document",
    )
    for path in [*(places.pages[name] for name in own), *places.files]:
        assert jacqueline.get(path).status == 200, path
        answer = sarah.get(path)
        assert answer.status == 404, path
        assert said(answer) == nothing, path
    for path, form in {
        places.pages["conversation"]: {"texte": "Bonjour."},
        places.pages["document"]: {"categorie": "11"},
        places.pages["prescription 2"]: {"pharmacie": "officine@pharmacie.alpha.example"},
        places.pages["prescription 3"]: {"texte": "Bonjour."},
        "/notifications": {"voir": places.notice},
    }.items():
        assert sarah.post(path, form, sarah.get("/accueil").token).status == 404, path


def test_a_neighbours_profile_is_not_taken(demo: Demo, sarah: WebSession) -> None:
    page = sarah.get("/accueil")
    own = {node.attributes["value"] for node in page.tree.css("button[name=profil]")}
    assert len(own) == 2, "her two children"
    for box in range(1, 30):
        if str(box) not in own:
            after = sarah.post("/profil", {"profil": str(box)}, sarah.get("/accueil").token)
            assert "Profil : Sarah Lambert" in after.words, box


def test_signed_out_nothing_is_shown(demo: Demo, places: Places) -> None:
    stranger = WebSession(demo)
    for path in [*places.pages.values(), *places.files]:
        page = stranger.get(path)
        assert page.path == "/connexion" or page.status == 404, path
        assert "Jacqueline" not in page.text


def test_no_address_names_a_person_or_a_word(places: Places, jacqueline: WebSession) -> None:
    """docs/rules.md: no INS, name or search word in an address: they end in histories and in logs."""
    for path in places.pages.values():
        page = jacqueline.get(path)
        for node in page.tree.css("[href], [src], [action]"):
            for name in ("href", "src", "action"):
                target = node.attributes.get(name) or ""
                assert re.fullmatch(r"[#?]?[-/a-z0-9_.?=&#%+]*|tel:[+\d]*", target.split("?")[0], re.IGNORECASE), target
                assert not re.search(r"\d{13}|%40|@|morel", target, re.IGNORECASE), target

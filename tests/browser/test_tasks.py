"""The citizen's tasks as a person does them in a browser: without JavaScript, and with the keyboard alone."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from foundation.clock import MINUTE
from foundation.database import Transaction
from mssante.credentials import Credentials, NewCredential
from mssante.passwords import hash_password
from tests.support import files
from tests.support.chromium import axe
from tests.support.citizen import Town

LOGIN, PASSWORD = "jacqueline", "un long mot de passe"


async def enrol(here: Town) -> None:
    boxes = here.space.mailboxes
    credentials = Credentials(here.db, here.space.keys, boxes)

    def add(tx: Transaction) -> None:
        box = boxes.get(tx.conn, here.ids["jacqueline"])
        assert box is not None
        holder = type(box.holder)(box.holder.display_name, private_email="jacqueline@perso.example")
        boxes.set_holder(tx, box.id, holder)
        boxes.forget(box.id)
        credentials.add(tx, NewCredential(box.id, LOGIN, "Jacqueline Morel", hash_password(PASSWORD, None)), here.now)

    await here.db.write(add)


async def sign_in(page: Page, here: Town, origin: str) -> None:
    await page.goto(origin + "/accueil")
    await page.get_by_label("Identifiant").fill(LOGIN)
    await page.get_by_label("Mot de passe").fill(PASSWORD)
    await page.get_by_role("button", name="Se connecter").click()
    code = "".join(c for c in here.sent[-1][2].split("connexion")[1] if c.isdigit())[:6]
    await page.get_by_label("Code à 6 chiffres").fill(code)
    await page.get_by_role("button", name="Continuer").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Bonjour")


@pytest.mark.timeout(300)
async def test_everything_without_javascript(browser: Browser, place: tuple[Town, str]) -> None:
    here, origin = place
    await enrol(here)
    letter = here.letter(subject="Votre traitement")
    letter.add_attachment(files.pdf("Analyse"), maintype="application", subtype="pdf", filename="analyse.pdf")
    await here.mail(letter)
    await here.prescription()
    page = await (
        await browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 800})
    ).new_page()
    await sign_in(page, here, origin)
    # read and answer: one click, then the form in the conversation
    await page.get_by_role("link", name="Votre traitement").click()
    await expect(page.get_by_text("Tout va bien.")).to_be_visible()
    await page.get_by_label("Votre message").fill("Merci docteur.")
    await page.get_by_role("button", name="Envoyer ma réponse").click()
    await expect(page.get_by_role("status")).to_have_text("Votre message est envoyé.")
    # the attachment
    await page.get_by_role("link", name="analyse.pdf").click()
    image = page.locator("img.paper")
    await expect(image).to_be_visible()
    # the prescription, in four pages
    await page.get_by_role("link", name="Accueil").first.click()
    await page.get_by_role("link", name="Envoyer une ordonnance").click()
    await page.get_by_role("button", name="Continuer").click()
    await page.get_by_label("Chercher par ville, code postal ou nom").fill("Lyon")
    await page.get_by_role("button", name="Chercher").click()
    await page.get_by_label("Pharmacie du Pont").check()
    await page.get_by_role("button", name="Continuer").click()
    await page.get_by_role("button", name="Envoyer l’ordonnance").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ordonnance envoyée")
    await page.get_by_role("button", name="Se déconnecter").click()
    await expect(page.get_by_text("Vous êtes déconnecté.")).to_be_visible()
    await page.goto(origin + "/messagerie")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Se connecter")


async def test_answering_with_the_keyboard_alone(browser: Browser, place: tuple[Town, str]) -> None:
    here, origin = place
    await here.mail(here.letter())
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    await context.add_cookies([{"name": here.web.cookie, "value": await here.session(), "url": origin}])
    page = await context.new_page()
    await page.goto(origin + "/messagerie")
    await page.locator("a.row").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Vos résultats")
    for _ in range(2):  # « Aller au contenu », « Répondre »
        await page.keyboard.press("Tab")
    focused = page.locator(":focus")
    await expect(focused).to_have_text("Répondre")
    assert (await focused.bounding_box() or {"x": -1})["x"] >= 0  # visible when focused
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Merci")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Votre message est envoyé.")


async def test_an_error_takes_the_focus_and_leads_to_its_field(browser: Browser, place: tuple[Town, str]) -> None:
    here, origin = place
    await here.mail(here.letter())
    context = await browser.new_context(viewport={"width": 360, "height": 800})
    await context.add_cookies([{"name": here.web.cookie, "value": await here.session(), "url": origin}])
    page = await context.new_page()
    await page.goto(origin + "/messagerie/nouveau")
    await page.get_by_role("button", name="Envoyer le message").click()
    await expect(page).to_have_title("Erreur : Nouveau message – Ma messagerie de santé")
    await expect(page.locator(".errors")).to_be_focused()
    assert await axe(page) == []
    await page.get_by_role("link", name="Écrivez l’objet du message.").click()
    await expect(page.get_by_label("Objet")).to_be_focused()


async def test_a_hostile_mail_asks_for_nothing_and_runs_nothing(browser: Browser, place: tuple[Town, str]) -> None:
    here, origin = place
    html = """<img src="https://mechant.example/a.gif" onerror="parent.document.title='pris'"><script>top.location='https://m.example'</script>
    <style>@import url(https://mechant.example/b.css);</style><video src="https://mechant.example/v"></video>
    <form action="https://m.example"><button>Cliquez</button></form><link rel=prefetch href="https://mechant.example/p">
    <body background="https://mechant.example/bg"><p>Fin du message</p>"""
    letter = here.letter(subject="Piège")
    letter.add_alternative(html, subtype="html")
    await here.mail(letter)
    context = await browser.new_context(viewport={"width": 360, "height": 800})
    await context.add_cookies([{"name": here.web.cookie, "value": await here.session(), "url": origin}])
    page = await context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(origin + "/messagerie")
    await page.get_by_role("link", name="Piège").click()
    await page.get_by_role("link", name="Afficher la mise en forme d’origine").click()
    await expect(page.frame_locator("iframe").get_by_text("Fin du message")).to_be_visible()
    await page.wait_for_timeout(300)
    assert [url for url in asked if not url.startswith(origin)] == []
    assert await page.frame_locator("iframe").locator("form, button, img[src], video, script, link").count() == 0
    assert "Piège" in await page.title()


async def test_the_end_of_the_session_is_announced_and_put_off(browser: Browser, place: tuple[Town, str]) -> None:
    here, origin = place
    await here.mail(here.letter())
    context = await browser.new_context(viewport={"width": 360, "height": 800})
    await context.add_cookies([{"name": here.web.cookie, "value": await here.session(), "url": origin}])
    page = await context.new_page()
    await page.clock.install()
    await page.goto(origin + "/messagerie/nouveau")
    banner = page.locator("#session")
    await page.clock.run_for(17 * MINUTE)
    await expect(banner).to_be_hidden()
    await page.clock.run_for(2 * MINUTE)
    await expect(banner).to_contain_text("Votre session se termine dans 2 minutes.")
    assert await axe(page) == []
    here.now += 19 * MINUTE
    await page.get_by_role("button", name="Rester connecté").click()
    await expect(banner).to_be_hidden()
    here.now += 19 * MINUTE  # without the click it would be over
    await page.get_by_label("Votre message").fill("Texte en cours")
    await page.clock.run_for(21 * MINUTE)
    await expect(banner).to_contain_text("Votre session est terminée. Votre texte sera gardé")
    here.now += 21 * MINUTE
    await page.get_by_role("button", name="Envoyer le message").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Se connecter")
    await expect(page.get_by_text("Votre texte est gardé")).to_be_visible()


async def test_a_page_left_alone_shows_nothing_any_more(browser: Browser, place: tuple[Town, str]) -> None:
    here, origin = place
    context = await browser.new_context()
    await context.add_cookies([{"name": here.web.cookie, "value": await here.session(), "url": origin}])
    page = await context.new_page()
    await page.clock.install()
    await page.goto(origin + "/accueil")
    here.now += 20 * MINUTE
    await page.clock.run_for(20 * MINUTE)
    await page.wait_for_url("**/connexion?fin=1&suite=%2Faccueil")
    await expect(page.get_by_text("Votre session s’est terminée")).to_be_visible()

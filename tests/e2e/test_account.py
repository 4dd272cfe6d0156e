"""« Mon compte » in the running product: a passkey made by Chromium, mail clients seen, named and cut, and the mailbox told."""

from __future__ import annotations

import asyncio
import imaplib
import re
import time
from typing import Any

import pytest
from imapclient import IMAPClient
from playwright.async_api import Browser, Page

from tests.support.demo import Demo, wait_until

TOLD = "La connexion à votre messagerie a changé"


def opened(demo: Demo, login: str, password: str) -> IMAPClient:
    host, port = demo.door("imaps")
    client = IMAPClient(host, port, ssl_context=demo.trust(), timeout=20)
    client.login(login, password)
    client.id_({"name": "Thunderbird", "version": "156.0"})
    client.select_folder("INBOX")
    return client


def cut(client: IMAPClient) -> bool:
    try:
        client.noop()
    except (imaplib.IMAP4.error, OSError):
        return True
    return False


async def with_device(browser: Browser) -> Page:
    tab = await (await browser.new_context()).new_page()
    cdp = await tab.context.new_cdp_session(tab)
    await cdp.send("WebAuthn.enable")
    device: dict[str, Any] = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True}
    device |= {"hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True}
    await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": device})
    return tab


async def password_step(tab: Page, place: str, login: str, password: str) -> None:
    await tab.goto(f"{place}/mon-compte")
    await tab.get_by_label("Identifiant").fill(login)
    await tab.get_by_label("Mot de passe").fill(password)
    await tab.get_by_role("button", name="Se connecter").click()


async def shown(tab: Page, address: str, wanted: str) -> str:
    """The page's words, once they hold what is `wanted`: no mail client waits until its coming is written."""
    deadline = time.monotonic() + 15
    while True:
        await tab.goto(address)
        words = re.sub(r"\s+", " ", await tab.inner_text("main"))
        if wanted in words:
            return words
        assert time.monotonic() < deadline, words


async def test_a_professionals_account(own_demo: Demo, browser: Browser) -> None:
    doctor = own_demo.person("medecin")
    login, password = doctor["login"], doctor["password"]
    place = f"http://localhost:{own_demo.door('web')[1]}"
    before = await asyncio.to_thread(opened, own_demo, login, password)

    tab = await with_device(browser)
    await password_step(tab, place, login, password)
    await tab.get_by_role("link", name="Plutôt une clé d’accès").click()
    await tab.get_by_label("Nom de la clé").fill("Ordinateur du cabinet")
    await tab.get_by_role("button", name="Créer la clé d’accès").click()
    await tab.get_by_text("Votre clé d’accès est enregistrée.").wait_for()
    assert await asyncio.to_thread(wait_until, lambda: cut(before))  # the own password opens no mail client any more
    with pytest.raises(imaplib.IMAP4.error):
        await asyncio.to_thread(opened, own_demo, login, password)

    await tab.get_by_label("Nom du logiciel").fill("Thunderbird du cabinet")
    await tab.get_by_role("button", name="Créer le mot de passe").click()
    app = await tab.get_by_label("Mot de passe pour").input_value()
    client = await asyncio.to_thread(opened, own_demo, login, app)

    seen = "Thunderbird Lit les messages avec le mot de passe « Thunderbird du cabinet »"
    words = await shown(tab, f"{place}/mon-compte/connexions", seen)
    assert "Thunderbird Lit les messages avec votre mot de passe" in words
    assert "Chrome, Linux Celui-ci" in words
    await tab.get_by_role("link", name="Déconnecter partout").click()
    await tab.get_by_role("button", name="Déconnecter partout").click()
    await tab.get_by_text("Il ne reste que ce navigateur.").wait_for()
    assert await asyncio.to_thread(wait_until, lambda: cut(client))

    await tab.get_by_role("button", name="Se déconnecter").click()
    await password_step(tab, place, login, password)
    await tab.get_by_role("button", name="Utiliser une clé d’accès").click()
    await tab.wait_for_url(f"{place}/mon-compte")
    await tab.get_by_label("Nom du logiciel").fill("Téléphone")
    await tab.get_by_role("button", name="Créer le mot de passe").click()
    reader = {**doctor, "password": await tab.get_by_label("Mot de passe pour").input_value()}
    assert await asyncio.to_thread(wait_until, lambda: len(_told(own_demo, reader)) == 2)  # the passkey, all devices
    await tab.context.close()


def _told(demo: Demo, person: dict[str, Any]) -> list[int]:
    client = opened(demo, person["login"], person["password"])
    found: list[int] = client.search(["SUBJECT", TOLD], "UTF-8")
    client.logout()
    return found

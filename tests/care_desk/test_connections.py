"""« Vos connexions »: browsers and mail clients of one person, each sent away, or all; never the neighbour's."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser
from sqlalchemy import select

from foundation.clock import MINUTE
from foundation.places import network_of
from foundation.tables import audit
from foundation.web.user_agent import browser_of
from health_space.accounts.by_password import PageSignIn
from health_space.accounts.port import Wrong
from mssante import app_passwords
from mssante.credentials import IMAP, SUBMISSION, SignedIn
from mssante.devices import Came, Devices, Door
from tests.care_desk.office import ACCOUNT, PASSWORD, SIGN_IN, Office
from tests.support.chromium import looks, tab_with
from tests.support.web import Visitor

PAGE = f"{ACCOUNT}/connexions"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:147.0) Gecko/20100101 Firefox/147.0"


async def mail_client(
    office: Office,
    password: str,
    name: str,
    door: Door = Door.IMAP,
    login: str = "camille",
    address: str = "198.51.100.9",
) -> SignedIn:
    scope = SUBMISSION if door is Door.SUBMISSION else IMAP
    office.now += MINUTE
    who = await office.credentials.check(login, password, office.now, address, scope)
    assert isinstance(who, SignedIn)
    Devices(office.db, office.keys).came(Came.of(who, door, name, network_of(address)), office.now)
    await office.db.write(lambda tx: None)
    return who


@pytest.mark.parametrize(
    ("door", "name", "address", "shown"),
    [
        (Door.IMAP, "Thunderbird", "198.51.100.9", "par Thunderbird, réseau 198.51.100.x"),
        (Door.SUBMISSION, "", "198.51.100.9", "réseau 198.51.100.x"),  # SMTP clients do not name themselves
        (Door.CARDDAV, "DAVx5", "2001:db8:7:8::9", "par DAVx5, réseau 2001:db8:7::/48"),
    ],
)
async def test_who_used_an_application_password_last(
    office: Office, camille: Visitor, door: Door, name: str, address: str, shown: str
) -> None:
    """By each door: when, who, from which kind of network; the neighbouring password stays as it was."""
    other = await office.create(camille, "Téléphone")
    secret = await office.create(camille, "Cabinet")
    assert other != secret
    assert (await camille.get(ACCOUNT)).words.count("Jamais utilisé") == 2
    await mail_client(office, secret, name, door, address=address)
    words = (await camille.get(ACCOUNT)).words
    assert f"environ, {shown} Supprimer" in words
    assert words.count("Jamais utilisé") == 1


async def stands(office: Office, who: SignedIn) -> bool:
    return await office.db.read(office.credentials.standing, who, IMAP) is not None


async def test_browsers(office: Office, origin: str, camille: Visitor) -> None:
    other = Visitor(origin)
    await office.password_step(other, "camille")
    await other.post(f"{SIGN_IN}/code", {"code": office.totp()}, user_agent=FIREFOX)
    page = await camille.get(PAGE)
    assert "Navigateur inconnu Celui-ci" in page.words
    assert "Firefox, Windows" in page.words
    assert "Réseau 127.0.0.x" in page.words
    [form] = [one.attributes["action"] or "" for one in page.tree.css("main form")]
    assert (await other.get(ACCOUNT)).status == 200
    done = await camille.post(form, {}, token=await camille.token(PAGE))
    assert "Cette connexion est terminée." in (await camille.follow(done)).words
    assert (await other.get(ACCOUNT)).location.startswith(SIGN_IN)
    assert (await camille.post(form, {}, token=await camille.token(PAGE))).status == 404


async def test_a_first_step_and_an_ended_session_are_not_listed(office: Office, origin: str, camille: Visitor) -> None:
    await office.password_step(Visitor(origin), "camille")
    old = Visitor(origin)
    await office.enter(old)
    for _ in range(3):  # camille goes on, the other does not
        office.now += 9 * MINUTE
        await camille.get(ACCOUNT)
    assert len((await camille.get(PAGE)).tree.css("main .list > li")) == 1


async def test_mail_clients(office: Office, camille: Visitor) -> None:
    secret = await office.create(camille, "Poste du cabinet")
    await mail_client(office, secret, "Thunderbird")
    await mail_client(office, secret, "", Door.SUBMISSION)
    page = await camille.get(PAGE)
    assert "Thunderbird Lit les messages avec le mot de passe « Poste du cabinet »" in page.words
    assert "Poste du cabinet Envoie des messages Depuis" in page.words
    assert "Réseau 198.51.100.x" in page.words
    [app] = await office.db.read(app_passwords.of, office.keys, office.ids["camille"])
    remove = f"{ACCOUNT}/mots-de-passe/{app.id}/supprimer"
    assert any(a.attributes.get("href") == remove for a in page.tree.css("main a"))
    await camille.post(remove, {})
    assert "Thunderbird" not in (await camille.get(PAGE)).words


async def test_one_without_an_application_password(office: Office, origin: str) -> None:
    antoine = Visitor(origin)
    await office.enter(antoine, "antoine")
    who = await mail_client(office, PASSWORD, "Apple Mail", login="antoine")
    page = await antoine.get(PAGE)
    assert "Apple Mail Lit les messages avec votre mot de passe" in page.words
    [end] = [a.attributes["href"] or "" for a in page.tree.css("main a[href*=logiciels]")]
    assert "Tous vos logiciels de messagerie seront coupés." in (await antoine.get(end)).words
    assert await stands(office, who)
    office.now += MINUTE
    assert (await antoine.post(end, {})).location == f"{PAGE}?fait=deconnecte"
    assert not await stands(office, who)
    assert "Apple Mail" not in (await antoine.get(PAGE)).words
    assert (await antoine.post(end, {}, token=await antoine.token(f"{PAGE}/partout"))).status == 404


@pytest.mark.parametrize("apps", [True, False])
async def test_everywhere(office: Office, origin: str, camille: Visitor, apps: bool) -> None:
    secret = await office.create(camille)
    who = await mail_client(office, secret, "Thunderbird")
    other, antoine = Visitor(origin), Visitor(origin)
    await office.enter(other)
    await office.enter(antoine, "antoine")
    theirs = await mail_client(office, PASSWORD, "Apple Mail", login="antoine")
    office.now += MINUTE
    done = await camille.post(f"{PAGE}/partout", {"mots_de_passe": "oui"} if apps else {})
    page = await camille.follow(done)
    assert "Il ne reste que ce navigateur." in page.words
    assert "Aucun logiciel ne s'est encore connecté." in page.words
    assert (await other.get(ACCOUNT)).location.startswith(SIGN_IN)
    assert not await stands(office, who)
    await asyncio.sleep(0)
    office.now += MINUTE
    again = await office.credentials.check("camille", secret, office.now, "198.51.100.9", IMAP)
    assert isinstance(again, SignedIn) is not apps
    assert await stands(office, theirs)
    assert (await antoine.get(ACCOUNT)).status == 200
    assert office.told == [(office.ids["camille"], "everywhere")]
    rows = await office.db.read(lambda conn: list(conn.execute(select(audit))))
    assert rows[-1].event == "account:everywhere:end"


async def test_the_neighbours(office: Office, origin: str, camille: Visitor) -> None:
    antoine = Visitor(origin)
    await office.enter(antoine, "antoine")
    await mail_client(office, PASSWORD, "Apple Mail", login="antoine")
    other = Visitor(origin)
    await office.enter(other, "antoine")
    [browser] = [one.attributes["action"] or "" for one in (await antoine.get(PAGE)).tree.css("main form")]
    [program] = [a.attributes["href"] or "" for a in (await antoine.get(PAGE)).tree.css("main a[href*=logiciels]")]
    words = (await camille.get(PAGE)).words
    assert "Apple Mail" not in words
    token = await camille.token(PAGE)
    assert (await camille.get(program)).status == 404
    for theirs in (browser, program, f"{PAGE}/navigateurs/", f"{PAGE}/navigateurs/zz", f"{PAGE}/logiciels/x"):
        assert (await camille.post(theirs, {}, token=token)).status == 404
    assert (await other.get(ACCOUNT)).status == 200
    assert (await camille.post(f"{PAGE}/partout", {}, token="0" * 32)).status == 403
    assert (await antoine.get(f"{PAGE}/partout")).status == 200
    assert (await Visitor(origin).get(PAGE)).location.startswith(SIGN_IN)


async def test_in_a_browser(office: Office, origin: str, camille: Visitor, browser: Browser) -> None:
    secret = await office.create(camille, "Téléphone de garde, celui que l'équipe se passe")
    await mail_client(office, secret, "com.apple.mobilemail")
    await mail_client(office, secret, "", Door.SUBMISSION)
    other = Visitor(origin)
    await office.password_step(other, "camille")
    await other.post(f"{SIGN_IN}/code", {"code": office.totp()}, user_agent=FIREFOX)
    tab = await tab_with(browser, origin, camille.cookies)
    for path, shot in ((PAGE, "connexions"), (f"{PAGE}/partout", "partout")):
        await tab.goto(origin + path)
        assert await looks(tab, shot) == []


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (FIREFOX, "Firefox, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile/15E148 Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36", "Chrome, Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36 Edg/156.0", "Edge, Windows"),
        ("curl/8", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_about_which_browser(sent: str, shown: str) -> None:
    assert browser_of(sent) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("192.0.2.77", "192.0.2.x"),
        ("::ffff:192.0.2.77", "192.0.2.x"),
        ("2001:db8:1:2:3::9", "2001:db8:1::/48"),
        ("", ""),
        ("unix", ""),
    ],
)
def test_about_where(address: str, shown: str) -> None:
    assert network_of(address) == shown


async def test_who_is_sent_away_while_the_second_step_is_judged_does_not_come_in(
    office: Office, origin: str, camille: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger, code = Visitor(origin), PageSignIn.code
    await office.password_step(stranger, "camille")

    async def meanwhile(self: PageSignIn, credential: int, typed: str) -> Wrong | None:
        found = await code(self, credential, typed)
        await camille.post(f"{PAGE}/partout", {})
        return found

    monkeypatch.setattr(PageSignIn, "code", meanwhile)
    answer = await stranger.post(f"{SIGN_IN}/code", {"code": office.totp()})
    assert answer.location == f"{SIGN_IN}?fin=1"
    assert (await stranger.get(ACCOUNT)).location.startswith(SIGN_IN)
    assert (await camille.get(ACCOUNT)).status == 200

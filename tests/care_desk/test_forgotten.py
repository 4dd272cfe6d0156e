"""« Mot de passe oublié » of professionals: login and the code of two operators, the second factor, then a new password."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser
from sqlalchemy import select

from foundation.clock import MINUTE, SECOND
from foundation.tables import audit
from mssante import recovery
from mssante.ceremonies import RelyingParty
from mssante.credentials import IMAP, WEB, SignedIn
from mssante.recovery import Lost
from tests.care_desk.office import ACCOUNT, APPLICATION, PASSWORD, SIGN_IN, Office
from tests.care_desk.test_recovery import PLACE, agreed, enrol_passkey
from tests.support.authenticator import Device
from tests.support.chromium import looks, tab_with
from tests.support.web import Answer, Visitor

PAGE, CODE, CHOOSE = f"{SIGN_IN}/oubli", f"{SIGN_IN}/code", f"{SIGN_IN}/nouveau"
NEW = "girafe tiède sous parasol"
WRONG = "L'identifiant ou le code de secours est inexact, ou le code n'est plus valable."


@pytest.fixture
def party() -> RelyingParty:
    return RelyingParty("localhost", "Opérateur Alpha", PLACE)


async def forgot(office: Office, origin: str, login: str = "camille", lost: Lost = Lost.PASSWORD) -> Visitor:
    """As far as the code of the operators is taken."""
    code = await agreed(office, login, lost)
    visitor = Visitor(origin)
    assert (await typed(visitor, login, code)).status == 303
    return visitor


async def typed(visitor: Visitor, login: str, code: str) -> Answer:
    return await visitor.post(PAGE, {"identifiant": login, "secours": code})


async def chooses(visitor: Visitor, new: str = NEW, again: str = "") -> Answer:
    return await visitor.post(CHOOSE, {"nouveau": new, "encore_une_fois": again or new})


async def opens(office: Office, password: str, login: str = "camille", scope: str = WEB) -> bool:
    office.now += MINUTE
    return isinstance(await office.credentials.check(login, password, office.now, "198.51.100.9", scope), SignedIn)


async def test_the_sign_in_page_shows_the_way(office: Office, origin: str) -> None:
    visitor = Visitor(origin)
    assert any(a.attributes.get("href") == PAGE for a in (await visitor.get(SIGN_IN)).tree.css("main a"))
    words = (await visitor.get(PAGE)).words
    assert "Appelez votre opérateur" in words
    assert "Personne ne vous demandera votre ancien mot de passe." in words


async def test_code_then_second_factor_then_a_new_password(office: Office, origin: str) -> None:
    before = Visitor(origin)
    await office.enter(before)
    camille = await forgot(office, origin)
    assert (await camille.get(CHOOSE)).location == SIGN_IN  # the second factor first
    assert (await camille.post(CODE, {"code": office.totp()})).location == CHOOSE
    assert (await camille.get(ACCOUNT)).location.startswith(SIGN_IN)  # not before the password is chosen
    inside = await camille.follow(await chooses(camille))
    assert "Votre nouveau mot de passe est enregistré." in inside.words
    assert "Camille Exemple" in inside.words
    assert (await before.get(ACCOUNT)).location.startswith(SIGN_IN)  # whoever was in is out
    assert not await opens(office, PASSWORD)
    assert await opens(office, NEW)
    assert office.told == [(office.ids["camille"], "password_recovered")]
    row = (await office.db.read(lambda conn: list(conn.execute(select(audit)))))[-1]
    assert (row.event, row.details) == ("account:password:recover", '{"recovery":1}')


async def test_a_code_by_e_mail_and_word_to_the_private_address(office: Office, origin: str) -> None:
    antoine = await forgot(office, origin, "antoine")
    sent = re.findall(r"\d{6}", office.sent[-1][2])[0]
    assert (await antoine.post(CODE, {"code": sent})).location == CHOOSE
    assert (await chooses(antoine)).location == f"{ACCOUNT}?fait=nouveau"
    await office.jobs.drain()
    to, subject, text = office.sent[-1]
    assert (to, subject) == ("a@b.example", "Votre mot de passe a changé")
    assert NEW not in text
    assert await opens(office, NEW, "antoine", IMAP)


async def test_who_has_no_second_factor_enrols_one_first(office: Office, origin: str) -> None:
    nadia = await forgot(office, origin, "nadia")
    assert (await office.enrol(nadia)).location == CHOOSE
    assert (await chooses(nadia)).location == f"{ACCOUNT}?fait=nouveau"


async def test_both_lost(office: Office, origin: str) -> None:
    """One code for both: a new password, then a new second factor; the old ones open nothing."""
    camille = await forgot(office, origin, lost=Lost.BOTH)
    assert office.sent == []
    assert (await chooses(camille)).location == APPLICATION
    assert (await camille.get(ACCOUNT)).location.startswith(SIGN_IN)
    assert (await office.enrol(camille)).location == f"{ACCOUNT}?fait=recupere"
    assert not await opens(office, PASSWORD)
    again = Visitor(origin)
    await office.password_step(again, "camille", NEW)
    office.now += MINUTE
    assert (await again.post(CODE, {"code": office.totp()})).status == 422  # of the application that was lost
    office.now += MINUTE
    assert (await again.post(CODE, {"code": office.totp(office.secret)})).location == ACCOUNT
    assert [what for _, what in office.told] == ["password_recovered", "recovered"]


async def test_both_lost_and_a_passkey(office: Office, origin: str) -> None:
    camille = await forgot(office, origin, lost=Lost.BOTH)
    await chooses(camille)
    assert (await enrol_passkey(camille, Device(PLACE, "localhost"))).location == f"{ACCOUNT}?fait=recupere"


async def test_both_lost_and_left_in_the_middle(office: Office, origin: str) -> None:
    """The code still stands for the second factor, behind the new password, and no more for the password."""
    code = await agreed(office, lost=Lost.BOTH)
    camille = Visitor(origin)
    await typed(camille, "camille", code)
    await chooses(camille)
    office.now += MINUTE
    again = Visitor(origin)
    assert WRONG in (await typed(again, "camille", code)).words
    office.now += MINUTE
    assert (await office.password_step(again, "camille", NEW)).location == CODE
    assert (await again.post(f"{SIGN_IN}/secours", {"secours": code})).location == APPLICATION


async def test_used_once(office: Office, origin: str) -> None:
    """Two browsers with the right code: the first that chooses has chosen."""
    code = await agreed(office, lost=Lost.PASSWORD)
    first, second = Visitor(origin), Visitor(origin)
    for visitor in (first, second):
        await typed(visitor, "camille", code)
    for visitor in (first, second):
        assert (await visitor.post(CODE, {"code": office.totp()})).location == CHOOSE
    assert (await chooses(first)).location == f"{ACCOUNT}?fait=nouveau"
    assert (await second.get(CHOOSE)).location == SIGN_IN  # its session went with the others
    assert await opens(office, NEW)
    assert WRONG in (await typed(Visitor(origin), "camille", code)).words


async def test_too_late_between_two_pages(office: Office, origin: str) -> None:
    camille = await forgot(office, origin)
    await camille.post(CODE, {"code": office.totp()})
    await office.db.write(recovery.take_back, office.keys, 1, office.now)
    page = await chooses(camille)
    assert "Ce code n'est plus valable." in page.words
    assert await opens(office, PASSWORD)


async def test_revoked_between_two_pages(office: Office, origin: str) -> None:
    camille = await forgot(office, origin)
    await camille.post(CODE, {"code": office.totp()})
    token = await camille.token(CHOOSE)
    await office.db.write(office.credentials.revoke, office.ids["camille"])
    answer = await camille.post(CHOOSE, {"nouveau": NEW, "encore_une_fois": NEW}, token)
    assert answer.status in (303, 403, 422), answer.words
    assert not await opens(office, NEW)


@pytest.mark.parametrize(
    ("new", "again", "said"),
    [
        ("court", "", "au moins 12 caractères"),
        ("camille exemple", "", "essayés les premiers"),
        ("motdepasse2026", "", "trop facile à deviner"),
        (NEW, "girafe tiede", "Les deux mots de passe sont différents."),
    ],
)
async def test_what_may_be_chosen(office: Office, origin: str, new: str, again: str, said: str) -> None:
    camille = await forgot(office, origin)
    await camille.post(CODE, {"code": office.totp()})
    assert said in (await chooses(camille, new, again)).words
    assert (await chooses(camille)).location == f"{ACCOUNT}?fait=nouveau"


@pytest.mark.parametrize(
    ("login", "lost"),
    [("inconnue", Lost.PASSWORD), ("antoine", Lost.PASSWORD), ("camille", Lost.FACTOR), ("jacqueline", Lost.PASSWORD)],
)
async def test_only_its_person_and_for_what_it_stands(office: Office, origin: str, login: str, lost: Lost) -> None:
    """camille's code: an unknown login, another's, and a code for a second factor are answered alike; a citizen's elsewhere."""
    code = await agreed(office, "jacqueline" if login == "jacqueline" else "camille", lost)
    page = await typed(Visitor(origin), login, code)
    assert (page.status, WRONG in page.words) == (422, True)


async def test_a_code_for_the_password_is_none_for_the_second_factor(office: Office, origin: str) -> None:
    code = await agreed(office, lost=Lost.PASSWORD)
    camille = Visitor(origin)
    await office.password_step(camille, "camille")
    assert (await camille.post(f"{SIGN_IN}/secours", {"secours": code})).status == 422


async def test_guessing_is_slowed_and_locks_nobody_out(office: Office, origin: str) -> None:
    guesser = Visitor(origin)
    for _ in range(8):
        office.now += 4 * SECOND
        page = await typed(guesser, "camille", recovery.new_code())
    assert "Attendez" in page.words
    camille = Visitor(origin)
    office.now += MINUTE
    assert (await office.enter(camille)).location == ACCOUNT


async def test_nothing_typed(office: Office, origin: str) -> None:
    page = await typed(Visitor(origin), "", "12 34")
    assert "Écrivez votre identifiant." in page.words
    assert "Le code de secours a 12 chiffres." in page.words


async def test_in_a_browser(office: Office, origin: str, browser: Browser) -> None:
    camille = await forgot(office, origin)
    await camille.post(CODE, {"code": office.totp()})
    tab = await tab_with(browser, origin, camille.cookies)
    for path, shot in ((SIGN_IN, "connexion"), (PAGE, "oubli"), (CHOOSE, "nouveau")):
        await tab.goto(origin + path)
        assert await looks(tab, shot) == []

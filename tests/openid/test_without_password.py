"""Signing in to « Mon compte » without the password, at npm's oidc-provider: confirmed on a telephone (CIBA), or on its own page
(code and PKCE)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from structlog.testing import capture_logs

from care_desk.account import by_provider, by_telephone
from foundation.clock import HOUR, MINUTE, SECOND, system_clock
from foundation.database import Transaction
from mssante import throttle
from mssante.ciba import Backchannel
from mssante.credentials import MAIL, NewCredential
from mssante.kinds import BoxKind
from mssante.mailbox import Holder, NewMailbox
from mssante.openid import Rules
from mssante.openid_code import CodeFlow
from mssante.openid_provider import Asking, OpenIdProvider
from tests.care_desk.office import ACCOUNT, CAMILLE_RPPS, NADIA_RPPS, PASSWORD_HASH, SIGN_IN, Office
from tests.openid.real import ACCOUNT as OURS
from tests.openid.real import AUDIENCE, PAGES, RealProvider
from tests.support.chromium import looks, tab_with
from tests.support.web import Answer, Visitor, serving

PAGE, PROVIDER = f"{SIGN_IN}/e-cps", f"{SIGN_IN}/pro-sante-connect"
BACK, WHICH = f"{PROVIDER}/retour", f"{PROVIDER}/compte"
CAMILLE, NADIA, STRANGER = f"8{CAMILLE_RPPS}", f"8{NADIA_RPPS}", "899700000000"
NOBODY_RPPS = "99700000005"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_telephone, "EVENLY", 0)


@pytest_asyncio.fixture(loop_scope="session")
async def office(tmp_path: Path, provider: RealProvider) -> AsyncIterator[Office]:
    """nadia's seat in the team is known by her number."""
    known = OpenIdProvider(Rules(provider.issuer, AUDIENCE), lambda: made.now)
    phone = Backchannel(known, Asking(*OURS), "openid scope_all", lambda: made.now)
    code = CodeFlow(known, Asking(*PAGES), "openid", "http://127.0.0.1:1" + BACK, lambda: made.now)
    made = Office(tmp_path, phone=phone, code=code)
    made.now = system_clock()
    await made.db.write(made.credentials.set_subject, made.ids["nadia"], NADIA_RPPS)
    yield made
    await made.db.close()


async def asks(visitor: Visitor, login: str = "camille", **more: str) -> Answer:
    return await visitor.post(PAGE, {"identifiant": login, **more})


async def hears(office: Office, visitor: Visitor, attente: str = "seule") -> Answer:
    office.now += 5 * SECOND
    return await visitor.post(PAGE, {"attente": attente})


# ---------------------------------------------------------------- on a telephone
@pytest.mark.parametrize(
    ("typed", "number", "rung", "inside"),
    [
        ("camille", "", CAMILLE, "Camille Exemple"),
        (" Camille ", "", CAMILLE, "Camille Exemple"),
        (CAMILLE_RPPS, "", CAMILLE, "Camille Exemple"),
        (f"{CAMILLE_RPPS[:5]} {CAMILLE_RPPS[5:]}", "", CAMILLE, "Camille Exemple"),
        ("nadia", NADIA_RPPS, NADIA, "Nadia Exemple"),
    ],
)
async def test_named_confirmed_inside(
    office: Office, origin: str, provider: RealProvider, typed: str, number: str, rung: str, inside: str
) -> None:
    visitor = Visitor(origin)
    links = [a.attributes.get("href") for a in (await visitor.get(SIGN_IN)).tree.css("main a")]
    assert links == [f"{SIGN_IN}/oubli", PROVIDER, PAGE]
    assert (await asks(visitor, typed, numero=number)).location == PAGE
    [shown] = await provider.telephones()
    assert (shown["person"], shown["level"]) == (rung, "eidas1")
    number_shown = (await visitor.get(PAGE)).first(".number")
    assert number_shown.text() == shown["message"]
    assert (await hears(office, visitor)).status == 204
    assert (await visitor.get(ACCOUNT)).location.startswith(SIGN_IN)
    before = dict(visitor.cookies)
    await provider.answers(shown)
    assert (await hears(office, visitor)).location == ACCOUNT
    assert visitor.cookies != before
    assert inside in (await visitor.get(ACCOUNT)).words


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("inconnue", ""),
        (NADIA_RPPS, ""),  # a team's account is named by its login
        ("nadia", ""),
        ("nadia", CAMILLE_RPPS),
        ("antoine", ""),  # no number is known of him
        ("antoine", CAMILLE_RPPS),
        ("jacqueline", ""),  # a citizen
        ("jacqueline", CAMILLE_RPPS),
        ("courrier", CAMILLE_RPPS),  # may not come to the pages
        ("89970000000", ""),
    ],
)
async def test_whoever_else_is_named_the_page_answers_alike_and_nothing_rings(
    office: Office, origin: str, provider: RealProvider, typed: str, number: str
) -> None:
    def mail_only(tx: Transaction) -> None:
        box = office.boxes.create(tx, NewMailbox("garde@alpha.example", BoxKind.ORG, Holder("Garde")), office.now)
        new = NewCredential(box.id, "courrier", "Courrier", PASSWORD_HASH, frozenset({MAIL}), subject=CAMILLE_RPPS)
        office.credentials.add(tx, new, office.now)

    await office.db.write(mail_only)
    known, other = Visitor(origin), Visitor(origin)
    assert (await asks(known)).location == (await asks(other, typed, numero=number)).location == PAGE
    pages = [(await visitor.get(PAGE)).tree.css_first("main") for visitor in (known, other)]
    words = ["".join(c for c in page.text() if not c.isdigit()) if page is not None else "" for page in pages]
    assert words[0] == words[1] != ""
    assert [one["person"] for one in await provider.telephones()] == [CAMILLE]
    assert (await hears(office, other)).status == 204
    office.now += 2 * MINUTE
    late = [await visitor.follow(await visitor.post(PAGE, {"attente": "seule"})) for visitor in (known, other)]
    for page in late:
        assert "Vous n'avez pas confirmé à temps." in page.words
    assert (await other.get(ACCOUNT)).location.startswith(SIGN_IN)


@pytest.mark.parametrize("number", [CAMILLE_RPPS, NOBODY_RPPS], ids=["known", "nobody's"])
async def test_spelled_otherwise_the_known_are_not_told_from_nobody(
    office: Office, origin: str, provider: RealProvider, number: str
) -> None:
    assert (await asks(Visitor(origin), number)).location == PAGE
    for spelled in (f"8{number}", f"{number[:5]} {number[5:]}", number):
        assert by_telephone.RUNG in (await asks(Visitor(origin), spelled)).words


LOGINS = ["camille", "nadia", "inconnue"]


async def test_asked_after_the_number_no_login_is_told_from_another(
    office: Office, origin: str, provider: RealProvider
) -> None:
    """Her number is public: were the wait of her own telephone shown, it would tell which login is hers."""
    assert (await asks(Visitor(origin), CAMILLE_RPPS)).location == PAGE
    seen = {login: await told(origin, login) for login in LOGINS}
    assert seen["camille"] == seen["nadia"] == seen["inconnue"]
    assert [status for status, _ in seen["camille"]] == [303, 200, 422]
    assert [one["person"] for one in await provider.telephones()] == [CAMILLE]  # and she is rung once


async def told(origin: str, login: str) -> list[tuple[int, str]]:
    """Asked, looked at, asked again: the pages but for the numbers and the name."""
    visitor = Visitor(origin)
    answers = [await asks(visitor, login), await visitor.get(PAGE), await asks(Visitor(origin), login)]
    return [
        (one.status, one.location + "".join(c for c in one.words.replace(login, "") if not c.isdigit()))
        for one in answers
    ]


async def test_who_refuses_is_left_alone(office: Office, origin: str, provider: RealProvider) -> None:
    visitor = Visitor(origin)
    await asks(visitor)
    [shown] = await provider.telephones()
    await provider.answers(shown, "refuses")
    page = await visitor.follow(await hears(office, visitor))
    assert "Personne n'est entré." in page.words
    assert "mot de passe." not in page.words.partition("Personne")[2].partition("Pas de")[0]  # nobody has typed it
    office.now += MINUTE
    assert "Attendez" in (await asks(visitor)).words
    assert len(await provider.telephones()) == 1


async def test_confirmed_too_weakly(office: Office, origin: str, provider: RealProvider) -> None:
    visitor = Visitor(origin)
    await asks(visitor)
    [shown] = await provider.telephones()
    await provider.answers(shown, level="low")
    await refused(office, visitor, "TOKEN", "Pro Santé Connect a refusé.")


async def test_only_the_account_that_was_named(office: Office, origin: str, provider: RealProvider) -> None:
    """The operator takes nadia's number away while her telephone rings, and gives it to another seat."""
    visitor = Visitor(origin)
    await asks(visitor, "nadia", numero=NADIA_RPPS)
    [shown] = await provider.telephones()
    await provider.answers(shown)
    await office.db.write(office.credentials.set_subject, office.ids["nadia"], CAMILLE_RPPS)
    await office.db.write(office.credentials.set_subject, office.ids["antoine"], NADIA_RPPS)
    await refused(office, visitor, "SOMEBODY_ELSE", "C'est l'identité de quelqu'un d'autre.")


async def test_revoked_while_the_telephone_rings(office: Office, origin: str, provider: RealProvider) -> None:
    visitor = Visitor(origin)
    await asks(visitor)
    [shown] = await provider.telephones()
    await provider.answers(shown)
    await office.db.write(office.credentials.revoke, office.ids["camille"])
    await refused(office, visitor, "SOMEBODY_ELSE", "C'est l'identité de quelqu'un d'autre.")


async def refused(office: Office, visitor: Visitor, reason: str, sentence: str) -> None:
    with capture_logs() as logs:
        page = await visitor.follow(await hears(office, visitor, "oui"))
    assert sentence in page.words
    assert [log["reason"] for log in logs if log["event"] == "account.telephone_refused"] == [reason]
    assert not any(number in str(logs) for number in (CAMILLE_RPPS, NADIA_RPPS))
    assert (await visitor.get(ACCOUNT)).location.startswith(SIGN_IN)


async def test_a_day_of_ringing(office: Office, origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody asks each minute, by her login or her number, from ever new browsers: an hour's handful, then once an hour."""
    rung: list[int] = []
    minute = 0

    async def rings(self: Backchannel, hint: str, message: str) -> Any:
        rung.extend([minute] * (hint == CAMILLE))
        return self.pretended(message)

    monkeypatch.setattr(Backchannel, "begin", rings)
    for minute in range(6 * 60):
        await asks(Visitor(origin), ("camille", CAMILLE_RPPS)[minute % 2])
        office.now += MINUTE
    assert len([minute for minute in rung if minute < 60]) <= 6
    assert len([minute for minute in rung if minute >= 60]) <= 6
    assert len(rung) > 4
    other = Visitor(origin)
    assert (await office.enter(other)).location == ACCOUNT  # the password's way stays open


async def test_a_place_that_was_good_does_not_wait_for_what_others_do(
    office: Office, origin: str, provider: RealProvider
) -> None:
    camille, places = Visitor(origin), [f"203.0.113.{n}" for n in range(1, 9)]
    await asks(camille)
    await provider.answers((await provider.telephones())[-1])
    assert (await hears(office, camille)).location == ACCOUNT
    for place in places:
        await ring_from(office, place)
    assert await waits_at(office, "203.0.113.99") > 10 * MINUTE
    assert (await asks(Visitor(origin))).location == PAGE


async def ring_from(office: Office, place: str) -> None:
    ring = throttle.ring_subjects(office.keys, CAMILLE, place)
    await office.db.write(throttle.failed, ring, office.now)


async def waits_at(office: Office, place: str) -> int:
    ring = throttle.ring_subjects(office.keys, CAMILLE, place)
    return await office.db.read(throttle.wait, ring, office.now)


async def test_one_place_does_not_ring_everybody(office: Office, origin: str, provider: RealProvider) -> None:
    answers = [(await asks(Visitor(origin), f"personne{n}")).status for n in range(12)]
    assert answers == [303] * 11 + [422]
    office.now += HOUR
    assert (await asks(Visitor(origin), "personne")).status == 303


async def test_a_session_that_asks_is_nobodys_on_all_other_pages(
    office: Office, origin: str, provider: RealProvider
) -> None:
    visitor = Visitor(origin)
    await asks(visitor)
    for path in (
        ACCOUNT,
        f"{SIGN_IN}/code",
        f"{SIGN_IN}/secours",
        f"{SIGN_IN}/telephone",
        f"{ACCOUNT}/application",
        WHICH,
    ):
        assert (await visitor.get(path)).location.startswith(SIGN_IN), path
    token = await visitor.token(PAGE)
    assert (await visitor.post(f"{SIGN_IN}/code", {"code": office.totp()}, token=token)).location == SIGN_IN
    assert (await visitor.post(f"{ACCOUNT}/application", {"code": "123456"}, token=token)).location == SIGN_IN
    assert (await visitor.post(PAGE, {"attente": "oui"}, token="0" * 32)).status == 403
    thief = Visitor(origin)
    assert (await thief.post(PAGE, {"attente": "oui"}, token=await thief.token(PAGE))).status == 422


async def test_back_to_the_page_asked_for(office: Office, origin: str, provider: RealProvider) -> None:
    visitor = Visitor(origin)
    await asks(visitor, suite="/boites-partagees", partage="oui")
    [shown] = await provider.telephones()
    await provider.answers(shown)
    assert (await hears(office, visitor)).location == "/boites-partagees"
    office.now += 6 * MINUTE  # a shared computer
    assert (await visitor.get(ACCOUNT)).location.startswith(SIGN_IN)


SILENT = "Pro Santé Connect ne répond pas."


async def test_nobody_answers(office: Office, provider: RealProvider) -> None:
    async with serving(office.app) as origin:
        visitor = Visitor(origin)
        assert SILENT in (await asks(visitor)).words
        assert SILENT in (await visitor.get(PROVIDER)).words


@pytest.mark.parametrize("typed", ["nadia", "antoine", "jacqueline", "inconnue", NOBODY_RPPS])
async def test_its_silence_does_not_tell_who_has_an_account(office: Office, provider: RealProvider, typed: str) -> None:
    async with serving(office.app) as origin:
        known, other = await told(origin, "camille"), await told(origin, typed)
        assert known == other
        assert [status for status, _ in known] == [422, 200, 422]


async def test_what_it_refuses_us_is_told_to_all(tmp_path: Path, provider: RealProvider) -> None:
    """Our name at the provider is wrong: whoever is named."""
    known = OpenIdProvider(Rules(provider.issuer, AUDIENCE), system_clock)
    office = Office(tmp_path, phone=Backchannel(known, Asking(OURS[0], "faux"), "openid", system_clock))
    async with provider.running(), serving(office.app) as origin:
        seen = [await told(origin, login) for login in LOGINS]
        assert seen[0] == seen[1] == seen[2]
        assert [status for status, _ in seen[0]] == [422, 200, 422]
    await office.db.close()


async def test_the_provider_is_asked_about_nobody_and_rings_nobody(
    office: Office, origin: str, provider: RealProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each name is a question to it, so that a slow one takes its time for all; a provider that takes any name changes nothing."""
    hints, begin = [], Backchannel.begin

    async def heard(self: Backchannel, hint: str, message: str) -> Any:
        hints.append(hint)
        return await begin(self, hint if hint == CAMILLE else STRANGER[:-4] + "1111", message)

    monkeypatch.setattr(Backchannel, "begin", heard)
    visitors = {login: Visitor(origin) for login in ("camille", "inconnue")}
    for login, visitor in visitors.items():
        assert (await asks(visitor, login)).location == PAGE
    assert hints == [CAMILLE, by_telephone.NOBODY]
    for shown in await provider.telephones():
        await provider.answers(shown)
    assert (await hears(office, visitors["inconnue"])).status == 204
    assert (await visitors["inconnue"].get(ACCOUNT)).location.startswith(SIGN_IN)


async def test_who_came_by_it_chooses_a_new_password_without_the_old_one(
    office: Office, origin: str, provider: RealProvider
) -> None:
    """Forgotten: the provider has just seen both factors. Ten minutes later it has to see them again."""
    visitor, page, new = Visitor(origin), f"{ACCOUNT}/mot-de-passe", "girafe tiède sous parasol"
    await visitor.get(await provider.signs_in(CAMILLE, (await visitor.get(PROVIDER)).location))
    assert "Mot de passe actuel" not in (await visitor.get(page)).words
    assert (await visitor.post(page, {"nouveau": "court", "encore_une_fois": "court"})).status == 422
    changed = await visitor.post(page, {"nouveau": new, "encore_une_fois": new})
    assert changed.location == f"{ACCOUNT}?fait=mot-de-passe"
    assert (await office.password_step(Visitor(origin), "camille", new)).location == f"{SIGN_IN}/code"
    office.now += 10 * MINUTE
    assert "Mot de passe actuel" in (await visitor.get(page)).words
    assert (await visitor.post(page, {"nouveau": "x" + new, "encore_une_fois": "x" + new})).status == 422


async def test_who_has_nothing_but_the_provider_is_told_to_come_by_it_again(
    office: Office, origin: str, provider: RealProvider
) -> None:
    """nadia's team mailbox: no second factor here, no private address."""
    visitor = Visitor(origin)
    await visitor.get(await provider.signs_in(NADIA, (await visitor.get(PROVIDER)).location))
    await visitor.post(WHICH, {"identifiant": "nadia"})
    assert (await visitor.get(f"{ACCOUNT}/application")).status == 200
    office.now += 10 * MINUTE
    for page in (f"{ACCOUNT}/verification", f"{ACCOUNT}/mot-de-passe"):
        found = await visitor.get(page)
        assert "Déconnectez-vous, entrez de nouveau" in found.words
        assert "Recevoir un code" not in found.words


# ---------------------------------------------------------------- on the provider's page
async def test_there_and_back(office: Office, origin: str, provider: RealProvider) -> None:
    visitor = Visitor(origin)
    away = await visitor.get(f"{PROVIDER}?suite=/boites-partagees")
    asked = {name: value for name, [value] in parse_qs(urlsplit(away.location).query).items()}
    assert (asked["code_challenge_method"], asked["acr_values"], asked["response_type"]) == ("S256", "eidas1", "code")
    back = await provider.signs_in(CAMILLE, away.location)
    assert back.startswith(BACK)
    inside = await visitor.get(back)
    assert inside.location == "/boites-partagees"
    assert "Camille Exemple" in (await visitor.get(ACCOUNT)).words
    assert (await visitor.get(back)).location == ACCOUNT  # loaded again
    assert (await visitor.get(PROVIDER)).location == ACCOUNT


async def test_only_in_the_browser_that_left_and_once(office: Office, origin: str, provider: RealProvider) -> None:
    visitor, victim = Visitor(origin), Visitor(origin)
    await victim.get(SIGN_IN)
    back = await provider.signs_in(CAMILLE, (await visitor.get(PROVIDER)).location)
    for address in (back, back.replace("state=", "state=A"), back.partition("?")[0], f"{BACK}?code=x&state=x"):
        assert "dans un autre navigateur" in (await victim.get(address)).words
        assert (await victim.get(ACCOUNT)).location.startswith(SIGN_IN)
    old = dict(visitor.cookies)
    assert (await visitor.get(back)).location == ACCOUNT
    visitor.cookies = old
    assert by_provider.LATE in (await visitor.get(back)).words
    assert (await visitor.get(ACCOUNT)).location.startswith(SIGN_IN)


async def leaves(visitor: Visitor) -> str:
    [state] = parse_qs(urlsplit((await visitor.get(PROVIDER)).location).query)["state"]
    return f"{BACK}?{urlencode({'state': state})}"


@pytest.fixture
def asked_of_it(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The codes that the provider was asked about in our name."""
    codes, ask = [], OpenIdProvider.ask

    async def counted(self: OpenIdProvider, endpoint: str, form: dict[str, str], asking: Asking) -> dict[str, Any]:
        codes.append(form["code"])
        return await ask(self, endpoint, form, asking)

    monkeypatch.setattr(OpenIdProvider, "ask", counted)
    return codes


async def test_a_state_is_good_once_whatever_its_code(
    office: Office, origin: str, provider: RealProvider, asked_of_it: list[str]
) -> None:
    visitor = Visitor(origin)
    back = await leaves(visitor)
    assert "Pro Santé Connect a refusé." in (await visitor.get(f"{back}&code=0")).words
    for n in range(1, 4):
        assert by_provider.LATE in (await visitor.get(f"{back}&code={n}")).words
    assert asked_of_it == ["0"]


async def test_made_up_codes_are_slowed_by_place(
    office: Office, origin: str, provider: RealProvider, asked_of_it: list[str]
) -> None:
    camille = Visitor(origin)
    good = await provider.signs_in(CAMILLE, (await camille.get(PROVIDER)).location)
    for n in range(30):
        visitor = Visitor(origin)
        page = await visitor.get(f"{await leaves(visitor)}&code={n}")
        assert (by_provider.TOO_MANY in page.words) == (n > 20)
    assert len(asked_of_it) == 21
    assert "Attendez 5 secondes" in (await camille.get(good)).words
    office.now += 5 * SECOND
    assert (await camille.get(good)).location == ACCOUNT  # what waited was not used up


async def test_away_too_long(office: Office, origin: str, provider: RealProvider) -> None:
    visitor = Visitor(origin)
    back = await provider.signs_in(CAMILLE, (await visitor.get(PROVIDER)).location)
    office.now += 15 * MINUTE
    assert "parti trop longtemps" in (await visitor.get(back)).words


async def test_anothers_issuer(office: Office, origin: str, provider: RealProvider) -> None:
    """RFC 9207: an answer that another provider made is not taken to this one."""
    visitor = Visitor(origin)
    back = await provider.signs_in(CAMILLE, (await visitor.get(PROVIDER)).location)
    assert "iss=" in back
    assert "Pro Santé Connect a refusé." in (await visitor.get(back.replace("iss=http", "iss=https"))).words


async def test_who_gives_up(office: Office, origin: str, provider: RealProvider) -> None:
    visitor = Visitor(origin)
    back = await provider.gives_up((await visitor.get(PROVIDER)).location)
    assert "Vous n'avez pas terminé" in (await visitor.get(back)).words


async def test_a_weaker_sign_in_on_its_page(office: Office, provider: RealProvider) -> None:
    async with provider.running(level="low"), serving(office.app) as origin:
        visitor = Visitor(origin)
        back = await provider.signs_in(CAMILLE, (await visitor.get(PROVIDER)).location)
        with capture_logs() as logs:
            assert "Pro Santé Connect a refusé." in (await visitor.get(back)).words
        assert [log["reason"] for log in logs if log["event"] == "account.provider_refused"] == ["TOKEN"]
        assert (await visitor.get(ACCOUNT)).location.startswith(SIGN_IN)


async def test_a_team_is_named_by_its_login(office: Office, origin: str, provider: RealProvider) -> None:
    visitor = Visitor(origin)
    back = await visitor.get(await provider.signs_in(NADIA, (await visitor.get(PROVIDER)).location))
    assert back.location == WHICH
    assert (await visitor.get(ACCOUNT)).location.startswith(SIGN_IN)
    for typed, sentence in (
        ("", "Écrivez votre identifiant."),
        ("camille", "n'est à vous"),
        ("inconnue", "n'est à vous"),
    ):
        assert sentence in (await visitor.post(WHICH, {"identifiant": typed})).words
    assert (await visitor.post(WHICH, {"identifiant": "Nadia"})).location == ACCOUNT
    assert "Nadia Exemple" in (await visitor.get(ACCOUNT)).words


async def test_a_stranger_opens_nothing(office: Office, origin: str, provider: RealProvider) -> None:
    visitor = Visitor(origin)
    await visitor.get(await provider.signs_in(STRANGER, (await visitor.get(PROVIDER)).location))
    for login in ("camille", "nadia", "antoine", "jacqueline", STRANGER):
        assert "n'est à vous" in (await visitor.post(WHICH, {"identifiant": login})).words


async def test_where_nothing_is_set_up(tmp_path: Path) -> None:
    office = Office(tmp_path)
    async with serving(office.app) as origin:
        visitor = Visitor(origin)
        assert "Sans mot de passe" not in (await visitor.get(SIGN_IN)).words
        for path in (PAGE, PROVIDER, BACK):
            assert (await visitor.get(path)).status == 404
    await office.db.close()


# ---------------------------------------------------------------- looked at
async def test_in_a_browser(office: Office, origin: str, provider: RealProvider, browser: Browser) -> None:
    tab = await tab_with(browser, origin, {})
    await tab.goto(origin + SIGN_IN)
    assert await looks(tab, "connexion") == []
    await tab.get_by_role("link", name="Confirmer sur mon téléphone").click()
    assert await looks(tab, "e-cps") == []
    await tab.get_by_label("Identifiant ou numéro RPPS").fill(CAMILLE_RPPS)
    await tab.get_by_label("Identifiant ou numéro RPPS").press("Enter")
    await tab.locator(".number").wait_for()
    assert await looks(tab, "e-cps-attente") == []
    [shown] = await provider.telephones()
    await provider.answers(shown)
    office.now += 5 * SECOND
    await tab.wait_for_url(origin + ACCOUNT)

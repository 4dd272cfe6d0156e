"""« Je confirme sur mon téléphone »: the account's sign-in, confirmed at npm's oidc-provider by CIBA in poll mode."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from structlog.testing import capture_logs

from foundation.clock import MINUTE, SECOND, system_clock
from mssante.ciba import ENDPOINT, Asked, Backchannel, new_message
from mssante.id_tokens import No
from mssante.openid import Rules, Subject
from mssante.openid_provider import Asking, OpenIdProvider
from tests.care_desk.office import ACCOUNT, CAMILLE_RPPS, NADIA_RPPS, SIGN_IN, Office
from tests.openid.real import ACCOUNT as OURS
from tests.openid.real import AUDIENCE, RealProvider
from tests.support.chromium import looks, tab_with
from tests.support.web import Visitor, serving

PAGE = f"{SIGN_IN}/telephone"
CAMILLE, NADIA = f"8{CAMILLE_RPPS}", f"8{NADIA_RPPS}"


class Ours:
    """The account's side, with a clock that goes on when it is told to."""

    def __init__(self, issuer: str, secret: str = OURS[1], **rules: Any) -> None:
        self.later, self._began = 0, system_clock() - int(time.monotonic() * SECOND)
        provider = OpenIdProvider(Rules(issuer, AUDIENCE, **rules), self.clock)
        self.phone = Backchannel(provider, Asking(OURS[0], secret), "openid scope_all", self.clock)

    def clock(self) -> int:
        """The machine's may be set while a test runs: then the provider would be asked too early."""
        return self._began + int(time.monotonic() * SECOND) + self.later

    async def asks(self, hint: str = CAMILLE, message: str = "42") -> Asked:
        found = await self.phone.begin(hint, message)
        assert isinstance(found, Asked), found
        return found

    async def hears(self, asked: Asked) -> Asked | Subject | No:
        self.later += asked.interval
        return await self.phone.poll(asked)


@pytest.fixture
def ours(provider: RealProvider) -> Ours:
    return Ours(provider.issuer)


# ---------------------------------------------------------------- the protocol
async def test_asked_confirmed_heard(provider: RealProvider, ours: Ours) -> None:
    async with provider.running():
        asked = await ours.asks()
        [shown] = await provider.telephones()
        assert (shown["person"], shown["message"], shown["level"]) == (CAMILLE, "42", "eidas1")
        assert shown["scope"] == "openid scope_all"
        waiting = await ours.hears(asked)
        assert isinstance(waiting, Asked)
        assert waiting.interval == asked.interval
        await provider.answers(shown)
        found = await ours.hears(waiting)
        assert isinstance(found, Subject)
        assert found.name == CAMILLE
        assert await ours.hears(waiting) is No.OTHER  # the request is used up


async def test_refused_on_the_telephone(provider: RealProvider, ours: Ours) -> None:
    async with provider.running():
        asked = await ours.asks()
        [shown] = await provider.telephones()
        await provider.answers(shown, "refuses")
        assert await ours.hears(asked) is No.DENIED


async def test_nobody_is_asked_more_often_than_the_provider_says(provider: RealProvider, ours: Ours) -> None:
    async with provider.running(hasty=2):
        asked = await ours.asks()
        assert await ours.phone.poll(asked) is asked  # too early: nothing is sent
        slower = await ours.hears(asked)
        assert isinstance(slower, Asked)
        assert slower.interval == asked.interval + 5 * SECOND
        again = await ours.hears(slower)
        assert isinstance(again, Asked)
        assert again.interval == asked.interval + 10 * SECOND
        [shown] = await provider.telephones()
        await provider.answers(shown)
        assert isinstance(await ours.hears(again), Subject)


async def test_too_late(provider: RealProvider, ours: Ours) -> None:
    async with provider.running():
        asked = await ours.asks()
        ours.later += asked.until - ours.clock()
        assert await ours.phone.poll(asked) is No.EXPIRED


async def test_too_late_as_the_provider_sees_it(provider: RealProvider, ours: Ours) -> None:
    async with provider.running():
        asked = await ours.asks()
        unknown = Asked("inventé", asked.message, asked.until, asked.interval, 0)
        assert await ours.phone.poll(unknown) is No.OTHER


@pytest.mark.parametrize("level", ["low", ""])
async def test_a_weaker_sign_in_on_the_telephone(provider: RealProvider, ours: Ours, level: str) -> None:
    async with provider.running():
        asked = await ours.asks()
        [shown] = await provider.telephones()
        await provider.answers(shown, level=level)
        assert await ours.hears(asked) is No.TOKEN


async def test_what_the_provider_does_not_take(provider: RealProvider, ours: Ours) -> None:
    async with provider.running():
        assert await ours.phone.begin("899700000000", "42") is No.UNKNOWN
        assert await ours.phone.begin(CAMILLE, "quarante-deux") is No.OTHER
        assert await Ours(provider.issuer, "faux").phone.begin(CAMILLE, "42") is No.UNREACHABLE
        asked = await ours.asks()
    assert await ours.phone.begin(CAMILLE, "42") is No.UNREACHABLE
    waiting = await ours.hears(asked)  # a network's fault is no answer
    assert isinstance(waiting, Asked)
    assert waiting.interval > asked.interval


async def test_the_doctor_says_whether_it_is_offered(provider: RealProvider) -> None:
    known = OpenIdProvider(Rules(provider.issuer, AUDIENCE), system_clock)
    async with provider.running():
        assert await known.offers(ENDPOINT)
        assert not await known.offers("device_authorization_endpoint")
    assert not await OpenIdProvider(Rules(provider.issuer, AUDIENCE), system_clock).offers(ENDPOINT)


def test_two_figures() -> None:
    assert {len(new_message()) for _ in range(200)} == {2}
    assert all(new_message().isdigit() for _ in range(50))


# ---------------------------------------------------------------- the page
@pytest_asyncio.fixture(loop_scope="session")
async def office(tmp_path: Path, provider: RealProvider) -> AsyncIterator[Office]:
    provider_ = OpenIdProvider(Rules(provider.issuer, AUDIENCE), lambda: made.now)
    phone = Backchannel(provider_, Asking(*OURS), "openid scope_all", lambda: made.now)
    made = Office(tmp_path, phone=phone)
    made.now = system_clock()
    await made.db.write(made.credentials.set_subject, made.ids["antoine"], NADIA_RPPS)
    yield made
    await made.db.close()


async def waiting(office: Office, origin: str, login: str = "camille", **form: str) -> Visitor:
    visitor = Visitor(origin)
    await office.password_step(visitor, login)
    answer = await visitor.post(PAGE, form)
    assert answer.location == PAGE, answer.words
    return visitor


async def test_from_the_password_to_the_account(office: Office, origin: str, provider: RealProvider) -> None:
    visitor = Visitor(origin)
    await office.password_step(visitor, "camille")
    assert any(a.attributes.get("href") == PAGE for a in (await visitor.get(f"{SIGN_IN}/code")).tree.css("main a"))
    assert "Prévenir mon téléphone" in (await visitor.get(PAGE)).words
    await visitor.post(PAGE, {})
    [shown] = await provider.telephones()
    assert shown["person"] == CAMILLE
    number = (await visitor.get(PAGE)).first(".number")
    assert number.text() == shown["message"]
    assert (await visitor.post(PAGE, {"attente": "seule"})).status == 204
    early = await visitor.post(PAGE, {"attente": "oui"})
    assert "Pas encore." in (await visitor.follow(early)).words
    assert (await visitor.get(ACCOUNT)).location.startswith(SIGN_IN)
    await provider.answers(shown)
    office.now += 5 * SECOND
    assert (await visitor.post(PAGE, {"attente": "seule"})).location == ACCOUNT
    assert "Camille Exemple" in (await visitor.get(ACCOUNT)).words


async def test_who_refuses(office: Office, origin: str, provider: RealProvider) -> None:
    visitor = await waiting(office, origin)
    [shown] = await provider.telephones()
    await provider.answers(shown, "refuses")
    office.now += 5 * SECOND
    page = await visitor.follow(await visitor.post(PAGE, {"attente": "seule"}))
    assert "Vous avez refusé sur votre téléphone." in page.words
    assert "Prévenir mon téléphone" in page.words
    assert (await visitor.get(ACCOUNT)).location.startswith(SIGN_IN)


async def test_confirmed_too_weakly(office: Office, origin: str, provider: RealProvider) -> None:
    visitor = await waiting(office, origin)
    [shown] = await provider.telephones()
    await provider.answers(shown, level="low")
    await refused(office, visitor, "TOKEN", "Pro Santé Connect a refusé.")


async def test_what_is_confirmed_is_somebody_elses(office: Office, origin: str, provider: RealProvider) -> None:
    """The operator has corrected the number while the telephone rang."""
    visitor = await waiting(office, origin, "antoine", numero=NADIA_RPPS)
    [shown] = await provider.telephones()
    await provider.answers(shown)
    await office.db.write(office.credentials.set_subject, office.ids["antoine"], CAMILLE_RPPS)
    await refused(office, visitor, "SOMEBODY_ELSE", "C'est l'identité de quelqu'un d'autre.")


async def refused(office: Office, visitor: Visitor, reason: str, sentence: str) -> None:
    office.now += 5 * SECOND
    with capture_logs() as logs:
        page = await visitor.follow(await visitor.post(PAGE, {"attente": "oui"}))
    assert sentence in page.words
    assert [log["reason"] for log in logs if log["event"] == "account.telephone_refused"] == [reason]
    assert not any(number in str(logs) for number in (CAMILLE_RPPS, NADIA_RPPS))
    assert (await visitor.get(ACCOUNT)).location.startswith(SIGN_IN)


@pytest.mark.parametrize("typed", ["", "1", CAMILLE_RPPS, f"8{CAMILLE_RPPS}", "899700000001"])
async def test_only_ones_own_telephone_rings(office: Office, origin: str, provider: RealProvider, typed: str) -> None:
    """antoine's number is known as a keyed hash only: he types it; no other is rung."""
    visitor = Visitor(origin)
    await office.password_step(visitor, "antoine")
    page = await visitor.post(PAGE, {"numero": typed})
    assert page.status == 422
    assert "Ce numéro n'est pas celui de ce compte." in page.words
    assert await provider.telephones() == []


async def test_ones_own_number_is_typed(office: Office, origin: str, provider: RealProvider) -> None:
    await waiting(office, origin, "antoine", numero=f"{NADIA_RPPS[:4]} {NADIA_RPPS[4:]}")
    assert [one["person"] for one in await provider.telephones()] == [NADIA]


async def test_one_ring_a_half_minute(office: Office, origin: str, provider: RealProvider) -> None:
    """Whoever has stolen the password cannot wear the owner down, by any number of sessions."""
    await waiting(office, origin)
    other = Visitor(origin)
    await office.password_step(other, "camille")
    page = await other.post(PAGE, {})
    assert "Votre téléphone vient d'être prévenu. Attendez 30 secondes" in page.words
    office.now += 30 * SECOND
    assert (await other.post(PAGE, {})).location == PAGE
    assert len(await provider.telephones()) == 2


async def test_only_behind_the_password_and_in_ones_session(
    office: Office, origin: str, provider: RealProvider
) -> None:
    assert (await Visitor(origin).get(PAGE)).location == SIGN_IN
    visitor = await waiting(office, origin)
    [shown] = await provider.telephones()
    await provider.answers(shown)
    office.now += MINUTE
    antoine = Visitor(origin)
    await office.password_step(antoine, "antoine")
    assert (await antoine.post(PAGE, {"attente": "oui"})).status == 422  # has asked for nothing
    assert (await visitor.post(PAGE, {"attente": "oui"}, token="0" * 32)).status == 403


async def test_where_it_is_not_set_up(tmp_path: Path) -> None:
    office = Office(tmp_path)
    async with serving(office.app) as origin:
        visitor = Visitor(origin)
        await office.password_step(visitor, "camille")
        assert (await visitor.get(PAGE)).status == 404
        assert "téléphone" not in (await visitor.get(f"{SIGN_IN}/code")).words
    await office.db.close()


async def test_in_a_browser(office: Office, origin: str, provider: RealProvider, browser: Browser) -> None:
    """The page notices by itself."""
    visitor = Visitor(origin)
    await office.password_step(visitor, "camille")
    tab = await tab_with(browser, origin, visitor.cookies)
    await tab.goto(origin + PAGE)
    assert await looks(tab, "telephone") == []
    await tab.get_by_role("button", name="Prévenir mon téléphone").click()
    await tab.locator(".number").wait_for()
    assert await looks(tab, "telephone-attente") == []
    [shown] = await provider.telephones()
    await provider.answers(shown)
    office.now += 5 * SECOND
    await tab.wait_for_url(origin + ACCOUNT)

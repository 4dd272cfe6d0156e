"""Signing in over a real socket: both steps, every refusal, the waits, the profile switch, signing out."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from starlette.responses import Response

from foundation.clock import DAY, HOUR, MINUTE, SECOND
from foundation.database import Database, metadata
from foundation.keys import KeyRing
from foundation.web.kit import Page, Visit, Web, WebSettings
from foundation.web.tables import web_kept_forms, web_sessions
from health_space.accounts import chrome, codes
from health_space.accounts.app import routes
from health_space.accounts.deps import Deps
from health_space.accounts.port import Known, Wrong
from health_space.accounts.tables import code_failures
from health_space.profiles.operations import Kind, add_guardian
from health_space.profiles.tables import guardianships
from tests.support.web import Answer, Visitor, serving

JACQUELINE, CLAIRE, LOUISE, NO_MAIL = 1, 2, 3, 4
NAMES = {JACQUELINE: "Jacqueline Morel", CLAIRE: "Claire Petit", LOUISE: "Louise Petit", NO_MAIL: "Paul"}
PEOPLE = {
    "jacqueline": Known(1, JACQUELINE, "jacqueline@perso.example", totp=False),
    "claire": Known(2, CLAIRE, None, totp=True),
    "paul": Known(3, NO_MAIL, None, totp=False),
}


class World:
    """Stands for `mssante.credentials` and the outbox."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_800_000_000_000
        self.sent: list[tuple[str, str, str]] = []
        self.wait = 0
        self.db = Database(f"sqlite:///{folder}/accounts.db")
        metadata.create_all(self.db.engine, tables=[web_sessions, web_kept_forms, code_failures, guardianships])
        self.db.write_now(add_guardian, CLAIRE, LOUISE, Kind.PARENT, self.now)
        self.web = Web(
            self.db,
            KeyRing(bytes(range(32))),
            WebSettings(https=False),
            {"accounts": chrome.TEMPLATES},
            chrome.NAV,
            chrome.around(self.name_of, {}),
            lambda: self.now,
        )
        table = (Page("/accueil", home), Page("/messagerie/12", home, "GET POST"))
        self.app = self.web.app([*routes(Deps(self.web, self, self.send)), *self.web.routes(table, self)])

    def name_of(self, conn: Connection, box: int) -> str:
        return NAMES[box]

    async def send(self, to: str, subject: str, text: str) -> None:
        self.sent.append((to, subject, text))

    async def password(self, login: str, password: str, client_ip: str) -> Known | Wrong:
        assert client_ip == "127.0.0.1"
        good = password == "cheval correct" and login in PEOPLE and not self.wait
        return PEOPLE[login] if good else Wrong(self.wait)

    async def totp(self, credential: int, code: str) -> bool:
        return credential == 2 and code == "424242"

    def code(self) -> str:
        found = re.search(r"\d{6}", self.sent[-1][2])
        assert found
        return found[0]


async def home(visit: Visit, world: World) -> Response:
    kept = (await visit.kept_form()).get("texte", "")
    return visit.render("accounts/help.html", f"Chez {visit.profile.name} {kept}")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.db.close()


@pytest.fixture
async def visitor(world: World) -> AsyncIterator[Visitor]:
    async with serving(world.app) as origin:
        yield Visitor(origin)


async def enter(visitor: Visitor, login: str = "jacqueline", password: str = "cheval correct", **more: str) -> Answer:
    return await visitor.post("/connexion", {"identifiant": login, "mot_de_passe": password, **more})


async def test_password_then_code_opens_the_home(world: World, visitor: Visitor) -> None:
    first = await enter(visitor)
    before = dict(visitor.cookies)
    page = await visitor.follow(first)
    assert "j…@perso.example" in page.words
    assert "jacqueline@" not in page.text
    to, _, text = world.sent[0]
    assert to == "jacqueline@perso.example"
    assert "Morel" not in text
    assert "http" not in text
    spaced = world.code()[:3] + " " + world.code()[3:]
    inside = await visitor.post("/connexion/code", {"code": spaced})
    assert inside.location == "/accueil"
    assert visitor.cookies != before  # a new id at each step
    assert "Chez Jacqueline Morel" in (await visitor.follow(inside)).words


async def test_the_password_alone_opens_nothing(world: World, visitor: Visitor) -> None:
    await enter(visitor)
    assert (await visitor.get("/accueil")).location.startswith("/connexion")


@pytest.mark.parametrize(("login", "password"), [("jacqueline", "faux"), ("inconnue", "cheval correct")])
async def test_one_neutral_sentence(world: World, visitor: Visitor, login: str, password: str) -> None:
    answer = await enter(visitor, login, password)
    assert answer.status == 422
    assert answer.title().startswith("Erreur : ")
    assert "L'identifiant ou le mot de passe est inexact." in answer.words
    assert f'value="{login}"' in answer.text
    assert password not in answer.text
    assert world.sent == []


async def test_the_wait_is_told(world: World, visitor: Visitor) -> None:
    world.wait = 90 * SECOND
    assert "Attendez 2 minutes avant de réessayer." in (await enter(visitor)).words


async def test_empty_fields_are_named(visitor: Visitor) -> None:
    words = (await enter(visitor, "", "")).words
    assert "Écrivez votre identifiant." in words
    assert "Écrivez votre mot de passe." in words


async def test_an_application_code(world: World, visitor: Visitor) -> None:
    page = await visitor.follow(await enter(visitor, "claire"))
    assert "Ouvrez votre application de codes" in page.words
    assert world.sent == []
    assert (await visitor.post("/connexion/code", {"code": "000000"})).status == 422
    assert (await visitor.post("/connexion/code", {"code": "424242"})).location == "/accueil"


async def test_nobody_to_send_a_code_to(world: World, visitor: Visitor) -> None:
    page = await visitor.follow(await enter(visitor, "paul"))
    assert "Nous ne pouvons pas vous envoyer de code" in page.words


async def test_a_code_dies_after_ten_minutes(world: World, visitor: Visitor) -> None:
    await enter(visitor)
    world.now += codes.VALID
    answer = await visitor.post("/connexion/code", {"code": world.code()})
    assert "Ce code n'est plus valable" in answer.words


async def test_a_code_dies_after_five_tries_and_waits_grow(world: World, visitor: Visitor) -> None:
    await enter(visitor)
    good = world.code()
    bad = "000000" if good != "000000" else "111111"
    for _ in range(3):
        assert "inexact" in (await visitor.post("/connexion/code", {"code": bad})).words
    assert "Attendez 5 secondes" in (await visitor.post("/connexion/code", {"code": good})).words
    world.now += 5 * SECOND
    await visitor.post("/connexion/code", {"code": bad})
    assert "Attendez 10 secondes" in (await visitor.post("/connexion/code", {"code": good})).words
    world.now += 10 * SECOND
    await visitor.post("/connexion/code", {"code": bad})
    world.now += MINUTE
    assert "n'est plus valable" in (await visitor.post("/connexion/code", {"code": good})).words
    again = await visitor.post("/connexion/code", {"encore": "1"})
    assert again.status == 303
    world.now += MINUTE  # the wait after five failures, over all sessions
    assert (await visitor.post("/connexion/code", {"code": world.code()})).location == "/accueil"


async def test_waits_hold_over_a_new_session(world: World, visitor: Visitor) -> None:
    await enter(visitor)
    for _ in range(3):
        await visitor.post("/connexion/code", {"code": "12345"})  # too short: not a try
        await visitor.post("/connexion/code", {"code": "999999" if world.code() != "999999" else "111111"})
    other = Visitor(visitor.origin)
    await enter(other)
    assert "Attendez" in (await other.post("/connexion/code", {"code": world.code()})).words
    world.now += DAY
    await enter(other)
    assert (await other.post("/connexion/code", {"code": world.code()})).location == "/accueil"


async def test_a_new_code_at_most_once_a_minute(world: World, visitor: Visitor) -> None:
    await enter(visitor)
    assert "Un code vient de partir" in (await visitor.post("/connexion/code", {"encore": "1"})).words
    first = world.code()
    world.now += MINUTE
    assert (await visitor.post("/connexion/code", {"encore": "1"})).status == 303
    assert len(world.sent) == 2
    if world.code() != first:
        assert (await visitor.post("/connexion/code", {"code": first})).status == 422


async def test_the_code_page_without_password(visitor: Visitor) -> None:
    assert (await visitor.get("/connexion/code")).location == "/connexion"


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        ("/messagerie/12", "/messagerie/12"),
        ("//mechant.example/", "/accueil"),
        ("https://mechant.example/", "/accueil"),
        ("/connexion/code", "/accueil"),
        ("/a?b=c", "/accueil"),
        ("/\\mechant.example", "/accueil"),
    ],
)
async def test_back_to_the_page_asked_for(world: World, visitor: Visitor, suite: str, expected: str) -> None:
    await enter(visitor, suite=suite)
    assert (await visitor.post("/connexion/code", {"code": world.code()})).location == expected


async def test_typed_too_late_signed_in_again_text_is_there_for_the_same_profile(
    world: World, visitor: Visitor
) -> None:
    await enter(visitor, "claire")
    await visitor.post("/connexion/code", {"code": "424242"})
    await visitor.post("/profil", {"profil": str(LOUISE)}, token=await visitor.token("/accueil"))
    token = await visitor.token("/messagerie/12")
    world.now += HOUR
    late = await visitor.post("/messagerie/12", {"texte": "Bonjour docteur"}, token=token)
    page = await visitor.follow(late)
    assert "Votre texte est gardé" in page.words
    await enter(visitor, "claire", suite="/messagerie/12")
    back = await visitor.follow(await visitor.post("/connexion/code", {"code": "424242"}))
    assert "Chez Louise Petit Bonjour docteur" in back.words


async def test_switching_the_profile_is_one_click(world: World, visitor: Visitor) -> None:
    await enter(visitor, "claire")
    await visitor.post("/connexion/code", {"code": "424242"})
    assert "Passer à Louise Petit" in (await visitor.get("/accueil")).words
    switched = await visitor.post("/profil", {"profil": str(LOUISE)}, token=await visitor.token("/accueil"))
    assert "Profil : Louise Petit" in (await visitor.follow(switched)).words
    for other in (str(JACQUELINE), "x", ""):
        await visitor.post("/profil", {"profil": other}, token=await visitor.token("/accueil"))
        assert "Profil : Louise Petit" in (await visitor.get("/accueil")).words


async def test_signing_out(world: World, visitor: Visitor) -> None:
    await enter(visitor)
    await visitor.post("/connexion/code", {"code": world.code()})
    old = dict(visitor.cookies)
    out = await visitor.post("/deconnexion", {}, token=await visitor.token("/accueil"))
    assert "Vous êtes déconnecté" in (await visitor.follow(out)).words
    visitor.cookies = old
    assert (await visitor.get("/accueil")).status == 303


async def test_signing_out_too_late_leads_to_sign_in(world: World, visitor: Visitor) -> None:
    await enter(visitor)
    await visitor.post("/connexion/code", {"code": world.code()})
    token = await visitor.token("/accueil")
    world.now += HOUR
    assert (await visitor.post("/deconnexion", {}, token=token)).location == "/connexion?suite=/accueil&fin=1"


@pytest.mark.parametrize("path", ["/connexion", "/aide", "/accessibilite", "/donnees-personnelles"])
async def test_pages_readable_without_an_account(visitor: Visitor, path: str) -> None:
    answer = await visitor.get(path)
    assert answer.status == 200
    assert "15 ou le 112" in answer.words

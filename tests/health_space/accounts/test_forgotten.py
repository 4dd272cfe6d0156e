"""« Mot de passe oublié » of a citizen: the help reads a code to her on the telephone, a second one comes by e-mail."""

from __future__ import annotations

import asyncio

from foundation.clock import HOUR
from health_space.accounts.port import Wrong
from mssante import recovery, throttle
from mssante.recovery import Lost
from tests.health_space.accounts.test_sign_in import World, enter, visitor, world  # noqa: F401  fixtures
from tests.support.web import Visitor

NEW = "tarte aux quetsches du jeudi"
PAGE, CHOOSE = "/connexion/oubli", "/connexion/nouveau"


async def agreed(world: World, login: str) -> str:  # noqa: F811
    """The code, as two operators have made it."""
    code, credentials = recovery.new_code(), world.credentials
    who = await world.db.read(credentials.by_login, login)
    assert who is not None
    asked = (world.web.keys, who.credential_id, Lost.PASSWORD, "operator a", "oubli", world.now)
    number = await world.db.write(recovery.ask, *asked)
    await world.db.write(recovery.agree, world.web.keys, number, "operator b", code, world.now)
    return code


async def test_from_the_sign_in_page_to_the_home(world: World, visitor: Visitor) -> None:  # noqa: F811
    links = {a.text(): a.attributes.get("href") for a in (await visitor.get("/connexion")).tree.css("main a")}
    assert PAGE in links.values()
    assert "Appelez l'aide" in (await visitor.get(PAGE)).words
    code = await agreed(world, "jacqueline")
    spoken = code.replace(" ", ". ")
    assert (await visitor.post(PAGE, {"identifiant": "Jacqueline", "secours": spoken})).location == "/connexion/code"
    assert (await visitor.get(CHOOSE)).location == "/connexion"
    assert (await visitor.post("/connexion/code", {"code": world.code()})).location == CHOOSE
    inside = await visitor.follow(await visitor.post(CHOOSE, {"nouveau": NEW, "encore_une_fois": NEW}))
    assert "Chez Jacqueline Morel" in inside.words
    await world.jobs.drain()
    to, subject, text = world.sent[-1]
    assert (to, subject) == ("jacqueline@perso.example", "Votre mot de passe a changé")
    assert "Morel" not in text
    assert "http" not in text
    other = Visitor(visitor.origin)
    assert (await enter(other)).status == 422
    world.now += 60_000
    assert (await enter(other, password=NEW)).location == "/connexion/code"


async def test_who_has_no_e_mail_address_is_told_what_to_do(world: World, visitor: Visitor) -> None:  # noqa: F811
    code = await agreed(world, "paul")
    page = await visitor.follow(await visitor.post(PAGE, {"identifiant": "paul", "secours": code}))
    assert "Appelez l'aide pour l'ajouter." in page.words


async def test_the_notice_that_cannot_be_sent_keeps_nobody_out(world: World, visitor: Visitor) -> None:  # noqa: F811
    """The relay is away: the password is changed all the same, its person is in, and told as soon as it is back."""
    code = await agreed(world, "jacqueline")
    await visitor.post(PAGE, {"identifiant": "jacqueline", "secours": code})
    await visitor.post("/connexion/code", {"code": world.code()})
    world.away = True
    inside = await visitor.follow(await visitor.post(CHOOSE, {"nouveau": NEW, "encore_une_fois": NEW}))
    assert "Chez Jacqueline Morel" in inside.words
    before = len(world.sent)
    await world.jobs.drain()
    assert len(world.sent) == before
    world.now, world.away = world.now + HOUR, False
    await world.jobs.drain()
    assert [(to, subject) for to, subject, _ in world.sent[before:]] == [
        ("jacqueline@perso.example", "Votre mot de passe a changé")
    ]


async def test_of_guesses_that_come_together_one_is_looked_at(world: World) -> None:  # noqa: F811
    code, place = await agreed(world, "jacqueline"), "198.51.100.77"
    guesses = [recovery.new_code() for _ in range(20)]
    answers = await asyncio.gather(*(world.sign_in.recovered("jacqueline", one, place) for one in (*guesses, code)))
    assert [one for one in answers if not isinstance(one, Wrong)] == []
    asked = throttle.subjects(world.web.keys, "jacqueline", place)
    assert await world.db.read(throttle.failures, asked, world.now) == 1


async def test_a_professionals_code_opens_nothing_here(world: World, visitor: Visitor) -> None:  # noqa: F811
    code = await agreed(world, "diallo")
    page = await visitor.post(PAGE, {"identifiant": "diallo", "secours": code})
    assert (page.status, "L'identifiant ou le code de secours est inexact" in page.words) == (422, True)

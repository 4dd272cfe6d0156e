"""The kit over a real socket: sessions, forms, headers, error pages, what is kept when a session ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import Response
from structlog.testing import capture_logs

from foundation.clock import HOUR, MINUTE
from foundation.database import Database, metadata
from foundation.keys import KeyRing
from foundation.web import sessions
from foundation.web.forms import Fault, Form, read_form
from foundation.web.kit import Page, Web
from foundation.web.sessions import Session, Stage
from foundation.web.site import Around, Link, Profile, WebSettings
from foundation.web.tables import web_kept_forms, web_once, web_sessions
from foundation.web.visit import Visit
from tests.support.web import Visitor, serving

CLAIRE, LOUISE, OTHER = 7, 8, 9
FORM = """{% extends "web/layout.html" %}{% block content %}<p>Bonjour ! {{ visit.profile.name if profiles else "" }}</p>
<form method="post">{{ ui.csrf(csrf) }}{{ ui.textarea("texte", "Votre texte", texte, "Écrivez « ici »", errors) }}
{{ ui.files("pieces", "Pièces jointes") }}<button>Envoyer</button></form>{% endblock %}"""


class World:
    def __init__(self, folder: Path) -> None:
        self.now = 1_800_000_000_000
        self.db = Database(f"sqlite:///{folder}/web.db")
        metadata.create_all(self.db.engine, tables=[web_sessions, web_kept_forms, web_once])
        self.keys = KeyRing(bytes(range(32)))
        self.received: list[object] = []
        self.children = {CLAIRE: (CLAIRE, LOUISE), OTHER: (OTHER,)}
        (folder / "form.html").write_text(FORM)
        self.web = Web(
            self.db,
            self.keys,
            WebSettings(https=False),
            {"test": folder},
            (Link("/ecrire", "Écrire"),),
            self.around,
            lambda: self.now,
        )
        table = (
            Page("/ecrire", write, "GET POST", max_octets=200_000, gives_back=True),
            Page("/public", write, "GET POST", public=True),
            Page("/numero/{numero}", number),
            Page("/panne", broken),
        )
        self.app = self.web.app(self.web.routes(table, self))

    def around(self, conn: Connection, session: Session) -> Around:
        names = {CLAIRE: "Claire Morel", LOUISE: "Louise Morel", OTHER: "Autre"}
        return Around(tuple(Profile(b, names[b]) for b in self.children[session.person]), {"/ecrire": 2})

    async def sign_in(
        self, visitor: Visitor, person: int = CLAIRE, stage: Stage = Stage.SIGNED_IN, shared: bool = False
    ) -> Session:
        opened = await self.db.write(sessions.open_session, self.keys, self.now, stage, person, {}, shared)
        visitor.cookies[self.web.cookie] = opened.id
        return opened


async def write(visit: Visit, world: World) -> Response:
    if visit.request.method == "GET":
        kept = await visit.kept_form() if visit.session else {}
        return visit.render("test/form.html", "Écrire", texte=kept.get("texte", ""))
    world.received.append(visit.form)
    if visit.form.too_large:
        fault = Fault("pieces", f"Vos fichiers font {visit.form.too_large} octets.")
        return visit.render("test/form.html", "Écrire", texte=visit.form.get("texte"), errors=[fault])
    if not visit.form.get("texte"):
        return visit.render("test/form.html", "Écrire", texte="", errors=[Fault("texte", "Écrivez votre texte.")])
    return visit.redirect("/ecrire", "envoye")


async def number(visit: Visit, world: World) -> Response:
    visit.number("numero")
    return visit.render("test/form.html", "Numéro", texte="")


async def broken(visit: Visit, world: World) -> Response:
    raise ValueError("Madame Morel, INS 123")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.db.close()


@pytest.fixture
async def visitor(world: World) -> AsyncIterator[Visitor]:
    async with serving(world.app) as origin:
        yield Visitor(origin)


async def test_without_a_session_the_reader_is_sent_to_sign_in_and_back(visitor: Visitor) -> None:
    answer = await visitor.get("/ecrire")
    assert (answer.status, answer.location) == (303, "/connexion?suite=/ecrire")


async def test_the_code_step_opens_no_page(world: World, visitor: Visitor) -> None:
    await world.sign_in(visitor, stage=Stage.CODE)
    assert (await visitor.get("/ecrire")).status == 303
    assert (await visitor.get("/public")).status == 200


async def test_a_page_shows_the_profile_and_french_typography(world: World, visitor: Visitor) -> None:
    await world.sign_in(visitor)
    answer = await visitor.get("/ecrire")
    assert answer.status == 200
    assert "Profil\u00a0: <strong>Claire Morel</strong>" in answer.text
    assert "Bonjour\u00a0!" in answer.text
    assert "Écrivez «\u00a0ici\u00a0»" in answer.text
    assert "Passer à Louise Morel" in answer.text
    assert 'lang="fr"' in answer.text


async def test_headers_of_every_answer(world: World, visitor: Visitor) -> None:
    await world.sign_in(visitor)
    for path in ("/ecrire", "/nulle-part", "/panne"):
        headers = (await visitor.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(("shared", "idle"), [(False, 20), (True, 5)])
async def test_a_session_ends_when_nothing_happens(world: World, visitor: Visitor, shared: bool, idle: int) -> None:
    await world.sign_in(visitor, shared=shared)
    world.now += idle * MINUTE - 1
    assert (await visitor.get("/ecrire")).status == 200
    world.now += idle * MINUTE - 1
    assert (await visitor.get("/ecrire")).status == 200
    world.now += idle * MINUTE
    assert (await visitor.get("/ecrire")).location.endswith("&fin=1")


async def test_a_session_ends_after_twelve_hours_whatever_happens(world: World, visitor: Visitor) -> None:
    await world.sign_in(visitor)
    for _ in range(48):
        assert (await visitor.get("/ecrire")).status == 200
        world.now += 15 * MINUTE
    assert (await visitor.get("/ecrire")).status == 303


async def test_the_database_holds_no_session_id(world: World, visitor: Visitor, tmp_path: Path) -> None:
    opened = await world.sign_in(visitor)
    await visitor.post("/ecrire", {"texte": "bonjour"})
    raw = b"".join(p.read_bytes() for p in tmp_path.glob("web.db*") if p.is_file())
    assert opened.id.encode() not in raw


async def test_a_form_needs_the_token(world: World, visitor: Visitor) -> None:
    await world.sign_in(visitor)
    for token in ("", "0" * 32):
        assert (await visitor.post("/ecrire", {"texte": "x"}, token=token)).status == 403
    assert world.received == []
    good = await visitor.post("/ecrire", {"texte": "x"})
    assert (good.status, good.location) == (303, "/ecrire?fait=envoye")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://mechant.example"},
        {"origin": "null"},
        {"origin": "http://["},  # no address: refused too, and no fault of ours
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
async def test_a_form_of_another_site_is_refused(world: World, visitor: Visitor, headers: dict[str, str]) -> None:
    await world.sign_in(visitor)
    token = await visitor.token("/ecrire")
    assert (await visitor.post("/ecrire", {"texte": "x"}, token=token, **headers)).status == 403
    assert world.received == []


async def test_behind_a_proxy_that_hides_the_host_the_origin_that_is_set_is_ours(
    world: World, visitor: Visitor
) -> None:
    """nginx passes its own name of us unless it is told otherwise: all forms would be another site's."""
    ours = "https://messagerie.exemple.example"
    world.web.settings = replace(world.web.settings, origin=ours)
    await world.sign_in(visitor)
    for origin, status in ((ours, 303), ("https://mechant.example", 403), ("http://messagerie.exemple.example", 403)):
        token = await visitor.token("/ecrire")
        assert (await visitor.post("/ecrire", {"texte": "x"}, token=token, origin=origin)).status == status


async def test_a_token_is_bound_to_the_profile(world: World, visitor: Visitor) -> None:
    opened = await world.sign_in(visitor)
    token = await visitor.token("/ecrire")
    await world.db.write(sessions.save, world.keys, replace(opened, profile=LOUISE))
    answer = await visitor.post("/ecrire", {"texte": "pour Claire"}, token=token)
    assert answer.status == 403
    assert "Rien n'a été envoyé" in answer.words


async def test_a_profile_whose_right_was_withdrawn_is_left_at_once(world: World, visitor: Visitor) -> None:
    opened = await world.sign_in(visitor)
    await world.db.write(sessions.save, world.keys, replace(opened, profile=LOUISE))
    assert "Profil : Louise" in (await visitor.get("/ecrire")).words
    world.children[CLAIRE] = (CLAIRE,)
    assert "Profil : Claire" in (await visitor.get("/ecrire")).words


async def test_errors_are_told_first_and_values_kept(world: World, visitor: Visitor) -> None:
    await world.sign_in(visitor)
    answer = await visitor.post("/ecrire", {"texte": "   "})
    assert answer.status == 422
    assert answer.title().startswith("Erreur : ")
    summary = answer.first(".errors a")
    assert summary.attributes["href"] == "#texte"
    area = answer.first("#texte")
    assert area.attributes["aria-describedby"] == "texte-aide texte-erreur"
    assert area.attributes["aria-invalid"] == "true"


async def test_files_come_whole_and_without_path(world: World, visitor: Visitor) -> None:
    await world.sign_in(visitor)
    content = bytes(range(256)) * 300
    files = [
        ("pieces", "C:\\Users\\moi\\scan.pdf", "application/pdf", content),
        ("pieces", "", "application/octet-stream", b""),
    ]
    assert (await visitor.upload("/ecrire", {"texte": "voici"}, files)).status == 303
    form = world.received[0]
    assert [(u.name, u.content == content) for u in form.uploads("pieces")] == [("scan.pdf", True)]  # type: ignore[attr-defined]


async def test_too_large_keeps_the_text_and_says_both_figures(world: World, visitor: Visitor) -> None:
    await world.sign_in(visitor)
    answer = await visitor.upload(
        "/ecrire", {"texte": "gardé"}, [("pieces", "a.pdf", "application/pdf", b"x" * 300_000)]
    )
    assert answer.status == 422
    assert "gardé" in answer.text


async def test_a_broken_form_is_refused_with_a_page(world: World, visitor: Visitor) -> None:
    await world.sign_in(visitor)
    token = await visitor.token("/ecrire")
    for kind in ("multipart/form-data; boundary=zz", "application/json"):
        answer = await visitor.post("/ecrire", {"texte": "x"}, token=token, content_type=kind)
        assert answer.status == 400
        assert "Rien n'a été envoyé" in answer.words


async def test_what_was_typed_too_late_is_given_back(world: World, visitor: Visitor, tmp_path: Path) -> None:
    await world.sign_in(visitor)
    token = await visitor.token("/ecrire")
    world.now += HOUR
    typed = "Mon long message\nsur deux lignes"
    answer = await visitor.post("/ecrire", {"texte": typed}, token=token)
    assert answer.location == "/connexion?suite=/ecrire&garde=1"
    assert world.received == []
    raw = b"".join(p.read_bytes() for p in tmp_path.glob("web.db*") if p.is_file())
    assert b"long message" not in raw
    world.now += 23 * HOUR
    await world.sign_in(visitor)
    assert typed in (await visitor.get("/ecrire")).text
    stranger = Visitor(visitor.origin)
    await world.sign_in(stranger, OTHER)
    assert "long message" not in (await stranger.get("/ecrire")).text
    assert (await visitor.post("/ecrire", {"texte": typed})).status == 303
    assert "long message" not in (await visitor.get("/ecrire")).text  # sent: nothing is left


async def test_a_forged_form_is_not_kept(world: World, visitor: Visitor) -> None:
    await world.sign_in(visitor)
    world.now += HOUR
    answer = await visitor.post("/ecrire", {"texte": "piège"}, token="0" * 32)
    assert answer.location == "/connexion?suite=/ecrire&fin=1"
    assert await world.db.read(lambda conn: conn.execute(select(web_kept_forms)).all()) == []


async def test_public_form_before_any_session(world: World, visitor: Visitor) -> None:
    assert (await visitor.post("/public", {"texte": "x"})).status == 303
    assert (await Visitor(visitor.origin).post("/public", {"texte": "x"}, token="")).status == 403


@pytest.mark.parametrize("path", ["/nulle-part", "/numero/abc", "/numero/99999999999999999999", "/numero/²"])
async def test_what_does_not_exist(world: World, visitor: Visitor, path: str) -> None:
    await world.sign_in(visitor)
    answer = await visitor.get(path.replace("²", "%C2%B2"))
    assert answer.status == 404
    assert "Page introuvable" in answer.title()


async def test_a_fault_gives_a_reference_and_leaks_nothing(
    world: World, visitor: Visitor, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.sign_in(visitor)
    answer = await visitor.get("/panne")
    assert answer.status == 500
    reference = answer.first(".code")
    log = "".join(capsys.readouterr())
    assert reference.text() in log
    assert "Morel" not in log
    assert "Morel, INS" not in answer.text


async def test_static_files_are_small_and_kept(world: World, visitor: Visitor) -> None:
    css = await visitor.get(world.web.static.address("kit.css"), accept_encoding="gzip")
    assert css.headers["content-encoding"] == "gzip"
    assert len(css.body) < 15_000
    assert "immutable" in css.headers["cache-control"]
    assert (await visitor.get(world.web.static.address("../kit.py"))).status == 404


@pytest.mark.parametrize("given", ["", "01 23 45 67 89, du lundi au vendredi : de 9 h à 17 h"])
async def test_the_error_page_says_how_to_reach_the_help(tmp_path: Path, world: World, given: str) -> None:
    web = Web(world.db, world.keys, WebSettings(https=False, help=given), {"test": tmp_path}, (), world.around)
    async with serving(web.app(())) as origin:
        answer = await Visitor(origin).get("/nulle-part")
    assert answer.status == 404
    assert (f"Joindre l'aide : {given}" in answer.words) is bool(given)
    assert ("Joindre l'aide" in answer.words) is bool(given)


async def test_https_cookie_is_host_bound(tmp_path: Path, world: World) -> None:
    web = Web(world.db, world.keys, WebSettings(), {"test": tmp_path}, (), world.around)
    async with serving(web.app(web.routes((Page("/public", write, public=True),), world))) as origin:
        answer = await Visitor(origin).get("/public")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-session=")
    for word in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert word in cookie
    assert "Domain" not in cookie
    assert "max-age=31536000" in answer.headers["strict-transport-security"]


async def test_what_is_past_its_time_is_swept(world: World, visitor: Visitor) -> None:
    await world.sign_in(visitor)
    token = await visitor.token("/ecrire")
    world.now += HOUR
    await visitor.post("/ecrire", {"texte": "tard"}, token=token)
    world.now += 27 * HOUR
    await world.db.write(sessions.sweep, world.now)
    for table in (web_sessions, web_kept_forms, web_once):
        assert await world.db.read(lambda conn, table=table: conn.execute(select(table)).all()) == []


async def test_a_stranger_sends_no_more_than_text_however_large_the_page_takes(
    world: World, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Form bodies lie in memory: megabytes of files are read for people we know only."""
    limits: list[int] = []

    async def read(request: Request, limit: int) -> Form:
        limits.append(limit)
        return await read_form(request, limit)

    monkeypatch.setattr("foundation.web.kit.read_form", read)
    monkeypatch.setattr("foundation.web.kit.MAX_TEXT", 50_000)  # this page takes 200,000
    file = [("pieces", "a.txt", "text/plain", b"x" * 100_000)]
    stranger = await visitor.upload("/ecrire", {"texte": "bonjour"}, file, token="forged")
    assert stranger.status in (303, 403)
    assert world.received == []
    await world.sign_in(visitor)
    assert (await visitor.upload("/ecrire", {"texte": "bonjour"}, file)).location == "/ecrire?fait=envoye"
    assert limits == [50_000, 200_000]


async def test_who_leaves_in_the_middle_of_a_form_fills_no_log(world: World, visitor: Visitor) -> None:
    await world.sign_in(visitor)
    host, port = visitor.host.split(":")
    head = (
        f"POST /ecrire HTTP/1.1\r\nHost: {visitor.host}\r\nOrigin: {visitor.origin}\r\nContent-Length: 1000\r\n"
        f"Cookie: {world.web.cookie}={visitor.cookies[world.web.cookie]}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\ntexte=bon"
    )
    with capture_logs() as said:
        for _ in range(3):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(head.encode())
            await writer.drain()
            await asyncio.sleep(0.1)
            writer.close()
            await writer.wait_closed()
        assert (await visitor.get("/ecrire")).status == 200
    assert said == []
    assert world.received == []

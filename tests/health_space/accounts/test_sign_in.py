"""Signing in over a real socket: both steps, every refusal, the waits, the profile switch, signing out."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest
from starlette.responses import Response

from foundation.clock import HOUR, MINUTE, SECOND
from foundation.database import Database, Transaction, metadata
from foundation.jobs import Jobs
from foundation.keys import KeyRing
from foundation.web.kit import Page, Web
from foundation.web.site import WebSettings
from foundation.web.visit import Visit
from health_space.accounts import chrome, password_mail
from health_space.accounts.app import routes
from health_space.accounts.by_password import PageSignIn, citizens
from health_space.accounts.deps import Deps
from health_space.accounts.password_mail import PasswordMail
from health_space.accounts.sign_in import SUBJECT
from health_space.notices import rules as notices
from health_space.profiles.operations import Kind, add_guardian
from mailserver.outbound.mail_out import NotSent
from mssante import one_time
from mssante.credentials import Credentials, NewCredential
from mssante.identity import demo_ins
from mssante.kinds import BoxKind, ProfileState
from mssante.mailbox import Holder, NewMailbox
from mssante.mailboxes import Mailboxes
from mssante.passwords import hash_password
from tests.support.web import Answer, Visitor, serving

PEOPLE = (
    ("jacqueline", "Jacqueline Morel", "jacqueline@perso.example"),
    ("claire", "Claire Petit", ""),
    ("louise", "Louise Petit", ""),
    ("paul", "Paul", ""),
)
PASSWORD = "cheval correct"
PASSWORD_HASH = hash_password(PASSWORD, None)
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ACTIVATED = ProfileState.ACTIVATED


class World:
    """Real mailboxes, credentials and one-time codes; the outbox is a list."""

    def __init__(self, folder: Path) -> None:
        self.now, self.away = 1_800_000_000_000, False
        self.sent: list[tuple[str, str, str]] = []
        self.db = Database(f"sqlite:///{folder}/accounts.db")
        metadata.create_all(self.db.engine)
        keys = KeyRing(bytes(range(32)))
        mailboxes = Mailboxes(keys)
        credentials = Credentials(self.db, keys, mailboxes)
        self.credentials = credentials
        self.db.write_now(self._people, keys, mailboxes, credentials)
        self.web = Web(
            self.db,
            keys,
            WebSettings(https=False),
            {"accounts": chrome.TEMPLATES},
            chrome.NAV,
            chrome.around(lambda conn, box: self.names[box], {}),
            lambda: self.now,
        )
        self.jobs = Jobs(self.db, keys, lambda: self.now)
        self.jobs.handle(password_mail.KIND, PasswordMail(self.db, credentials, mailboxes, self.send))
        renewed = password_mail.promised(self.jobs, lambda tx, credential, number: None)
        self.sign_in = PageSignIn(self.db, keys, mailboxes, credentials, citizens, lambda: self.now, renewed=renewed)
        table = (Page("/accueil", home), Page("/messagerie/12", home, "GET POST", gives_back=True))
        self.app = self.web.app([*routes(Deps(self.web, self.sign_in, self.send)), *self.web.routes(table, self)])

    def _people(self, tx: Transaction, keys: KeyRing, mailboxes: Mailboxes, credentials: Credentials) -> None:
        self.names, self.boxes = {}, {}
        for serial, (login, name, email) in enumerate(PEOPLE):
            new = NewMailbox(
                f"{demo_ins(serial).value}@patient.example",
                BoxKind.CIT,
                Holder(name, private_email=email),
                ACTIVATED,
            )
            box = mailboxes.create(tx, new, self.now).id
            self.names[box], self.boxes[login] = name, box
            credential = credentials.add(tx, NewCredential(box, login, name, PASSWORD_HASH), self.now)
            if login == "claire":
                one_time.enrol_totp(tx, keys, credential, TOTP_SECRET)
        doctor = mailboxes.create(tx, NewMailbox("diallo@medecins.example", BoxKind.PER, Holder("Dr Diallo")), self.now)
        credentials.add(tx, NewCredential(doctor.id, "diallo", "Dr Diallo", PASSWORD_HASH), self.now)
        add_guardian(tx, self.boxes["claire"], self.boxes["louise"], Kind.PARENT, self.now)

    async def send(self, to: str, subject: str, text: str) -> None:
        if self.away:
            raise NotSent("the relay is away")
        self.sent.append((to, subject, text))

    def totp(self) -> str:
        return pyotp.TOTP(TOTP_SECRET).at(self.now // 1000)

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


async def enter(visitor: Visitor, login: str = "jacqueline", password: str = PASSWORD, **more: str) -> Answer:
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
    assert "prévenez l’aide" in text
    assert "changez" not in text  # there is no page for it
    spaced = world.code()[:3] + " " + world.code()[3:]
    inside = await visitor.post("/connexion/code", {"code": spaced})
    assert inside.location == "/accueil"
    assert visitor.cookies != before  # a new id at each step
    assert "Chez Jacqueline Morel" in (await visitor.follow(inside)).words


@pytest.mark.parametrize("given", ["", "01 23 45 67 89, du lundi au vendredi"])
async def test_the_help_page_says_how_to_reach_the_help(world: World, given: str) -> None:
    world.web.env.globals["help"] = given
    async with serving(world.app) as origin:
        page = await Visitor(origin).get("/aide")
    assert page.status == 200
    assert (f"Joindre l'aide {given}" in page.words) is bool(given)
    assert ("Joindre l'aide" in page.words) is bool(given)


async def test_the_password_alone_opens_nothing(world: World, visitor: Visitor) -> None:
    await enter(visitor)
    assert (await visitor.get("/accueil")).location.startswith("/connexion")


@pytest.mark.parametrize(("login", "password"), [("jacqueline", "faux"), ("inconnue", PASSWORD), ("diallo", PASSWORD)])
async def test_one_neutral_sentence(world: World, visitor: Visitor, login: str, password: str) -> None:
    answer = await enter(visitor, login, password)
    assert answer.status == 422
    assert answer.title().startswith("Erreur : ")
    assert "L'identifiant ou le mot de passe est inexact." in answer.words
    assert f'value="{login}"' in answer.text
    assert password not in answer.text
    assert world.sent == []


async def test_the_wait_is_told(world: World, visitor: Visitor) -> None:
    for n in range(30):
        world.now += 4 * SECOND
        answer = await enter(visitor, password=f"faux {n}")
        if "Attendez" in answer.words:
            break
    assert "Attendez" in answer.words
    world.now += HOUR
    assert (await enter(visitor)).location == "/connexion/code"


async def test_empty_fields_are_named(visitor: Visitor) -> None:
    words = (await enter(visitor, "", "")).words
    assert "Écrivez votre identifiant." in words
    assert "Écrivez votre mot de passe." in words


async def test_an_application_code(world: World, visitor: Visitor) -> None:
    page = await visitor.follow(await enter(visitor, "claire"))
    assert "Ouvrez votre application de codes" in page.words
    assert world.sent == []
    assert (await visitor.post("/connexion/code", {"code": "000000"})).status == 422
    assert (await visitor.post("/connexion/code", {"code": world.totp()})).location == "/accueil"


async def test_nobody_to_send_a_code_to(world: World, visitor: Visitor) -> None:
    page = await visitor.follow(await enter(visitor, "paul"))
    assert "Nous ne pouvons pas vous envoyer de code" in page.words


async def test_a_code_dies_after_ten_minutes(world: World, visitor: Visitor) -> None:
    await enter(visitor)
    world.now += 10 * MINUTE
    answer = await visitor.post("/connexion/code", {"code": world.code()})
    assert "Ce code n'est plus valable" in answer.words


async def test_wrong_codes_slow_down_and_destroy_the_code(world: World, visitor: Visitor) -> None:
    await enter(visitor)
    good = world.code()
    bad = "000000" if good != "000000" else "111111"
    for _ in range(5):
        assert "Ce code est inexact" in (await visitor.post("/connexion/code", {"code": bad})).words
        world.now += MINUTE
    assert (await visitor.post("/connexion/code", {"code": good})).status == 422
    world.now += MINUTE
    await visitor.post("/connexion/code", {"encore": "1"})
    assert (await visitor.post("/connexion/code", {"code": world.code()})).location == "/accueil"


async def test_a_code_is_good_once(world: World, visitor: Visitor) -> None:
    await enter(visitor)
    await visitor.post("/connexion/code", {"code": world.code()})
    other = Visitor(visitor.origin)
    await enter(other, "claire")
    code = world.totp()
    assert (await other.post("/connexion/code", {"code": code})).location == "/accueil"
    third = Visitor(visitor.origin)
    await enter(third, "claire")
    assert (await third.post("/connexion/code", {"code": code})).status == 422


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
    await visitor.post("/connexion/code", {"code": world.totp()})
    await visitor.post("/profil", {"profil": str(world.boxes["louise"])}, token=await visitor.token("/accueil"))
    token = await visitor.token("/messagerie/12")
    world.now += HOUR
    late = await visitor.post("/messagerie/12", {"texte": "Bonjour docteur"}, token=token)
    page = await visitor.follow(late)
    assert "Votre texte est gardé" in page.words
    await enter(visitor, "claire", suite="/messagerie/12")
    back = await visitor.follow(await visitor.post("/connexion/code", {"code": world.totp()}))
    assert "Chez Louise Petit Bonjour docteur" in back.words


async def test_switching_the_profile_is_one_click(world: World, visitor: Visitor) -> None:
    await enter(visitor, "claire")
    await visitor.post("/connexion/code", {"code": world.totp()})
    assert "Passer à Louise Petit" in (await visitor.get("/accueil")).words
    switched = await visitor.post(
        "/profil", {"profil": str(world.boxes["louise"])}, token=await visitor.token("/accueil")
    )
    assert "Profil : Louise Petit" in (await visitor.follow(switched)).words
    for other in (str(world.boxes["jacqueline"]), "x", ""):
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


async def test_personal_data_names_each_e_mail_that_we_send(visitor: Visitor) -> None:
    words = (await visitor.get("/donnees-personnelles")).words
    subjects = [
        notices.mail(kind, notices.Addressee("a@b.example", own=True, activated=True)).subject for kind in notices.Kind
    ]
    for subject in (*subjects, SUBJECT):
        assert f"« {subject} »" in words


@pytest.mark.parametrize("path", ["/connexion", "/aide", "/accessibilite", "/donnees-personnelles"])
async def test_pages_readable_without_an_account(visitor: Visitor, path: str) -> None:
    answer = await visitor.get(path)
    assert answer.status == 200
    assert "15 ou le 112" in answer.words

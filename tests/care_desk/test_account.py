"""« Mon compte »: signing in with a second factor, application passwords made and taken away, and the neighbour's left alone."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from foundation.clock import HOUR, MINUTE
from foundation.tables import audit
from mssante import app_passwords
from mssante.credentials import IMAP, SUBMISSION, WEB, SignedIn, WrongPassword
from tests.care_desk.office import ACCOUNT, APPLICATION, PASSWORD, SIGN_IN, Office
from tests.support.web import Visitor


async def opens(office: Office, password: str, scope: str, login: str = "camille") -> Any:
    office.now += MINUTE  # no wait of an earlier try
    return await office.credentials.check(login, password, office.now, "198.51.100.9", scope)


# ---------------------------------------------------------------- signing in
async def test_nothing_is_shown_before_both_steps(office: Office, origin: str) -> None:
    visitor = Visitor(origin)
    assert (await visitor.get(ACCOUNT)).location.startswith(SIGN_IN)
    await office.password_step(visitor, "camille")
    assert (await visitor.get(ACCOUNT)).location.startswith(SIGN_IN)
    assert (await visitor.post(f"{SIGN_IN}/code", {"code": "000000"})).status == 422
    assert (await visitor.get(ACCOUNT)).location.startswith(SIGN_IN)


@pytest.mark.parametrize("login", ["camille", "antoine", "nadia"])
async def test_each_signs_in_by_their_second_factor(office: Office, origin: str, login: str) -> None:
    visitor = Visitor(origin)
    inside = await office.enter(visitor, login)
    assert inside.location == ACCOUNT + ("?fait=application" if login == "nadia" else "")  # hers is new
    page = await visitor.follow(inside)
    assert f"{login.title()} Exemple" in page.words
    assert ("Votre application de codes est enregistrée." in page.words) is (login == "nadia")
    assert [to for to, *_ in office.sent] == (["a@b.example"] if login == "antoine" else [])  # never a team's address


async def test_the_page_asked_for_tells_it_too(office: Office, origin: str) -> None:
    """Who came for another page lands there, and sees what has just been done."""
    nadia, settings = Visitor(origin), "/boites-partagees"
    await nadia.post(SIGN_IN, {"identifiant": "nadia", "mot_de_passe": PASSWORD, "suite": settings})
    inside = await office.enrol(nadia)
    assert inside.location == f"{settings}?fait=application"
    assert "Votre application de codes est enregistrée." in (await nadia.follow(inside)).words


async def test_whom_to_call_stands_in_the_professionals_frame(office: Office, origin: str) -> None:
    """Before and after signing in, from the foot of each page; the operator is named, and what they never ask for."""
    stranger, camille = Visitor(origin), Visitor(origin)
    await office.enter(camille)
    for visitor, page in ((stranger, SIGN_IN), (camille, ACCOUNT)):
        foot = [a.attributes["href"] or "" for a in (await visitor.get(page)).tree.css("footer a")]
        assert foot == [f"{ACCOUNT}/aide", f"{ACCOUNT}/accessibilite", f"{ACCOUNT}/donnees-personnelles"]
        for path in foot:
            answer = await visitor.get(path)
            assert answer.status == 200
            assert "Messagerie des professionnels" in answer.words
        words = (await visitor.get(foot[0])).words
        assert "Opérateur Alpha" in words
        assert "Ce qu'il ne vous demande jamais" in words
        assert "ordonnance" not in words


@pytest.mark.parametrize("given", ["", "01 23 45 67 89, du lundi au vendredi"])
async def test_the_operators_number_is_shown_when_it_is_known(office: Office, origin: str, given: str) -> None:
    office.web.env.globals["help"] = given
    words = (await Visitor(origin).get(f"{ACCOUNT}/aide")).words
    assert (given or "Appelez la personne qui vous a donné votre identifiant.") in words
    assert ("Appelez la personne" in words) is not bool(given)


async def test_a_citizen_is_answered_like_a_stranger(office: Office, origin: str) -> None:
    answers = [await office.password_step(Visitor(origin), login) for login in ("jacqueline", "inconnue")]
    assert [answer.status for answer in answers] == [422, 422]
    assert answers[0].words.replace("jacqueline", "") == answers[1].words.replace("inconnue", "")


async def test_a_session_of_the_citizens_pages_is_none_here(office: Office, camille: Visitor) -> None:
    assert list(camille.cookies) == ["session-pro"]
    stranger = Visitor(camille.origin)
    stranger.cookies["session-pro"] = camille.cookies["session-pro"].removeprefix("pro.")
    assert (await stranger.get(ACCOUNT)).location.startswith(SIGN_IN)
    stranger.cookies["session"] = camille.cookies["session-pro"]
    assert (await stranger.get(ACCOUNT)).location.startswith(SIGN_IN)


async def test_a_revoked_credential_is_out_at_once(office: Office, camille: Visitor) -> None:
    await office.db.write(office.credentials.revoke, office.ids["camille"])
    assert (await camille.get(ACCOUNT)).location.startswith(SIGN_IN)


# ---------------------------------------------------------------- an application that makes codes
async def test_who_has_a_factor_cannot_add_one_with_the_password_alone(office: Office, origin: str) -> None:
    for login in ("camille", "antoine"):
        visitor = Visitor(origin)
        await office.password_step(visitor, login)
        assert (await visitor.get(APPLICATION)).location == SIGN_IN


async def test_a_first_step_of_before_adds_none_afterwards(office: Office, origin: str) -> None:
    """Somebody who knows the password waits on the page while its owner enrols."""
    thief, nadia = Visitor(origin), Visitor(origin)
    await office.password_step(thief, "nadia")
    await thief.get(APPLICATION)
    assert (await office.enter(nadia, "nadia")).location == f"{ACCOUNT}?fait=application"
    assert (await office.enrol(thief)).status == 422
    assert (await thief.get(ACCOUNT)).location.startswith(SIGN_IN)


async def test_replacing_the_application(office: Office, camille: Visitor) -> None:
    assert (await camille.post(APPLICATION, {"code": "000000"})).status == 422
    office.now += MINUTE
    answer = await office.enrol(camille)
    assert answer.location == f"{ACCOUNT}?fait=application"
    assert "Votre application de codes est enregistrée." in (await camille.follow(answer)).words
    again = Visitor(camille.origin)
    await office.password_step(again, "camille")
    assert (await again.post(f"{SIGN_IN}/code", {"code": office.totp()})).status == 422  # of the old one
    office.now += MINUTE
    assert (await again.post(f"{SIGN_IN}/code", {"code": office.totp(office.secret)})).status == 303


# ---------------------------------------------------------------- application passwords
async def test_created_used_shown_and_removed(office: Office, camille: Visitor) -> None:
    secret = await office.create(camille, " Thunderbird   du cabinet ")
    assert secret not in (await camille.get(ACCOUNT)).text  # shown once
    assert "Jamais utilisé" in (await camille.get(ACCOUNT)).words
    assert isinstance(await opens(office, secret, IMAP), SignedIn)
    assert isinstance(await opens(office, secret, SUBMISSION), SignedIn)
    page = await camille.get(ACCOUNT)
    assert "Thunderbird du cabinet Pour lire les messages et envoyer des messages" in page.words
    assert "Utilisé le" in page.words
    assert "Identifiant camille" in page.words
    assert "n'avez qu'une" not in page.words  # where there are no passkeys, what could be added?
    change = (await camille.get(APPLICATION)).words
    assert "La nouvelle application remplace l'ancienne" in change
    assert "n'acceptent plus votre mot de passe habituel" not in change  # they do not any more already
    [remove] = [a.attributes["href"] or "" for a in page.tree.css("a[href$=supprimer]")]
    assert "ne pourra plus ouvrir votre messagerie" in (await camille.get(remove)).words
    gone = await camille.post(remove, {})
    assert "Il n'ouvre plus rien." in (await camille.follow(gone)).words
    await asyncio.sleep(0)
    assert isinstance(await opens(office, secret, IMAP), WrongPassword)
    assert (await camille.post(remove, {}, token=await camille.token(ACCOUNT))).status == 404


@pytest.mark.parametrize(("use", "other"), [(IMAP, SUBMISSION), (SUBMISSION, IMAP)])
async def test_only_what_was_ticked(office: Office, camille: Visitor, use: str, other: str) -> None:
    secret = await office.create(camille, **{use: "oui"})
    assert isinstance(await opens(office, secret, use), SignedIn)
    for shut in (other, WEB):
        assert isinstance(await opens(office, secret, shut), WrongPassword)


async def test_the_own_password_is_for_the_pages_only(office: Office, origin: str) -> None:
    assert isinstance(await opens(office, PASSWORD, IMAP, "antoine"), SignedIn)
    visitor = Visitor(origin)
    await office.enter(visitor, "antoine")
    await office.create(visitor)
    await asyncio.sleep(0)
    assert isinstance(await opens(office, PASSWORD, IMAP, "antoine"), WrongPassword)
    assert isinstance(await opens(office, PASSWORD, WEB, "antoine"), SignedIn)


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ({"nom": " ", "imap": "oui"}, "Écrivez le nom du logiciel ou de l'appareil."),
        ({"nom": "x" * 61, "imap": "oui"}, "Écrivez au plus 60 caractères."),
        ({"nom": "Poste 2"}, "Cochez au moins un usage."),
    ],
)
async def test_faults_keep_what_was_typed(camille: Visitor, form: dict[str, str], fault: str) -> None:
    page = await camille.post(ACCOUNT, form)
    assert page.status == 422
    assert page.title().startswith("Erreur :")
    assert fault in page.words
    typed = page.first("input#nom")
    assert typed.attributes["value"] == form["nom"].strip()


async def test_the_neighbours_password_does_not_exist(office: Office, origin: str, camille: Visitor) -> None:
    secret = await office.create(camille, "Poste de Camille")
    [mine] = await office.db.read(app_passwords.of, office.keys, office.ids["camille"])
    antoine = Visitor(origin)
    await office.enter(antoine, "antoine")
    path = f"{ACCOUNT}/mots-de-passe/{mine.id}/supprimer"
    assert (await antoine.get(path)).status == 404
    assert (await antoine.post(path, {}, token=await antoine.token(ACCOUNT))).status == 404
    assert "Poste de Camille" not in (await antoine.get(ACCOUNT)).words
    assert isinstance(await opens(office, secret, IMAP), SignedIn)
    assert isinstance(await opens(office, secret, IMAP, "antoine"), WrongPassword)


async def test_a_foreign_form_does_nothing(office: Office, camille: Visitor) -> None:
    form = {"nom": "Poste", "imap": "oui"}
    for headers in ({"origin": "https://ailleurs.example"}, {"sec_fetch_site": "cross-site"}):
        assert (await camille.post(ACCOUNT, form, **headers)).status == 403
    assert (await camille.post(ACCOUNT, form, token="x")).status == 403
    assert await office.db.read(app_passwords.of, office.keys, office.ids["camille"]) == []


async def test_a_bounded_number(office: Office, camille: Visitor) -> None:
    for serial in range(app_passwords.MOST):
        await office.create(camille, f"Poste {serial}")
    full = await camille.post(ACCOUNT, {"nom": "Un de trop", "imap": "oui"})
    assert full.status == 422
    assert "Vous avez déjà 20 mots de passe." in full.words


async def test_acts_are_in_the_audit_trail_and_secrets_in_no_log(office: Office, camille: Visitor) -> None:
    with capture_logs() as logs:
        secret = await office.create(camille, "Téléphone de Camille")
        [app] = await office.db.read(app_passwords.of, office.keys, office.ids["camille"])
        await camille.post(f"{ACCOUNT}/mots-de-passe/{app.id}/supprimer", {})
    rows = await office.db.read(lambda conn: list(conn.execute(select(audit))))
    assert [(row.event, row.actor) for row in rows] == [
        ("account:app-password:create", f"credential {office.ids['camille']}"),
        ("account:app-password:remove", f"credential {office.ids['camille']}"),
    ]
    for text in (str(rows), str(logs)):
        assert secret not in text
        assert "Camille" not in text


async def test_the_session_ends_by_itself(office: Office, camille: Visitor) -> None:
    assert (await camille.get("/mon-compte/session")).status == 204
    office.now += HOUR
    assert "fin=1" in (await camille.get(ACCOUNT)).location
    assert (await camille.get("/mon-compte/session")).status == 303


async def test_the_settings_page_leads_here(camille: Visitor) -> None:
    page = await camille.get("/regler-ma-messagerie")
    assert any(a.attributes.get("href") == ACCOUNT for a in page.tree.css("main a"))
    assert re.search("aria-current=.page", page.text)

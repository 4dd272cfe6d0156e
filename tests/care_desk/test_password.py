"""« Changer de mot de passe »: the old one and a second factor, then only the new one opens, and other browsers are out."""

from __future__ import annotations

import hmac
import re
from hashlib import pbkdf2_hmac, sha256

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from foundation.clock import MINUTE
from foundation.tables import audit
from foundation.web.tables import web_kept_forms, web_sessions
from mssante.ceremonies import RelyingParty
from mssante.credentials import IMAP, WEB, Credentials, Proven, SignedIn
from mssante.scram import Proof
from tests.care_desk.office import ACCOUNT, PASSWORD, SIGN_IN, Office
from tests.support.authenticator import Device
from tests.support.web import Answer, Visitor

PAGE = f"{ACCOUNT}/mot-de-passe"
NEW = "girafe tiède sous parasol"
PLACE = "http://localhost:8443"  # what a device says it saw


@pytest.fixture
def party() -> RelyingParty:
    return RelyingParty("localhost", "Opérateur Alpha", PLACE)


async def change(visitor: Visitor, code: str, old: str = PASSWORD, new: str = NEW, again: str = "") -> Answer:
    form = {"ancien": old, "nouveau": new, "encore_une_fois": again or new, "code": code}
    return await visitor.post(PAGE, form)


async def opens(office: Office, password: str, scope: str = WEB, login: str = "camille") -> bool:
    office.now += MINUTE
    return isinstance(await office.credentials.check(login, password, office.now, "198.51.100.9", scope), SignedIn)


async def test_changed(office: Office, origin: str, camille: Visitor) -> None:
    other, antoine = Visitor(origin), Visitor(origin)
    await office.enter(other)
    await office.enter(antoine, "antoine")
    waiting = Visitor(origin)
    await office.password_step(waiting, "camille")
    done = await change(camille, office.totp())
    assert done.location == f"{ACCOUNT}?fait=mot-de-passe"
    assert "Les autres navigateurs sont déconnectés." in (await camille.follow(done)).words
    assert (await other.get(ACCOUNT)).location.startswith(SIGN_IN)
    assert (
        await waiting.post(f"{SIGN_IN}/code", {"code": "000000"}, token="x")
    ).status == 403  # its first step is gone
    assert (await antoine.get(ACCOUNT)).status == 200
    assert not await opens(office, PASSWORD)
    assert await opens(office, NEW)
    assert office.told == [(office.ids["camille"], "password")]


async def test_what_is_typed_after_the_sessions_end_is_kept_nowhere(office: Office, camille: Visitor) -> None:
    """Passwords that nobody would give back."""
    token = await camille.token(PAGE)
    office.now += 21 * MINUTE
    sent = await camille.post(PAGE, {"ancien": PASSWORD, "nouveau": NEW, "encore_une_fois": NEW}, token)
    assert sent.location == f"{SIGN_IN}?suite={PAGE}&fin=1"
    assert await office.db.read(lambda conn: conn.execute(select(web_kept_forms)).all()) == []


async def test_another_persons_session_of_the_same_number_stays(office: Office, camille: Visitor) -> None:
    """In the citizens' realm the number of a person is a mailbox's."""
    row = {"id_hash": b"x", "stage": 2, "person": office.ids["camille"], "profile": 1, "shared_computer": 0}
    times = {"created_at": office.now, "seen_at": office.now, "sealed": b""}
    await office.db.write(lambda tx: tx.execute(web_sessions.insert(), {**row, **times, "realm": ""}))
    await change(camille, office.totp())
    kept = await office.db.read(lambda conn: [r.realm for r in conn.execute(select(web_sessions))])
    assert sorted(kept) == ["", "pro"]


async def test_the_new_one_is_proven_by_scram_too(office: Office, origin: str) -> None:
    """A mail client of who has no second factor here, which knows the password and never shows it."""
    antoine = Visitor(origin)
    await office.enter(antoine, "antoine")
    await antoine.post(PAGE, {"encore": "1"})
    code = re.findall(r"\d{6}", office.sent[-1][2])[0]
    assert (await change(antoine, code)).status == 303
    for password, right in ((PASSWORD, False), (NEW, True)):
        office.now += MINUTE
        assert isinstance(await by_scram(office.credentials, password, office.now), Proven) is right


async def by_scram(credentials: Credentials, password: str, now: int) -> object:
    """RFC 5802 3, as a client computes it."""
    salt, message = await credentials.salt("antoine"), b"n=antoine,r=x,r=xy,s=,i=4096,c=biws,r=xy"
    salted = pbkdf2_hmac("sha256", password.encode(), salt.octets, salt.rounds)
    key = hmac.digest(salted, b"Client Key", "sha256")
    signed = hmac.digest(sha256(key).digest(), message, "sha256")
    proof = Proof(message, bytes(a ^ b for a, b in zip(key, signed, strict=True)))
    return await credentials.check_proof("antoine", proof, now, "198.51.100.9", IMAP)


@pytest.mark.parametrize(
    ("old", "new", "again", "field"),
    [
        ("", NEW, NEW, "ancien"),
        ("faux", NEW, NEW, "ancien"),
        (PASSWORD, "court", "court", "nouveau"),
        (PASSWORD, "camille.roche", "camille.roche", "nouveau"),
        (PASSWORD, "camille exemple", "camille exemple", "nouveau"),
        (PASSWORD, "motdepasse2026", "motdepasse2026", "nouveau"),
        (PASSWORD, PASSWORD, PASSWORD, "nouveau"),
        (PASSWORD, NEW, NEW + "x", "encore_une_fois"),
    ],
)
async def test_refused(office: Office, camille: Visitor, old: str, new: str, again: str, field: str) -> None:
    page = await change(camille, office.totp(), old, new, again)
    assert page.status == 422
    assert page.tree.css_first(f"#{field}-erreur") is not None, page.words
    assert new not in page.text.replace("Camille Exemple", "") or new == "court"
    assert await opens(office, PASSWORD)


async def test_the_old_password_alone_is_not_enough(office: Office, camille: Visitor) -> None:
    for code in ("", "000000", "12345"):
        office.now += MINUTE
        assert (await change(camille, code)).status == 422
    used = office.totp()
    office.now += MINUTE
    await change(camille, used, old="faux")  # the code is asked about last: a wrong password does not use it up
    assert await opens(office, PASSWORD)


async def test_a_code_by_email_is_sent_once_a_minute_to_who_has_no_other(
    office: Office, origin: str, camille: Visitor
) -> None:
    assert (await camille.post(PAGE, {"encore": "1"})).status == 404
    antoine = Visitor(origin)
    await office.enter(antoine, "antoine")
    sent = len(office.sent)
    answer = await antoine.post(PAGE, {"encore": "1"})
    assert "Un code est parti à votre adresse personnelle." in (await antoine.follow(answer)).words
    assert (await antoine.post(PAGE, {"encore": "1"})).status == 422
    assert len(office.sent) == sent + 1


async def test_by_a_passkey(office: Office, origin: str, camille: Visitor) -> None:
    device = Device(PLACE, "localhost")
    add = f"{ACCOUNT}/cles/ajouter"
    options = await camille.post(f"{add}/demande", {}, token=await camille.token(add))
    assert (await camille.post(add, {"nom": "x", "reponse": device.create(options.text)})).status == 303
    form = {"ancien": PASSWORD, "nouveau": NEW, "encore_une_fois": NEW}
    asked = f"{ACCOUNT}/cle"
    thiefs = Device(PLACE, "localhost", id=device.id)
    options = await camille.post(asked, {}, token=await camille.token(PAGE))
    assert (await camille.post(PAGE, {**form, "reponse": thiefs.get(options.text)})).status == 422
    options = await camille.post(asked, {}, token=await camille.token(PAGE))
    assert (await camille.post(PAGE, {**form, "reponse": device.get(options.text)})).status == 303
    antoine = Visitor(origin)
    await office.enter(antoine, "antoine")
    assert (await antoine.post(asked, {}, token=await antoine.token(PAGE))).status == 404


async def test_guessing_the_old_one_is_slowed(office: Office, camille: Visitor) -> None:
    for number in range(6):
        page = await change(camille, "123456", old=f"faux {number}")
    assert "Attendez" in page.words
    assert (await change(camille, office.totp())).status == 303  # the right one, once the wait is over


async def test_audited_and_in_no_log(office: Office, camille: Visitor) -> None:
    with capture_logs() as logs:
        await change(camille, office.totp())
    rows = await office.db.read(lambda conn: list(conn.execute(select(audit))))
    assert [(row.event, row.actor) for row in rows] == [
        ("account:password:change", f"credential {office.ids['camille']}")
    ]
    assert NEW not in str(logs) + str(rows)


async def test_forms_of_other_sites_and_strangers(origin: str, camille: Visitor) -> None:
    assert (await camille.post(PAGE, {"ancien": PASSWORD}, token="0" * 32)).status == 403
    assert (await Visitor(origin).get(PAGE)).location.startswith(SIGN_IN)

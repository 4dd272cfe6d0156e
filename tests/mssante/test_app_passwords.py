"""Application passwords: what each opens, that the person's own opens no mail client beside them, whose they are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from foundation.clock import HOUR, MINUTE
from mssante import app_passwords, app_secrets, one_time
from mssante import credentials as module
from mssante.app_passwords import TooMany
from mssante.credentials import IMAP, MAIL, SUBMISSION, WEB, Credentials, NewCredential, SignedIn, WrongPassword
from mssante.passwords import hash_password
from mssante.tables import app_passwords as table
from tests.support import proving

OWN = "correct horse"
HASH = hash_password(OWN, None)
HOME = "192.0.2.1"
NOW = 1_794_472_800_000
BOTH, READS, SENDS = frozenset({IMAP, SUBMISSION}), frozenset({IMAP}), frozenset({SUBMISSION})


@pytest.fixture
async def signing(space: Any) -> Any:
    space.credentials = Credentials(space.db, space.keys, space.boxes)
    space.credentials.listen()
    space.roche = await space.box("camille.roche@medecins.example")
    own = hash_password(OWN, space.credentials.salt_for("camille"))
    new = NewCredential(space.roche.id, "camille", "Dr Camille Roche", own)
    space.camille = await space.db.write(space.credentials.add, new, NOW)
    return space


async def made(
    signing: Any, protocols: frozenset[str] = BOTH, name: str = "Téléphone", owner: int = 0
) -> tuple[int, str]:
    owner = owner or signing.camille
    login = await signing.db.read(signing.credentials.login_of, owner)
    secret = app_passwords.new_secret(signing.credentials.salt_for(login))
    app = await signing.db.write(app_passwords.add, signing.keys, owner, name, protocols, secret, NOW)
    await asyncio.sleep(0)  # the signal
    return app, secret.text


async def check(signing: Any, password: str, scope: str | None = None, now: int = NOW, login: str = "camille") -> Any:
    return await signing.credentials.check(login, password, now, HOME, scope)


async def prove(signing: Any, password: str, scope: str, now: int = NOW, login: str = "camille") -> Any:
    return await proving.prove(signing.credentials, login, password, now, HOME, scope=scope)


@pytest.mark.parametrize("way", [check, prove])
@pytest.mark.parametrize(
    ("protocols", "opened", "shut"),
    [
        (BOTH, (IMAP, SUBMISSION, MAIL), (WEB,)),
        (READS, (IMAP,), (SUBMISSION, MAIL, WEB)),
        (SENDS, (SUBMISSION,), (IMAP,)),
    ],
)
async def test_what_one_opens(signing: Any, way: Any, protocols: frozenset[str], opened: Any, shut: Any) -> None:
    app, text = await made(signing, protocols)
    for scope in opened:
        who = await way(signing, text, scope)
        assert isinstance(who, SignedIn), scope
        assert (who.box_id, who.credential_id, who.app_password) == (signing.roche.id, signing.camille, app)
    for later, scope in enumerate(shut, 1):
        assert isinstance(await way(signing, text, scope, NOW + later * MINUTE), WrongPassword), scope


async def test_the_right_one_of_many_is_found(signing: Any) -> None:
    apps = [await made(signing, name=f"Poste {n}") for n in range(5)]
    for app, text in reversed(apps):
        assert (await check(signing, text, IMAP)).app_password == app
        assert (await prove(signing, text, IMAP)).app_password == app


async def test_nothing_slow_is_hashed(signing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = await made(signing)
    monkeypatch.setattr(module, "is_right", lambda *_: pytest.fail("argon2"))
    assert isinstance(await check(signing, text, IMAP), SignedIn)


async def test_typed_as_people_type(signing: Any) -> None:
    _, text = await made(signing)
    for typed in (text.upper(), text.replace("-", " "), text.replace("-", ""), f" {text} "):
        assert isinstance(await check(signing, typed, IMAP), SignedIn), typed
    for later, typed in enumerate((text[:-1], text + "2", text.replace("-", "_"), text[:-1] + "l"), 1):
        assert isinstance(await check(signing, typed, IMAP, NOW + later * MINUTE), WrongPassword), typed


# ---------------------------------------------------------------- the person's own password beside them
@pytest.mark.parametrize("way", [check, prove])
async def test_the_own_password_opens_no_mail_client_any_more(signing: Any, way: Any) -> None:
    assert isinstance(await way(signing, OWN, IMAP), SignedIn)
    app, _ = await made(signing)
    assert isinstance(await way(signing, OWN, IMAP, NOW + 1), WrongPassword)  # what was remembered is forgotten
    assert isinstance(await check(signing, OWN, WEB, NOW + MINUTE), SignedIn)
    assert isinstance(
        await way(signing, OWN, SUBMISSION, NOW + 2 * MINUTE), WrongPassword
    )  # the page opens no way round
    assert await signing.db.write(app_passwords.remove, signing.camille, app)
    await asyncio.sleep(0)
    assert isinstance(await way(signing, OWN, IMAP, NOW + 3 * MINUTE), SignedIn)


async def test_an_authenticator_closes_mail_clients_to_the_own_password(signing: Any) -> None:
    assert isinstance(await check(signing, OWN, IMAP), SignedIn)
    await signing.db.write(one_time.enrol_totp, signing.keys, signing.camille, one_time.new_totp_secret())
    await asyncio.sleep(0)
    assert isinstance(await check(signing, OWN, IMAP), WrongPassword)
    assert (await check(signing, OWN, WEB, NOW + MINUTE)).totp


# ---------------------------------------------------------------- life
async def test_taken_away_it_opens_nothing_at_once(signing: Any) -> None:
    app, text = await made(signing)
    await made(signing)
    assert isinstance(await check(signing, text, IMAP), SignedIn)
    assert await signing.db.write(app_passwords.remove, signing.camille, app)
    await asyncio.sleep(0)
    assert isinstance(await check(signing, text, IMAP), WrongPassword)
    assert isinstance(await prove(signing, text, IMAP, NOW + MINUTE), WrongPassword)
    assert not await signing.db.write(app_passwords.remove, signing.camille, app)


async def test_the_neighbours_are_not_mine(signing: Any) -> None:
    vidal = await signing.box("antoine.vidal@medecins.example")
    new = NewCredential(vidal.id, "antoine", "Dr Antoine Vidal", HASH)
    antoine = await signing.db.write(signing.credentials.add, new, NOW)
    app, text = await made(signing)
    await made(signing, owner=antoine)
    assert isinstance(await check(signing, text, IMAP, login="antoine"), WrongPassword)
    assert isinstance(await prove(signing, text, IMAP, NOW + MINUTE, login="antoine"), WrongPassword)
    assert not await signing.db.write(app_passwords.remove, antoine, app)
    assert [one.id for one in await signing.db.read(app_passwords.of, signing.keys, signing.camille)] == [app]
    assert app not in [one.id for one in await signing.db.read(app_passwords.of, signing.keys, antoine)]


async def test_it_goes_with_the_credential(signing: Any) -> None:
    _, text = await made(signing)
    await signing.db.write(signing.credentials.revoke, signing.camille)
    await asyncio.sleep(0)
    assert isinstance(await check(signing, text, IMAP), WrongPassword)


async def test_last_use_to_the_hour(signing: Any) -> None:
    _, text = await made(signing, name="Poste du secrétariat")
    later = NOW + 90 * MINUTE
    await check(signing, text, IMAP, later)
    [one] = await signing.db.read(app_passwords.of, signing.keys, signing.camille)
    assert (one.name, one.created_at, one.used_at) == ("Poste du secrétariat", NOW, later - later % HOUR)
    assert "secrétariat" not in repr(one)


async def test_a_bounded_number(signing: Any) -> None:
    for _ in range(app_passwords.MOST):
        await made(signing)
    with pytest.raises(TooMany):
        await made(signing)


async def test_logins_cannot_be_told_apart_by_their_salt(signing: Any) -> None:
    """Not by what it is, and not by when it changes: it never does."""
    mine, nobody = await signing.credentials.salt("camille"), await signing.credentials.salt("nobody")
    assert (len(mine.octets), mine.rounds) == (len(nobody.octets), nobody.rounds)
    app, _ = await made(signing)
    assert await signing.credentials.salt("CAMILLE ") == mine
    await signing.db.write(app_passwords.remove, signing.camille, app)
    assert await signing.credentials.salt("camille") == mine


async def test_rows_hold_nothing_to_read(signing: Any) -> None:
    _, text = await made(signing)
    rows = await signing.db.read(lambda conn: [list(row) for row in conn.execute(select(table))])
    stored = b"|".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
    for secret in (text.encode(), text.replace("-", "").encode(), "Téléphone".encode(), b"SCRAM"):
        assert secret not in stored


def test_they_are_long_enough() -> None:
    assert len(app_secrets.ALPHABET) ** (app_secrets.GROUPS * app_secrets.GROUP) > 2**97
    assert len({app_secrets.generate() for _ in range(1000)}) == 1000

"""Signing in: who comes in, what a wrong password costs, that guessing is slowed and nobody locked out for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import event, func, select, update

from foundation.clock import DAY, MINUTE
from foundation.database import Database
from foundation.places import place_of
from mssante import credentials as module
from mssante import passwords, throttle
from mssante.credentials import (
    MAIL,
    WEB,
    Credentials,
    LoginTaken,
    NewCredential,
    SignedIn,
    WrongPassword,
)
from mssante.kinds import BoxKind, BoxState, SignInState
from mssante.mailboxes import Mailboxes
from mssante.passwords import PasswordHash, hash_password, is_right
from mssante.rights import Role
from mssante.scram import ROUNDS, Salt
from mssante.tables import credentials, guesses
from tests.support import cheap_passwords, proving

PASSWORD = "correct horse"
HASH = hash_password(PASSWORD, None)
LOGIN = "camille.roche@medecins.example"
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"
NOW = 1_794_472_800_000


def hashed(space: Any, password: str, login: str) -> PasswordHash:
    return hash_password(password, space.credentials.salt_for(login))


@pytest.fixture
async def signing(space: Any) -> Any:
    space.credentials = Credentials(space.db, space.keys, space.boxes)
    space.credentials.listen()
    space.roche = await space.box("camille.roche@medecins.example")
    made = hashed(space, PASSWORD, LOGIN)
    new = NewCredential(space.roche.id, "Camille.Roche@medecins.example", "Dr Camille Roche", made)
    space.roche_login = await space.db.write(space.credentials.add, new, NOW)
    return space


async def check(signing: Any, password: str = PASSWORD, now: int = NOW, place: str = HOME, **more: Any) -> Any:
    login = more.pop("login", "camille.roche@medecins.example")
    return await signing.credentials.check(login, password, now, place, **more)


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Counts the argon2 verifications."""
    seen: list[str] = []
    real = is_right

    def counted(password_hash: str, password: bytes) -> bool:
        seen.append(password_hash)
        return real(password_hash, password)

    monkeypatch.setattr(module, "is_right", counted)
    return seen


async def test_right_password(signing: Any) -> None:
    who = await check(signing)
    assert isinstance(who, SignedIn)
    assert (who.box_id, who.actor, who.kind) == (signing.roche.id, "Dr Camille Roche", BoxKind.PER)
    assert who.address == "camille.roche@medecins.example"
    assert who.credential_id == signing.roche_login
    assert not who.totp
    assert await check(signing, login=" CAMILLE.ROCHE@medecins.example ") == who
    assert "Roche" not in repr(who)


@pytest.mark.parametrize("password", ["", "correct  horse", "Correct horse", PASSWORD + " ", "x" * 10_000, "\ud800"])
async def test_wrong_password(signing: Any, password: str) -> None:
    assert await check(signing, password) == WrongPassword(throttle.FIRST_WAIT)


async def test_a_long_password_is_not_its_beginning(signing: Any) -> None:
    long_hash = hash_password("p" * passwords.LONGEST, None)
    await signing.db.write(signing.credentials.set_password, signing.roche_login, long_hash)
    assert isinstance(await check(signing, "p" * (passwords.LONGEST + 1)), WrongPassword)


def test_what_a_guess_costs_who_stole_the_database() -> None:
    """OWASP's second choice; not what they cost in the tests."""
    assert cheap_passwords.REAL.hash(b"").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_unknown_login_takes_the_same_way(signing: Any, hashes: list[str]) -> None:
    assert await check(signing, login="nobody@medecins.example") == WrongPassword(throttle.FIRST_WAIT)
    assert hashes == [passwords.NOBODY.argon2]
    assert passwords.NOBODY.argon2.split("$")[:4] == HASH.argon2.split("$")[:4]  # same algorithm and cost
    assert await check(signing, login="\ud800" * 300, place=ELSEWHERE) == WrongPassword(throttle.FIRST_WAIT)


async def test_members_of_a_team_have_logins_of_their_own(signing: Any) -> None:
    ward = await signing.box("cardiologie@chu.example", BoxKind.ORG)
    for login, actor in (("nadia", "Dr Nadia Benali"), ("thomas", "Thomas Girard, infirmier")):
        await signing.db.write(signing.credentials.add, NewCredential(ward.id, login, actor, HASH), NOW)
    one, two = await check(signing, login="nadia"), await check(signing, login="thomas")
    assert one.box_id == two.box_id == ward.id
    assert (one.actor, two.actor) == ("Dr Nadia Benali", "Thomas Girard, infirmier")
    members = await signing.db.read(signing.credentials.members, ward.id)
    assert [(member.login, member.active) for member in members] == [("nadia", True), ("thomas", True)]
    await signing.db.write(signing.credentials.revoke, members[1].credential_id)
    assert isinstance(await check(signing, login="thomas"), WrongPassword)
    assert isinstance(await check(signing, login="nadia"), SignedIn)
    with pytest.raises(LoginTaken):
        await signing.db.write(signing.credentials.add, NewCredential(ward.id, "NADIA", "x", HASH), NOW)


async def test_roles(signing: Any) -> None:
    ward = await signing.box("cardiologie@chu.example", BoxKind.ORG)
    for login, role in (("nadia", Role.HOLDER), ("thomas", Role.MEMBER), ("stage", Role.READER)):
        new = NewCredential(ward.id, login, login, HASH, role=role)
        await signing.db.write(signing.credentials.add, new, NOW)
        assert (await check(signing, login=login)).role is role
    members = await signing.db.read(signing.credentials.members, ward.id)
    assert [member.role for member in members] == [Role.HOLDER, Role.MEMBER, Role.READER]
    await signing.db.write(signing.credentials.set_role, members[2].credential_id, Role.MEMBER)
    assert (await check(signing, login="stage")).role is Role.MEMBER  # what was remembered is forgotten
    assert (await check(signing)).role is Role.HOLDER  # a personal mailbox


async def test_scopes(signing: Any) -> None:
    only_mail = NewCredential(signing.roche.id, "robot", "Logiciel", HASH, frozenset({MAIL}))
    await signing.db.write(signing.credentials.add, only_mail, NOW)
    assert isinstance(await check(signing, login="robot", scope=MAIL), SignedIn)
    assert isinstance(
        await check(signing, login="robot", scope=WEB), WrongPassword
    )  # the remembered proof is no way round


async def test_verified_is_remembered_for_five_minutes(signing: Any, hashes: list[str]) -> None:
    for later in (0, 1, module.VERIFIED_FOR - 1):
        assert isinstance(await check(signing, now=NOW + later), SignedIn)
    assert len(hashes) == 1
    assert isinstance(await check(signing, now=NOW + module.VERIFIED_FOR), SignedIn)
    assert len(hashes) == 2
    assert isinstance(await check(signing, "wrong"), WrongPassword)


async def test_many_connections_at_once_hash_little(signing: Any, hashes: list[str]) -> None:
    answers = await asyncio.gather(*(check(signing) for _ in range(20)))
    assert all(isinstance(answer, SignedIn) for answer in answers)
    assert len(hashes) <= module.AT_ONCE


async def test_changes_are_obeyed_at_once(signing: Any) -> None:
    assert isinstance(await check(signing), SignedIn)
    await signing.db.write(signing.credentials.set_password, signing.roche_login, hash_password("new", None))
    await asyncio.sleep(0)
    assert isinstance(await check(signing), WrongPassword)
    assert isinstance(await check(signing, "new", NOW + MINUTE), SignedIn)
    await signing.db.write(signing.boxes.set_state, signing.roche.id, BoxState.CLOSED, NOW)
    await asyncio.sleep(0)
    assert isinstance(await check(signing, "new", NOW + 2 * MINUTE), WrongPassword)


async def test_a_suspended_mailbox_is_still_read(signing: Any) -> None:
    await signing.db.write(signing.boxes.set_state, signing.roche.id, BoxState.SUSPENDED, NOW)
    assert isinstance(await check(signing), SignedIn)


async def test_waits_grow_to_a_ceiling_and_fade(signing: Any) -> None:
    now, waits = NOW, []
    for n in range(12):
        answer = await check(signing, f"wrong {n}", now)
        waits.append(answer.wait_ms)
        now += answer.wait_ms
    assert waits[:4] == [250, 500, 1_000, 2_000]
    assert waits[-1] == max(waits) == 30_000
    assert isinstance(await check(signing, now=now), SignedIn)  # after the wait, the right password comes in
    assert (await check(signing, "wrong", now + 1)).wait_ms == 250  # and its failures are forgotten


async def test_an_old_password_in_a_forgotten_telephone_keeps_nobody_out(signing: Any, hashes: list[str]) -> None:
    """The same wrong password again is no new guess, at whatever pace and from wherever it comes."""
    for second in range(0, 3_000, 10):
        assert await check(signing, "old", NOW + second * 1_000) == WrongPassword(250)
    assert len(hashes) == 1
    assert isinstance(await check(signing, now=NOW + 3_000_001), SignedIn)
    assert isinstance(await check(signing, "old", now=NOW + 3_000_002), WrongPassword)
    await signing.db.write(signing.credentials.set_password, signing.roche_login, hash_password("old", None))
    await asyncio.sleep(0)
    assert isinstance(await check(signing, "old", now=NOW + 3_000_003), SignedIn)  # chosen again: forgotten as wrong


async def test_a_login_made_after_somebody_tried_it(signing: Any) -> None:
    assert isinstance(await check(signing, login="nadia"), WrongPassword)
    await signing.db.write(signing.credentials.add, NewCredential(signing.roche.id, "nadia", "Nadia", HASH), NOW)
    await asyncio.sleep(0)
    assert isinstance(await check(signing, login="nadia", now=NOW + MINUTE), SignedIn)


async def test_failures_fade_with_time(signing: Any) -> None:
    for step in range(4):
        await check(signing, "wrong", NOW + step * MINUTE)
    assert (await check(signing, "wrong", NOW + DAY)).wait_ms == 250


async def test_while_waiting_nothing_is_looked_at(signing: Any, hashes: list[str]) -> None:
    await check(signing, "wrong")
    await check(signing, "wrong too", NOW + 250)
    count = len(hashes)
    answer = await check(signing, now=NOW + 251)  # the right password, too early
    assert answer == WrongPassword(499)
    assert len(hashes) == count
    assert isinstance(await check(signing, now=NOW + 750), SignedIn)


async def test_parallel_guesses_do_not_all_get_through(signing: Any, hashes: list[str]) -> None:
    answers = await asyncio.gather(*(check(signing, f"guess {n}") for n in range(50)))
    assert all(isinstance(answer, WrongPassword) for answer in answers)
    assert len(hashes) <= module.AT_ONCE


async def test_guesses_elsewhere_never_stop_the_person_at_home(signing: Any) -> None:
    assert isinstance(await check(signing), SignedIn)
    other = Credentials(signing.db, signing.keys, signing.boxes)  # a process that remembers nothing
    asked = throttle.subjects(signing.keys, "camille.roche@medecins.example", ELSEWHERE)
    for _ in range(80):
        await signing.db.write(throttle.failed, asked, NOW)
    there = await other.check("camille.roche@medecins.example", PASSWORD, NOW, ELSEWHERE)
    assert isinstance(there, WrongPassword)
    new_place = await other.check("camille.roche@medecins.example", PASSWORD, NOW, "203.0.113.5")
    assert new_place == WrongPassword(10_000)  # a new place waits at most ten seconds
    assert isinstance(await other.check("camille.roche@medecins.example", PASSWORD, NOW, HOME), SignedIn)
    late = await other.check("camille.roche@medecins.example", PASSWORD, NOW + 10_000, "203.0.113.5")
    assert isinstance(late, SignedIn)


async def test_one_place_trying_many_logins_waits(signing: Any) -> None:
    for n in range(21):
        asked = throttle.subjects(signing.keys, f"login{n}", ELSEWHERE)
        await signing.db.write(throttle.failed, asked, NOW)
    assert await check(signing, place=ELSEWHERE) == WrongPassword(250)
    assert isinstance(await check(signing, place=HOME), SignedIn)


async def test_two_processes_share_the_count(signing: Any) -> None:
    other_db = Database(signing.url)
    try:
        other = Credentials(other_db, signing.keys, Mailboxes(signing.keys))
        await check(signing, "wrong")
        answer = await other.check("camille.roche@medecins.example", "wrong", NOW + 250, HOME)
        assert answer == WrongPassword(500)
    finally:
        await asyncio.to_thread(other_db.close_now)


async def test_a_repeated_success_writes_nothing(signing: Any) -> None:
    asked = throttle.subjects(signing.keys, "camille.roche@medecins.example", HOME)
    assert await signing.db.read(throttle.worth_recording, asked, NOW)
    await check(signing)
    assert not await signing.db.read(throttle.worth_recording, asked, NOW + 1)
    assert await signing.db.read(throttle.worth_recording, asked, NOW + DAY + 1)


async def test_old_guesses_are_swept(signing: Any) -> None:
    for n in range(5):
        await signing.db.write(throttle.failed, throttle.subjects(signing.keys, f"l{n}", f"192.0.2.{n}"), NOW)
    await signing.db.write(throttle.failed, throttle.subjects(signing.keys, "l", HOME), NOW + throttle.KEPT + 1)
    count = await signing.db.read(lambda conn: conn.execute(select(func.count()).select_from(guesses)).scalar_one())
    assert count == 4


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "garbage", True),
    ],
)
def test_places(one: str, two: str, same: bool) -> None:
    assert (place_of(one) == place_of(two)) is same


# ---------------------------------------------------------------- by proof (SCRAM)
async def prove(signing: Any, password: str = PASSWORD, now: int = NOW, place: str = HOME, **more: Any) -> Any:
    login = more.pop("login", "camille.roche@medecins.example")
    return await proving.prove(signing.credentials, login, password, now, place, **more)


async def test_a_proof_opens_what_the_password_opens(signing: Any) -> None:
    assert await prove(signing) == await check(signing)
    assert await prove(signing, login=" CAMILLE.ROCHE@medecins.example ") == await check(signing)
    assert await prove(signing, "wrong") == WrongPassword(throttle.FIRST_WAIT)


async def test_an_unknown_login_has_a_salt_like_any_other(signing: Any) -> None:
    known = await signing.credentials.salt("camille.roche@medecins.example")
    nobody = await signing.credentials.salt("nobody@medecins.example")
    assert (len(nobody.octets), nobody.rounds) == (len(known.octets), known.rounds)
    other = Credentials(signing.db, signing.keys, signing.boxes)
    assert await other.salt("NOBODY@medecins.example ") == nobody  # the same in every process, for every spelling
    assert await other.salt("nobody2@medecins.example") != nobody
    assert await prove(signing, login="nobody@medecins.example") == WrongPassword(throttle.FIRST_WAIT)
    assert await prove(signing, login="\ud800" * 300, place=ELSEWHERE) == WrongPassword(throttle.FIRST_WAIT)


async def test_proofs_and_passwords_wait_together(signing: Any) -> None:
    assert await prove(signing, "wrong") == WrongPassword(250)
    assert await prove(signing, now=NOW + 1) == WrongPassword(249)  # right, too early
    assert await check(signing, "wrong", NOW + 250) == WrongPassword(500)
    assert await prove(signing, "wrong", NOW + 750) == WrongPassword(1000)
    assert isinstance(await prove(signing, now=NOW + 1750), SignedIn)
    assert await check(signing, "wrong", NOW + 1751) == WrongPassword(250)  # forgotten by the success


async def test_parallel_proofs_do_not_all_get_through(signing: Any) -> None:
    answers = await asyncio.gather(*(prove(signing, f"guess {n}") for n in range(20)))
    assert sorted(answer.wait_ms for answer in answers)[-1] <= 250 * 2 ** (module.AT_ONCE - 1)


async def test_scopes_states_and_boxes_hold_for_proofs(signing: Any) -> None:
    only_web = NewCredential(signing.roche.id, "web", "Camille", hashed(signing, PASSWORD, "web"), frozenset({WEB}))
    login = await signing.db.write(signing.credentials.add, only_web, NOW)
    assert isinstance(await prove(signing, login="web", scope=WEB), SignedIn)
    assert isinstance(await prove(signing, login="web", scope=MAIL, place=ELSEWHERE), WrongPassword)
    await signing.db.write(signing.credentials.revoke, login)
    assert isinstance(await prove(signing, login="web", scope=WEB), WrongPassword)
    await signing.db.write(signing.boxes.set_state, signing.roche.id, BoxState.CLOSED, NOW)
    assert isinstance(await prove(signing), WrongPassword)


async def test_a_new_password_is_proven_and_the_old_one_no_more(signing: Any) -> None:
    """And the salt says nothing of it: one that changes would tell a login that exists from one that does not."""
    before = await signing.credentials.salt(LOGIN)
    new = hashed(signing, "new", LOGIN)
    await signing.db.write(signing.credentials.set_password, signing.roche_login, new)
    assert await signing.credentials.salt(LOGIN) == before
    assert isinstance(await prove(signing, "new"), SignedIn)
    assert isinstance(await prove(signing), WrongPassword)


async def forget_keys(signing: Any) -> None:
    """As in a database made before SCRAM."""
    await signing.db.write(lambda tx: tx.execute(update(credentials).values(sealed_scram=None)))


async def test_an_old_account_can_prove_its_password_once_it_was_typed(signing: Any) -> None:
    await forget_keys(signing)
    assert await prove(signing) == WrongPassword(250)
    assert isinstance(await check(signing, now=NOW + 250), SignedIn)
    assert isinstance(await prove(signing, now=NOW + 251), SignedIn)


async def test_so_can_one_whose_keys_were_salted_otherwise(signing: Any) -> None:
    other = hash_password(PASSWORD, Salt(b"0123456789abcdef", ROUNDS))
    await signing.db.write(signing.credentials.set_password, signing.roche_login, other)
    await asyncio.sleep(0)
    assert await prove(signing) == WrongPassword(250)
    assert isinstance(await check(signing, now=NOW + 250), SignedIn)
    assert isinstance(await prove(signing, now=NOW + 251), SignedIn)


async def test_a_salt_costs_no_look_at_the_rows(signing: Any) -> None:
    """So its time says nothing either."""
    asked: list[str] = []
    event.listen(signing.db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    await signing.credentials.salt(LOGIN)
    await signing.credentials.salt("nobody@medecins.example")
    assert asked == []


async def test_a_wrong_password_gives_an_old_account_no_keys(signing: Any) -> None:
    await forget_keys(signing)
    assert isinstance(await check(signing, "wrong"), WrongPassword)
    assert isinstance(await prove(signing, "wrong", NOW + DAY), WrongPassword)


async def test_keys_of_a_password_just_replaced_are_not_kept(signing: Any) -> None:
    await forget_keys(signing)
    row = await signing.db.read(lambda conn: conn.execute(select(credentials)).first())
    await signing.db.write(signing.credentials.set_password, signing.roche_login, hash_password("bell\a", None))
    await signing.db.write(signing.credentials._keep_scram, row, hashed(signing, PASSWORD, LOGIN).scram)
    assert isinstance(await prove(signing), WrongPassword)


async def test_rows_hold_nothing_personal_in_the_clear(signing: Any) -> None:
    await check(signing, "wrong")
    rows = await signing.db.read(
        lambda conn: [list(row) for table in (credentials, guesses) for row in conn.execute(select(table))]
    )
    text = b"|".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
    for secret in (b"roche", b"Roche", b"argon2", b"SCRAM", HOME.encode()):
        assert secret not in text


# -------------------------------------------------------------------- who is signed in already
async def standing(signing: Any, who: SignedIn, scope: str | None = None) -> SignedIn | None:
    found: SignedIn | None = await signing.db.read(signing.credentials.standing, who, scope)
    return found


async def test_who_signed_in_stands_until_something_of_them_changes(signing: Any) -> None:
    who = await check(signing)
    assert await standing(signing, who) == who
    await signing.db.write(signing.credentials.set_role, signing.roche_login, Role.READER)
    now = await standing(signing, who)
    assert now is not None
    assert now.role is Role.READER
    for state in (SignInState.SUSPENDED, SignInState.REVOKED):
        await signing.db.write(signing.credentials.set_state, signing.roche_login, state)
        assert await standing(signing, who) is None
    await signing.db.write(signing.credentials.set_state, signing.roche_login, SignInState.ACTIVE)
    assert await standing(signing, who) is not None
    assert await standing(signing, who, "a scope that they never had") is None


async def test_another_password_ends_what_the_old_one_began(signing: Any) -> None:
    who = await check(signing)
    await signing.db.write(signing.credentials.set_password, signing.roche_login, hash_password("new", None))
    assert await standing(signing, who) is None
    assert await standing(signing, await check(signing, "new", NOW + MINUTE)) is not None


async def test_a_closed_mailbox_ends_it_a_suspended_one_does_not(signing: Any) -> None:
    who = await check(signing)
    for state, stands in ((BoxState.SUSPENDED, True), (BoxState.CLOSED, False)):
        await signing.db.write(signing.boxes.set_state, signing.roche.id, state, NOW)
        assert (await standing(signing, who) is not None) is stands


async def test_revoked_while_the_password_was_hashed(signing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = is_right

    def revoking(*args: Any) -> bool:
        signing.db.write_now(signing.credentials.revoke, signing.roche_login)
        return real(*args)

    monkeypatch.setattr(module, "is_right", revoking)
    assert await check(signing) == WrongPassword(0)

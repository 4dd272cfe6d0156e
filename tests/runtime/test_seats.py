"""Whose shared mailboxes somebody sees who signed in as themself: known by their number, told at once when that changes, in every
process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from foundation.clock import system_clock
from foundation.database import Database, metadata
from foundation.keys import KeyRing
from mailserver.sign_in import SignedIn
from mssante import app_passwords, one_time
from mssante.credential_rows import CredentialRows
from mssante.credentials import IMAP, MAIL, WEB, Credentials, NewCredential
from mssante.identity import luhn_key
from mssante.kinds import BoxKind, SignInState
from mssante.mailbox import Holder, NewMailbox
from mssante.mailboxes import Mailboxes
from mssante.passwords import hash_password
from mssante.rights import Role
from runtime.sign_in import MailSignIn

HASH = hash_password("x", None)
RPPS = "1099000001" + luhn_key("1099000001")
OTHER = "1099000002" + luhn_key("1099000002")


@dataclass
class Town:
    db: Database
    elsewhere: Database
    boxes: Mailboxes
    credentials: Credentials
    sign_in: MailSignIn
    doubts: list[str] = field(default_factory=list)

    async def box(self, address: str, kind: BoxKind, number: str = "") -> int:
        new = NewMailbox(address, kind, Holder("Dr Awa Diallo", number))
        return (await self.db.write(self.boxes.create, new, 1)).id

    async def join(
        self, box: int, login: str, subject: str = "", role: Role = Role.HOLDER, scopes: str = "mail web"
    ) -> int:
        new = NewCredential(box, login, login, HASH, frozenset(scopes.split()), role, subject)
        return await self.db.write(self.credentials.add, new, 1)

    async def enter(self, login: str) -> SignedIn:
        who = await self.sign_in.by_password(login, "x", "192.0.2.1")
        assert isinstance(who, SignedIn)
        return who

    async def seats(self, who: SignedIn) -> list[tuple[str, Role]]:
        found = await self.sign_in.seats(who, lambda: self.doubts.append(who.actor))
        self.unwatch: Callable[[], None] = found.unwatch
        return [(seat.address, seat.role) for seat in found.found]


@pytest.fixture(params=["sqlite", "postgresql"])
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    sqlite = f"sqlite:///{tmp_path}/t.db"
    url = sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    db, keys = Database(url), KeyRing(b"k" * 32)
    metadata.create_all(db.engine)
    await db.start()
    elsewhere = db  # sockets of one pid are one process's: on SQLite, tests/e2e/test_shared.py has the others
    if url != sqlite:
        elsewhere = Database(url)
        elsewhere.speak()
    boxes = Mailboxes(keys)
    boxes.listen(db)
    credentials = Credentials(db, keys, boxes)
    credentials.listen()
    yield Town(db, elsewhere, boxes, credentials, MailSignIn(db, credentials, boxes, system_clock, IMAP))
    await db.close()
    if elsewhere is not db:
        elsewhere.close_now()


async def doctor(town: Town) -> SignedIn:
    own = await town.box("awa@medecins.example", BoxKind.PER, RPPS)
    await town.join(own, "awa@medecins.example")
    return await town.enter("awa@medecins.example")


async def test_known_by_the_number_of_the_mailbox_s_holder(town: Town) -> None:
    awa = await doctor(town)
    assert await town.seats(awa) == []
    ward, practice = (
        await town.box("service@chu.example", BoxKind.ORG),
        await town.box("cabinet@x.example", BoxKind.CAB),
    )
    await town.join(ward, "awa-service", RPPS, Role.MEMBER)
    await town.join(practice, "awa-cabinet", "8" + RPPS, Role.READER)
    await town.join(ward, "autre", OTHER)
    await town.join(practice, "sans-numero")
    assert await town.seats(awa) == [("cabinet@x.example", Role.READER), ("service@chu.example", Role.MEMBER)]
    assert not awa.team
    assert all(seat.team for seat in (await town.sign_in.seats(awa, lambda: None)).found)


async def test_who_is_known_by_another_number_or_works_in_a_team_s_mailbox_sees_none(town: Town) -> None:
    await doctor(town)
    ward = await town.box("service@chu.example", BoxKind.ORG)
    await town.join(ward, "awa-service", RPPS, Role.MEMBER)
    other = await town.box("autre@medecins.example", BoxKind.PER, OTHER)
    await town.join(other, "autre@medecins.example")
    unknown = await town.box("inconnu@medecins.example", BoxKind.PER)
    await town.join(unknown, "inconnu@medecins.example")
    for login in ("autre@medecins.example", "inconnu@medecins.example", "awa-service"):
        assert await town.seats(await town.enter(login)) == [], login


async def test_only_a_team_s_mailbox_and_only_by_a_sign_in_that_opens_mail(town: Town) -> None:
    awa = await doctor(town)
    program, second = await town.box("app@x.example", BoxKind.APP), await town.box("awa2@x.example", BoxKind.PER, RPPS)
    ward, closed = await town.box("service@chu.example", BoxKind.ORG), await town.box("ferme@chu.example", BoxKind.ORG)
    await town.join(program, "a", RPPS)
    await town.join(second, "b", RPPS)
    await town.join(ward, "c", RPPS, scopes=WEB)
    await town.join(closed, "d", RPPS)
    await town.db.write(town.boxes.close, closed, 2, 3)
    assert await town.seats(awa) == []
    await town.join(ward, "e", RPPS, Role.READER, scopes=MAIL)
    await town.join(ward, "f", RPPS, Role.MEMBER)
    assert await town.seats(awa) == [("service@chu.example", Role.MEMBER)], "the larger role of two"


CHANGES = ["revoke", "suspend", "role", "subject", "close", "number"]


@pytest.mark.parametrize("change", CHANGES)
async def test_what_changes_elsewhere_is_told_and_holds(town: Town, change: str) -> None:
    awa = await doctor(town)
    ward = await town.box("service@chu.example", BoxKind.ORG)
    seat = await town.join(ward, "awa-service", RPPS, Role.MEMBER)
    await town.seats(awa)
    told = asyncio.Event()
    watching = await town.sign_in.seats(awa, told.set)
    undo = town.sign_in.watch(awa, told.set)
    rows, boxes = CredentialRows(KeyRing(b"k" * 32), Mailboxes(KeyRing(b"k" * 32))), Mailboxes(KeyRing(b"k" * 32))
    write = town.elsewhere.write
    if change == "revoke":
        await write(rows.revoke, seat)
    elif change == "suspend":
        await write(rows.set_state, seat, SignInState.SUSPENDED)
    elif change == "role":
        await write(rows.set_role, seat, Role.READER)
    elif change == "subject":
        await write(rows.set_subject, seat, OTHER)
    elif change == "close":
        await write(boxes.close, ward, 2, 3)
    else:
        await write(rows.set_subject, awa.member, "")  # known by the mailbox alone
        await write(boxes.set_holder, awa.box_id, Holder("Dr Awa Diallo", OTHER))
    await asyncio.wait_for(told.wait(), 10)
    left = [("service@chu.example", Role.READER)] if change == "role" else []
    assert await town.seats(awa) == left
    watching.unwatch()
    undo()


async def test_a_new_seat_is_told_and_one_that_comes_back(town: Town) -> None:
    awa = await doctor(town)
    ward = await town.box("service@chu.example", BoxKind.ORG)
    told = asyncio.Event()
    await town.sign_in.seats(awa, told.set)
    rows = CredentialRows(KeyRing(b"k" * 32), Mailboxes(KeyRing(b"k" * 32)))
    seat = await town.elsewhere.write(rows.add, NewCredential(ward, "awa-service", "Awa", HASH), 2)
    for act, *values in (
        (rows.set_subject, seat, RPPS),
        (rows.set_state, seat, SignInState.SUSPENDED),
        (rows.set_state, seat, SignInState.ACTIVE),
    ):
        told.clear()
        await town.elsewhere.write(act, *values)
        await asyncio.wait_for(told.wait(), 10)
    assert await town.seats(awa) == [("service@chu.example", Role.HOLDER)]


async def test_nothing_is_asked_again_while_nothing_changes(town: Town) -> None:
    awa = await doctor(town)
    await town.seats(awa)
    reads, real = [], town.db.read

    async def read(*work: object) -> object:
        reads.append(work)
        return await real(*work)  # type: ignore[arg-type]

    town.db.read = read  # type: ignore[method-assign,assignment]
    for _ in range(3):
        await town.seats(awa)
    assert reads == []


async def test_a_password_alone_does_not_open_a_seat_that_a_second_factor_keeps(town: Town) -> None:
    own, team = await town.box("awa@a.example", BoxKind.PER, RPPS), await town.box("urgences@a.example", BoxKind.ORG)
    mine, seat = await town.join(own, "awa"), await town.join(team, "awa.urgences", RPPS)
    alone = await town.enter("awa")
    assert await town.seats(alone) == [("urgences@a.example", Role.HOLDER)]
    await town.db.write(one_time.enrol_totp, KeyRing(b"k" * 32), seat, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    assert town.doubts, "who is there is looked at again"
    assert await town.seats(alone) == []
    secret = app_passwords.new_secret(town.credentials.salt_for("awa"))
    await town.db.write(app_passwords.add, KeyRing(b"k" * 32), mine, "Thunderbird", frozenset({IMAP}), secret, 1)
    program = await town.sign_in.by_password("awa", secret.text, "192.0.2.1")
    assert isinstance(program, SignedIn)
    assert await town.seats(program) == [("urgences@a.example", Role.HOLDER)], "made behind a second factor"

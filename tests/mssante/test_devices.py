"""Which programs came in: one row each, sealed, to the hour; and cutting them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from foundation.clock import DAY, HOUR, MINUTE
from foundation.database import Database, metadata
from foundation.keys import KeyRing
from mssante import app_passwords, devices
from mssante.credential_rows import forget_erased
from mssante.credentials import IMAP, Credentials, NewCredential, SignedIn, WrongPassword
from mssante.devices import MOST, Came, Devices, Door, Way
from mssante.kinds import BoxKind
from mssante.mailbox import Holder, NewMailbox
from mssante.mailboxes import Mailboxes
from mssante.passwords import hash_password
from mssante.tables import credentials, mail_clients, mailboxes
from tests.support.postgres import other_database

HASH = hash_password("cheval correct", None)
NOW = 1_794_472_800_000 - 1_794_472_800_000 % HOUR + 7 * MINUTE


class House:
    def __init__(self, url: str) -> None:
        self.db = Database(url)
        metadata.create_all(self.db.engine)
        self.keys = KeyRing(bytes(range(32)))
        boxes = Mailboxes(self.keys)
        self.credentials = Credentials(self.db, self.keys, boxes)
        self.credentials.listen()
        self.devices = Devices(self.db, self.keys)
        self.ids = {}
        for login in ("camille", "antoine"):
            new = NewMailbox(f"{login}@alpha.example", BoxKind.PER, Holder(login.title()))
            box = self.db.write_now(boxes.create, new, NOW).id
            credential = NewCredential(box, login, login.title(), HASH)
            self.ids[login] = self.db.write_now(self.credentials.add, credential, NOW)

    async def enters(self, password: str = "cheval correct", now: int = NOW, login: str = "camille") -> Any:
        return await self.credentials.check(login, password, now, "198.51.100.9", IMAP)

    def came(self, who: SignedIn, name: str = "Thunderbird", now: int = NOW, door: Door = Door.IMAP) -> None:
        self.devices.came(Came.of(who, door, name, "198.51.100.x"), now)

    def seen(self, login: str = "camille") -> list[devices.Device]:
        self.db.write_now(lambda tx: None)  # behind what was handed in
        return self.db.read_now(devices.of, self.keys, self.ids[login])


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    url = f"sqlite:///{tmp_path}/d.db"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        url = other_database(server, "devices")
    made = House(url)
    yield made
    await made.db.close()


async def test_one_row_for_each_program(house: House) -> None:
    who = await house.enters()
    for name, door in (
        ("Thunderbird", Door.IMAP),
        ("", Door.SUBMISSION),
        ("iPhone Mail", Door.IMAP),
        ("Thunderbird", Door.IMAP),
    ):
        house.came(who, name, door=door)
    found = {(one.name, one.door, one.way, one.place) for one in house.seen()}
    assert found == {
        ("Thunderbird", Door.IMAP, Way.OWN, "198.51.100.x"),
        ("iPhone Mail", Door.IMAP, Way.OWN, "198.51.100.x"),
        ("", Door.SUBMISSION, Way.OWN, "198.51.100.x"),
    }
    assert house.seen("antoine") == []


async def test_to_the_hour(house: House) -> None:
    who = await house.enters()
    for later in (0, 5 * MINUTE, HOUR, 3 * DAY + 3 * MINUTE):
        house.came(who, now=NOW + later)
    [one] = house.seen()
    assert (one.first_at, one.last_at) == (NOW - 7 * MINUTE, NOW - 7 * MINUTE + 3 * DAY)


async def test_by_what_it_came(house: House) -> None:
    camille = house.ids["camille"]
    secret = app_passwords.new_secret(house.credentials.salt_for("camille"))
    uses = frozenset({IMAP})
    app = await house.db.write(app_passwords.add, house.keys, camille, "Poste", uses, secret, NOW)
    who = await house.enters(secret.text)
    assert isinstance(who, SignedIn)
    house.came(who)
    house.came(replace(who, app_password=0, stamp=b""), "K-9")  # as by a token
    assert {(one.way, one.app_password) for one in house.seen()} == {(Way.APP, app), (Way.TOKEN, 0)}


async def test_a_program_that_says_too_much(house: House) -> None:
    who = await house.enters()
    house.came(who, "Mail\r\n\x00 \u202e<b>" + "x" * 500)
    [one] = house.seen()
    assert one.name.startswith("Mail <b>xxx")
    assert len(one.name) == 40
    for number in range(MOST + 5):
        house.came(who, f"n° {number}", now=NOW + number * HOUR)
    assert len(house.seen()) == MOST
    assert house.seen()[0].name == f"n° {MOST + 4}"


async def test_forgotten_after_a_year_and_by_its_owner_only(house: House) -> None:
    who = await house.enters()
    house.came(who)
    [one] = house.seen()
    assert not await house.db.write(devices.forget, house.ids["antoine"], one.id)
    assert await house.db.write(devices.forget, house.ids["camille"], one.id)
    house.came(replace(who, at=1), "Autre")
    house.seen()
    await house.db.write(devices.sweep, NOW + devices.KEPT)
    await house.db.write(devices.sweep, NOW + devices.KEPT - HOUR)
    assert house.seen() == []


async def test_what_came_before_is_cut_and_may_come_again(house: House) -> None:
    who = await house.enters()
    theirs = await house.enters(login="antoine")
    assert await house.db.read(house.credentials.standing, who, IMAP) is not None
    await house.db.write(devices.sign_out, house.ids["camille"], NOW + 1)
    assert await house.db.read(house.credentials.standing, who, IMAP) is None
    assert await house.db.read(house.credentials.standing, theirs, IMAP) is not None
    again = await house.enters(now=NOW + MINUTE)
    assert not isinstance(again, WrongPassword)
    kept = await house.db.read(house.credentials.standing, again, IMAP)
    assert kept is not None
    assert kept.at == NOW + MINUTE  # still tells when, for the next time


async def test_a_commit_for_each_program_and_hour(house: House) -> None:
    who = await house.enters()
    for _ in range(50):
        house.came(who)
    house.seen()
    count = await house.db.read(lambda conn: conn.execute(select(func.count()).select_from(mail_clients)).scalar_one())
    assert count == 1


async def test_gone_with_an_erased_mailbox(house: House) -> None:
    who = await house.enters()
    house.came(who)
    assert house.seen()

    def logins(conn: Connection) -> list[bytes]:
        return list(conn.execute(select(credentials.c.login_key).order_by(credentials.c.id)).scalars())

    before = await house.db.read(logins)
    await house.db.write(
        lambda tx: tx.execute(update(mailboxes).where(mailboxes.c.id == who.box_id).values(wrapped_key=None))
    )
    assert await house.db.write(forget_erased) == 1
    assert await house.db.write(forget_erased) == 0
    assert house.seen() == []
    assert await house.db.read(house.credentials.of, who.credential_id) is None
    assert await house.db.read(logins) == before, "a login is never given to another"


def test_names_and_places_are_sealed(tmp_path: Path) -> None:
    house = House(f"sqlite:///{tmp_path}/s.db")
    who = house.db.read_now(house.credentials.of, house.ids["camille"])
    assert who is not None
    house.came(who, "Thunderbird-de-Camille")
    house.seen()
    house.db.close_now()
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("s.db*"))
    assert b"Thunderbird-de-Camille" not in raw
    assert b"198.51.100" not in raw

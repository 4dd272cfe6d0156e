"""Notices: what the e-mail may not say, ringing once, relay failures, and other people's entries."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from foundation.clock import HOUR, MINUTE
from foundation.database import Database, Transaction, metadata
from foundation.jobs import Done, GiveUp, Job, Jobs, Retry
from foundation.keys import KeyRing
from health_space.notices import operations as ops
from health_space.notices.handler import TRIES, Notifier
from health_space.notices.rules import WORDINGS, Addressee, Kind, mail

JACQUELINE, NEIGHBOUR, NOBODY, OPPOSED = 80, 81, 82, 83
OWN = Addressee("jacqueline@private.example", own=True, activated=True)


def addressees(_: Connection, box_id: int) -> list[Addressee] | None:
    return {JACQUELINE: [OWN, Addressee("fille@private.example", own=False, activated=True)], OPPOSED: None}.get(
        box_id, []
    )


class Outbox:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.refusing: set[str] = set()

    async def send(self, to: str, subject: str, text: str) -> None:
        if to in self.refusing:
            raise ConnectionError(to)
        self.sent.append((to, subject, text))


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/db.sqlite")
    metadata.create_all(database.engine)
    yield database
    await database.close()


@pytest.fixture
def keys() -> KeyRing:
    return KeyRing(os.urandom(32))


def job(job_id: int = 1, attempts: int = 1) -> Job:
    return Job(job_id, "notify", attempts, 1_000, 2_000)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("activated", [True, False])
def test_the_email_is_the_same_for_everyone_and_holds_no_link(kind: Kind, own: bool, activated: bool) -> None:
    words = mail(kind, Addressee("a@b.example", own, activated))
    text = words.subject + words.text
    for sign in ("http", "/", "@", "www", "Dr", "{", "ordonnance"):
        assert sign not in text
    assert ("Connectez-vous comme d’habitude." in text) is activated
    assert words.subject in ("Vous avez un nouveau message", "Vous avez un nouveau document")
    assert set(WORDINGS) == set(Kind)


async def test_a_job_rings_once_and_writes_to_each_address(db: Database, keys: KeyRing) -> None:
    outbox = Outbox()
    notifier = Notifier(db, keys, addressees, outbox.send)
    payload = {"box_id": JACQUELINE, "kind": "document", "targets": ["/documents/12", "/documents/13"]}
    assert await notifier(payload, job()) == Done()
    assert await notifier(payload, job()) == Done()  # the process died before its answer
    entries = await db.read(ops.notices_of, keys, [JACQUELINE])
    assert sorted(entry.target for entry in entries) == ["/documents/12", "/documents/13"]
    assert {entry.mail for entry in entries} == {"sent"}
    assert {to for to, _, _ in outbox.sent} == {"jacqueline@private.example", "fille@private.example"}


async def test_one_address_fails_the_other_is_not_written_to_twice(db: Database, keys: KeyRing) -> None:
    outbox = Outbox()
    outbox.refusing = {"fille@private.example"}
    notifier = Notifier(db, keys, addressees, outbox.send)
    answer = await notifier({"box_id": JACQUELINE, "kind": "message"}, job())
    assert isinstance(answer, Retry)
    assert (answer.after, answer.reason) == (MINUTE, "ConnectionError")
    [entry] = await db.read(ops.notices_of, keys, [JACQUELINE])
    assert entry.mail is None  # still under way
    outbox.refusing = set()
    assert answer.payload is not None
    assert await notifier(answer.payload, job(attempts=2)) == Done()
    assert [to for to, _, _ in outbox.sent] == ["jacqueline@private.example", "fille@private.example"]


async def test_back_off_then_gives_up_visibly(db: Database, keys: KeyRing) -> None:
    outbox = Outbox()
    outbox.refusing = {OWN.email}
    notifier = Notifier(db, keys, addressees, outbox.send)
    payload = {"box_id": JACQUELINE, "kind": "message"}
    late = await notifier(payload, job(attempts=30))
    assert isinstance(late, Retry)
    assert late.after == HOUR
    assert await notifier(payload, job(attempts=TRIES)) == GiveUp("ConnectionError")
    [entry] = await db.read(ops.notices_of, keys, [JACQUELINE])
    assert entry.mail == "failed"


async def test_no_address_and_opposed(db: Database, keys: KeyRing) -> None:
    outbox = Outbox()
    notifier = Notifier(db, keys, addressees, outbox.send)
    assert await notifier({"box_id": NOBODY, "kind": "message"}, job(1)) == Done()
    assert await notifier({"box_id": OPPOSED, "kind": "message"}, job(2)) == Done()
    assert outbox.sent == []
    [entry] = await db.read(ops.notices_of, keys, [NOBODY, OPPOSED])
    assert (entry.box_id, entry.mail) == (NOBODY, "no_address")


async def test_a_job_number_given_again_is_another_job(db: Database, keys: KeyRing) -> None:
    notifier = Notifier(db, keys, addressees, Outbox().send)
    payload = {"box_id": JACQUELINE, "kind": "message"}
    await notifier(payload, Job(7, "notify", 1, 1_000, 1_000))
    await notifier(payload, Job(7, "notify", 1, 1_001, 1_001))
    await notifier({**payload, "kind": "document"}, Job(7, "notify", 1, 1_001, 1_001))
    assert await db.read(ops.unread, [JACQUELINE]) == 3


async def test_reading_and_the_neighbour(db: Database, keys: KeyRing) -> None:
    def write(tx: Transaction) -> None:
        ops.ring(tx, keys, JACQUELINE, Kind.MESSAGE, [], b"1", 10)
        ops.ring(tx, keys, JACQUELINE, Kind.DOCUMENT, ["/documents/4"], b"2", 20)
        ops.ring(tx, keys, NEIGHBOUR, Kind.MESSAGE, [], b"3", 30)

    await db.write(write)
    [theirs] = await db.read(ops.notices_of, keys, [NEIGHBOUR])
    assert [n.at for n in await db.read(ops.notices_of, keys, [JACQUELINE])] == [20, 10]
    assert await db.write(ops.mark_read, [JACQUELINE], 99, theirs.id) == 0
    assert await db.read(ops.unread, [NEIGHBOUR]) == 1
    assert await db.read(ops.unread, [JACQUELINE]) == 2
    assert await db.write(ops.mark_read, [JACQUELINE], 99) == 2
    assert await db.read(ops.unread, [JACQUELINE]) == 0
    assert await db.read(ops.notices_of, keys, [JACQUELINE], 50, 0, True) == []
    assert await db.read(ops.count, [JACQUELINE, NEIGHBOUR]) == 3


async def test_seen_things_take_the_oldest_entries_of_their_kind_and_box(db: Database, keys: KeyRing) -> None:
    def write(tx: Transaction) -> None:
        ops.ring(tx, keys, JACQUELINE, Kind.MESSAGE, [], b"1", 30)
        ops.ring(tx, keys, JACQUELINE, Kind.MESSAGE, [], b"2", 10)
        ops.ring(tx, keys, JACQUELINE, Kind.MESSAGE, [], b"3", 20)
        ops.ring(tx, keys, JACQUELINE, Kind.DOCUMENT, ["/documents/4", "/documents/5"], b"4", 5)
        ops.ring(tx, keys, NEIGHBOUR, Kind.MESSAGE, [], b"5", 1)

    async def still_unread() -> list[int]:
        return sorted(n.at for n in await db.read(ops.notices_of, keys, [JACQUELINE, NEIGHBOUR], 50, 0, True))

    await db.write(write)
    assert await db.write(ops.mark_oldest_read, JACQUELINE, Kind.MESSAGE, 0, 99) == 0
    assert await db.write(ops.mark_oldest_read, JACQUELINE, Kind.MESSAGE, 2, 99) == 2
    assert await still_unread() == [1, 5, 5, 30]
    assert await db.write(ops.mark_oldest_read, JACQUELINE, Kind.MESSAGE, 9, 99) == 1
    assert await still_unread() == [1, 5, 5]
    [about] = await db.read(ops.unread_about, keys, JACQUELINE, Kind.DOCUMENT, "/documents/5")
    assert await db.write(ops.mark_read, [JACQUELINE], 99, about) == 1
    assert await db.read(ops.unread_about, keys, JACQUELINE, Kind.DOCUMENT, "/documents/5") == []
    assert await db.read(ops.unread_about, keys, NEIGHBOUR, Kind.DOCUMENT, "/documents/4") == []
    assert await still_unread() == [1, 5]


async def test_through_the_real_jobs(db: Database, keys: KeyRing) -> None:
    outbox = Outbox()
    jobs = Jobs(db, keys)
    jobs.handle("notify", Notifier(db, keys, addressees, outbox.send))
    await db.write(lambda tx: jobs.enqueue(tx, "notify", {"box_id": JACQUELINE, "kind": "message"}))
    await jobs.drain()
    assert len(outbox.sent) == 2
    assert await db.read(ops.unread, [JACQUELINE]) == 1

"""Mailboxes: creation, look-ups, life, quota, keys; nothing personal in the rows; two processes see each other's changes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from foundation.database import Database, Transaction
from foundation.keys import Tampered
from foundation.remembered import MEMORY, NotRemembered
from mssante.identity import demo_ins, luhn_key
from mssante.kinds import BoxKind, BoxState, ProfileState
from mssante.mailbox import AddressTaken, Holder, NewMailbox, mark_told
from mssante.mailboxes import Mailboxes
from mssante.tables import mailboxes

RPPS = "1099000001" + luhn_key("1099000001")
FINESS = "99000011" + luhn_key("99000011")
ROCHE = Holder("Dr Camille Roche", RPPS, "Médecin généraliste", "01 99 00 10 10", "Villefleur")


async def test_created_then_resolved_without_case(space: Any) -> None:
    made = await space.box("Camille.Roche@Medecins.EXAMPLE", holder=ROCHE)
    found = await space.db.read(space.boxes.resolve, "camille.roche@medecins.example")
    assert found == made
    assert found.holder == ROCHE
    assert found.address.text == "Camille.Roche@medecins.example"
    assert await space.db.read(space.boxes.get, made.id) == made
    assert await space.db.read(space.boxes.address, made.id) == "camille.roche@medecins.example"
    fresh = Mailboxes(space.keys)
    assert await space.db.read(fresh.resolve, "CAMILLE.ROCHE@medecins.example") == made
    assert await space.db.read(space.boxes.resolve, "nobody@medecins.example") is None
    assert await space.db.read(space.boxes.resolve, "not an address") is None


async def test_an_address_is_never_given_twice(space: Any) -> None:
    made = await space.box("a.b@medecins.example")
    with pytest.raises(AddressTaken):
        await space.box("A.B@medecins.example")
    await space.db.write(space.boxes.set_state, made.id, BoxState.CLOSED, 2_000)
    with pytest.raises(AddressTaken):
        await space.box("a.b@medecins.example")


@pytest.mark.parametrize(
    "new",
    [
        NewMailbox("nonsense", BoxKind.PER),
        NewMailbox("279035121518988@patient.example", BoxKind.CIT, profile=ProfileState.ACTIVATED),
        NewMailbox("jacqueline@patient.example", BoxKind.CIT, profile=ProfileState.ACTIVATED),
        NewMailbox("279035121518989@patient.example", BoxKind.CIT),
        NewMailbox("a@medecins.example", BoxKind.PER, profile=ProfileState.ACTIVATED),
        NewMailbox("a@medecins.example", BoxKind.PER, Holder("x", RPPS[:-1] + "x")),
        NewMailbox("a@chu.example", BoxKind.ORG, Holder("x", RPPS)),
    ],
    ids=str,
)
async def test_malformed_mailboxes_are_refused(space: Any, new: NewMailbox) -> None:
    with pytest.raises(ValueError):
        await space.db.write(space.boxes.create, new, 1)


async def test_holders_of_each_kind(space: Any) -> None:
    await space.box("a@medecins.example", BoxKind.PER, holder=Holder(holder_id=RPPS))
    await space.box("b@chu.example", BoxKind.ORG, holder=Holder(holder_id=FINESS))
    citizen = await space.citizen()
    assert citizen.profile is ProfileState.ACTIVATED


async def test_life(space: Any) -> None:
    box = await space.box("a.b@medecins.example")
    citizen = await space.citizen()
    await space.db.write(space.boxes.set_state, box.id, BoxState.CLOSED, 2_000)
    await space.db.write(space.boxes.set_profile, citizen.id, ProfileState.OPPOSED)
    await space.db.write(space.boxes.set_holder, citizen.id, Holder("Jacqueline Faure"))
    closed = await space.db.read(space.boxes.get, box.id)
    assert (closed.state, closed.closed_at) == (BoxState.CLOSED, 2_000)
    seen = await space.db.read(space.boxes.get, citizen.id)
    assert (seen.profile, seen.holder.display_name) == (ProfileState.OPPOSED, "Jacqueline Faure")
    await space.db.write(space.boxes.set_state, box.id, BoxState.ACTIVE, 3_000)
    assert (await space.db.read(space.boxes.get, box.id)).closed_at is None
    with pytest.raises(KeyError):
        await space.db.write(space.boxes.set_state, 999, BoxState.CLOSED, 1)


async def test_changes_of_another_process_are_seen(space: Any) -> None:
    box = await space.box("a.b@medecins.example")
    other = Database(space.url, type(space.db.signals)())
    other_boxes = Mailboxes(space.keys)
    try:
        assert (await space.db.read(space.boxes.get, box.id)).state is BoxState.ACTIVE
        await other.write(other_boxes.set_state, box.id, BoxState.CLOSED, 2_000)
        space.boxes.forget(box.id)  # what the signal calls; signals themselves are foundation's
        assert (await space.db.read(space.boxes.get, box.id)).state is BoxState.CLOSED
    finally:
        await asyncio.to_thread(other.close_now)


async def test_without_signal_a_change_is_seen_within_a_minute(space: Any) -> None:
    now = 0.0
    boxes = Mailboxes(space.keys, lambda: now)
    box = await space.box("a.b@medecins.example")
    assert (await space.db.read(boxes.get, box.id)).state is BoxState.ACTIVE
    await space.db.write(space.boxes.set_state, box.id, BoxState.CLOSED, 2_000)
    assert (await space.db.read(boxes.get, box.id)).state is BoxState.ACTIVE
    now = 60.0
    assert (await space.db.read(boxes.get, box.id)).state is BoxState.CLOSED


async def test_quota_is_never_passed(space: Any) -> None:
    box = await space.box("a.b@medecins.example", quota_bytes=100)
    answers = await asyncio.gather(*(space.db.write(space.boxes.charge, box.id, 30) for _ in range(5)))
    assert sorted(answers) == [False, False, True, True, True]
    assert await space.db.read(space.boxes.quota, box.id) == (90, 100)
    assert await space.db.write(space.boxes.charge, box.id, 10)
    assert not await space.db.write(space.boxes.charge, box.id, 1)
    assert await space.db.write(space.boxes.charge, box.id, -60)
    assert await space.db.read(space.boxes.quota, box.id) == (40, 100)
    await space.db.write(space.boxes.set_quota, box.id, 20)
    assert await space.db.write(space.boxes.charge, box.id, -5)  # giving back is always allowed
    with pytest.raises(KeyError):
        await space.db.read(space.boxes.quota, 999)


async def test_room_is_remembered_far_from_the_limit_only(space: Any) -> None:
    box = await space.box("a.b@medecins.example", quota_bytes=1_000)
    with pytest.raises(NotRemembered):
        space.boxes.has_room(MEMORY, box.id)
    assert await space.db.read(space.boxes.has_room, box.id)
    assert space.boxes.has_room(MEMORY, box.id)
    assert await space.db.write(space.boxes.charge, box.id, 900)
    assert not await space.db.write(space.boxes.charge, box.id, 200)  # refused: the room is looked at again
    assert await space.db.read(space.boxes.has_room, box.id)
    with pytest.raises(NotRemembered):
        space.boxes.has_room(MEMORY, box.id)
    assert await space.db.write(space.boxes.charge, box.id, 100)
    assert not await space.db.read(space.boxes.has_room, box.id)


async def test_a_smaller_quota_is_seen_at_once(space: Any) -> None:
    box = await space.box("a.b@medecins.example", quota_bytes=1_000)
    assert await space.db.read(space.boxes.has_room, box.id)
    await space.db.write(space.boxes.set_quota, box.id, 0)
    assert not await space.db.read(space.boxes.has_room, box.id)


@pytest.mark.parametrize(
    ("told", "used", "after"),
    [
        (0, 79, 0), (0, 80, 80), (80, 94, 80), (80, 95, 95), (0, 99, 95), (95, 100, 95),  # filling
        (95, 91, 95), (95, 90, 95), (95, 89, 80), (80, 76, 80), (80, 75, 80), (80, 74, 0), (95, 10, 0),  # emptying
    ],
)  # fmt: skip
def test_the_mark_that_people_know_of(told: int, used: int, after: int) -> None:
    assert mark_told(told, used, 100) == after


async def test_each_mark_is_told_once_until_the_mailbox_was_emptied(space: Any) -> None:
    told: list[int] = []
    boxes = Mailboxes(space.keys, on_mark=lambda _tx, _box, mark: told.append(mark))
    box = await space.box("a.b@medecins.example", quota_bytes=100)
    for octets in (79, 1, 10, -2, 2, 4, 1, 4, -1):  # 79 80 90 88 90 94 95 99 98
        assert await space.db.write(boxes.charge, box.id, octets)
    assert told == [80, 95]
    assert not await space.db.write(boxes.charge, box.id, 3)  # full: nothing changed, nothing more to tell
    for octets in (-90, 88):  # 8 96
        await space.db.write(boxes.charge, box.id, octets)
    assert told == [80, 95, 95]
    await space.db.write(boxes.set_quota, box.id, 1_000)  # room was made
    await space.db.write(boxes.set_quota, box.id, 118)  # 81 %
    assert told == [80, 95, 95, 80]


async def test_each_mailbox_has_its_own_key(space: Any) -> None:
    one, two = await space.box("a@medecins.example"), await space.box("b@medecins.example")
    sealed = (await space.db.read(space.boxes.key, one.id)).seal(b"secret", b"x")
    fresh = Mailboxes(space.keys)
    assert (await space.db.read(fresh.key, one.id)).open(sealed, b"x") == b"secret"
    with pytest.raises(Tampered):
        (await space.db.read(fresh.key, two.id)).open(sealed, b"x")


async def test_final_deletion_destroys_the_key_and_forgets_the_holder(space: Any) -> None:
    citizen = await space.citizen()
    await space.db.read(space.boxes.key, citizen.id)
    await space.db.write(space.boxes.destroy, citizen.id, 5_000)
    with pytest.raises(KeyError):
        await space.db.read(space.boxes.key, citizen.id)
    left = await space.db.read(space.boxes.get, citizen.id)
    assert left.holder == Holder()
    assert left.state is BoxState.CLOSED


async def test_rows_hold_nothing_personal_in_the_clear(space: Any) -> None:
    await space.box("camille.roche@medecins.example", holder=ROCHE)
    await space.citizen()
    rows = await space.db.read(lambda conn: [list(row) for row in conn.execute(select(mailboxes))])
    text = b"|".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
    for secret in ("roche", "Roche", RPPS, "Jacqueline", demo_ins(1).value, "Villefleur", "medecins.example"):
        assert secret.encode() not in text


async def test_a_rolled_back_creation_leaves_nothing_behind(space: Any) -> None:
    def half(tx: Transaction) -> None:
        made = space.boxes.create(tx, NewMailbox("a@medecins.example", BoxKind.PER), 1)
        space.boxes.set_state(tx, made.id, BoxState.SUSPENDED, 2)
        raise LookupError

    with pytest.raises(LookupError):
        await space.db.write(half)
    assert await space.db.read(space.boxes.resolve, "a@medecins.example") is None
    assert "ROCHE" not in repr(await space.box("a@medecins.example", holder=ROCHE)).upper()

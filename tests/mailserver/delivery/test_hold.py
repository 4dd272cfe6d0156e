"""FUTURERELEASE (RFC 4865): nothing before its hour, everything at it, once, by the rules of that hour."""

from __future__ import annotations

import asyncio
import json
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from foundation.clock import DAY, HOUR
from foundation.database import Transaction
from foundation.dn import parse
from foundation.jobs import LEASE, Job, counts
from foundation.tables import blobs as blob_rows
from foundation.tables import jobs as job_rows
from mailserver.delivery.api import Door, Envelope, Outcome, Recipient, Sender, Terms
from mailserver.delivery.notices import Notices
from mailserver.delivery.release import Release
from mailserver.delivery.traces import Traces
from mailserver.outbound.compose import Office
from mailserver.outbound.queue import Chosen, State, cancel, listed, retry, shown
from mailserver.outbound.relay import Relay
from mailserver.store.sweep import GRACE, sweep
from mssante import app_passwords, devices
from mssante.credential_rows import CredentialRows
from mssante.kinds import BoxKind, BoxState
from mssante.mailbox import Holder, NewMailbox
from mssante.passwords import PasswordHash
from mssante.reasons import SENDER_BOX_INACTIVE, SENDER_LOST_RIGHT, TOO_MANY_HELD
from mssante.rights import Role
from mssante.sent_for_later import UNKNOWN, Brought
from mssante.signed_in import IMAP, SUBMISSION, NewCredential
from mssante.tables import credentials
from tests.mailserver.delivery.conftest import CITIZEN, DOCTOR, PEER, PHARMACY, SERVICE, START, World, mail
from tests.mailserver.delivery.test_accept import fates

OFFICE = Office("mail.cabinet.example", "postmaster@cabinet.example")
AT = START + 2 * DAY
LATER = Terms(hold_until=AT, hold="for;172800")


@pytest.fixture(autouse=True)
def _handlers(world: World) -> None:
    space = world.space
    space.jobs.handle("held", Release(space, world.delivery))
    Notices(space, OFFICE, world.delivery).register()


async def work(world: World, at: int) -> int:
    world.now = at
    return await world.space.jobs.drain()


async def kinds(world: World) -> dict[Any, int]:
    return await world.space.db.read(counts)


async def test_a_message_for_here_and_elsewhere_waits_whole(world: World) -> None:
    letter = mail(DOCTOR, CITIZEN)
    wish = Recipient(PEER, frozenset({"FAILURE"}), "rfc822;x@y.example")
    outcome = await world.send(DOCTOR, [SERVICE, CITIZEN, wish], letter, terms=LATER, envid="e-1", smtp_utf8=True)
    assert fates(outcome) == [("held", None)] * 3
    assert await kinds(world) == {("held", "waiting"): 1}
    assert await work(world, AT - 1) == 0
    assert [await world.rows(one) for one in (SERVICE, CITIZEN)] == [[], []]
    assert await world.exchange(CITIZEN, DOCTOR) is None

    assert await work(world, AT) == 1
    assert [len(await world.rows(one)) for one in (SERVICE, CITIZEN)] == [1, 1]
    [row] = await world.rows(SERVICE)
    assert row.internal_date == AT // 1000
    received = await world.last(SERVICE)
    assert received.startswith(b"Return-Path: <dr.martin@cabinet.example>\r\nX-MSS-NIL: PRODUIT-42\r\n")
    assert received.endswith(letter)
    assert received.count(b"X-MSS-NIL") == received.count(b"Return-Path") == 1
    assert await world.exchange(CITIZEN, DOCTOR) is not None
    [(_, relay)] = await world.jobs("relay")
    assert relay["recipients"] == [{"address": PEER, "notify": ["FAILURE"], "orcpt": "rfc822;x@y.example"}]
    assert (relay["envid"], relay["created_at"], relay["smtp_utf8"]) == ("e-1", START, True)
    assert relay["terms"] == {**relay["terms"], "hold_until": AT, "hold": "for;172800"}
    assert await kinds(world) == {("relay", "waiting"): 1, ("notify", "waiting"): 1}


async def test_the_rules_are_those_of_the_hour(world: World) -> None:
    """Refused when it is sent: told at once. Refused at its hour: told by a bounce, even when nobody is left."""
    both = [SERVICE, "nobody@cabinet.example"]
    assert fates(await world.send(DOCTOR, both, mail(DOCTOR, SERVICE), terms=LATER)) == [
        ("held", None),
        ("refused", "box_unknown"),
    ]
    await work(world, START)
    assert b"Status: 5.1.1" in await world.last(DOCTOR)
    assert b"Future-Release-Request: for;172800" in await world.last(DOCTOR)
    await world.space.db.write(world.space.mailboxes.set_state, world.ids[SERVICE], BoxState.CLOSED, world.now)
    await work(world, AT)
    bounce = (await world.last(DOCTOR)).decode()
    assert "Final-Recipient: rfc822; cardio@cabinet.example" in bounce
    assert "Arrival-Date: Fri, 15 Jan 2027 08:00:00 +0000" in bounce
    assert "Future-Release-Request: for;172800" in bounce
    assert len(await world.rows(DOCTOR)) == 2
    assert await kinds(world) == {}


async def member_of(world: World, role: Role = Role.MEMBER, box: str = SERVICE) -> int:
    """A person who can sign in to the mailbox; returns their number."""
    rows = CredentialRows(world.space.keys, world.space.mailboxes)
    nobody = PasswordHash("x", None)
    new = NewCredential(world.ids[box], f"{box} {role.value}", "Luc Petit", nobody, role=role)
    return await world.space.db.write(rows.add, new, world.now)


async def held_by(world: World, member: int, brought: Brought = UNKNOWN) -> None:
    """A message of « Cardiologie » to the doctor, prepared by `member`."""
    who = Sender(Door.SUBMISSION, world.ids[SERVICE], "Luc Petit", member, brought=brought)
    outcome = await world.send(SERVICE, DOCTOR, mail(SERVICE, DOCTOR), who=who, terms=LATER)
    assert fates(outcome) == [("held", None)]


async def told(world: World) -> str:
    """After its hour: nothing was delivered, and the mailbox that sent it knows why."""
    await work(world, AT)
    assert (await world.rows(DOCTOR), await kinds(world)) == ([], {})
    assert len(await world.rows(SERVICE)) == 1
    bounce = message_from_bytes(await world.last(SERVICE), policy=default)
    assert "Future-Release-Request: for;172800" in bounce.as_string()
    return str(next(part.get_content() for part in bounce.walk() if part.get_content_type() == "text/plain"))


async def test_a_member_who_may_still_send_does(world: World) -> None:
    for role in (Role.MEMBER, Role.HOLDER):
        await held_by(world, await member_of(world, role))
    await held_by(world, 0)  # a program's, by its certificate
    await work(world, AT)
    assert len(await world.rows(DOCTOR)) == 3


@pytest.mark.parametrize("lost", ["revoked", "reader", "no mail", "no longer there"])
async def test_what_a_member_prepared_is_not_sent_when_they_lost_the_right(world: World, lost: str) -> None:
    rows, member = CredentialRows(world.space.keys, world.space.mailboxes), await member_of(world)
    await held_by(world, member)

    def lose(tx: Transaction) -> None:
        mine = credentials.c.id == member
        match lost:
            case "revoked":
                rows.revoke(tx, member)
            case "reader":
                rows.set_role(tx, member, Role.READER)
            case "no mail":
                tx.execute(update(credentials).where(mine).values(scopes="web"))
            case _:
                tx.execute(delete(credentials).where(mine))

    await world.space.db.write(lose)
    assert SENDER_LOST_RIGHT.en in " ".join((await told(world)).split())


async def test_the_right_to_send_from_another_mailbox_is_none_here(world: World) -> None:
    await held_by(world, await member_of(world, Role.HOLDER, PHARMACY))
    assert SENDER_LOST_RIGHT.en in " ".join((await told(world)).split())


async def test_a_mailbox_suspended_meanwhile_sends_nothing(world: World) -> None:
    await held_by(world, await member_of(world))
    await world.space.db.write(world.space.mailboxes.set_state, world.ids[SERVICE], BoxState.SUSPENDED, world.now)
    assert SENDER_BOX_INACTIVE.en in " ".join((await told(world)).split())


async def app_password_of(world: World, person: int, protocol: str = SUBMISSION) -> int:
    keys, rows = world.space.keys, CredentialRows(world.space.keys, world.space.mailboxes)
    secret = app_passwords.new_secret(rows.salt_for("anyone"))
    add = app_passwords.add
    return await world.space.db.write(add, keys, person, "Téléphone", frozenset({protocol}), secret, world.now)


async def took_away(world: World, what: str, person: int, app: int) -> None:
    rows = CredentialRows(world.space.keys, world.space.mailboxes)

    def take(tx: Transaction) -> None:
        match what:
            case "that application password":
                assert app_passwords.remove(tx, person, app)
            case "all of them":
                app_passwords.remove_all(tx, person)
            case "all devices signed out":
                devices.sign_out(tx, person, AT - HOUR)
            case "the sign-in":
                rows.revoke(tx, person)
            case "the right to mail":
                tx.execute(update(credentials).where(credentials.c.id == person).values(scopes="web"))
            case _:
                world.space.mailboxes.set_state(tx, world.ids[PHARMACY], BoxState.CLOSED, AT)

    await world.space.db.write(take)


TAKEN = ["that application password", "all of them", "all devices signed out", "the sign-in", "the right to mail"]


@pytest.mark.parametrize("what", TAKEN)
async def test_what_an_application_password_brought_goes_with_it(world: World, what: str) -> None:
    member = await member_of(world)
    app = await app_password_of(world, member)
    await held_by(world, member, Brought(member, app, START))
    await took_away(world, what, member, app)
    assert " ".join(SENDER_LOST_RIGHT.fr.split()) in " ".join((await told(world)).split())


@pytest.mark.parametrize("what", [*TAKEN, "their own mailbox"])
async def test_from_a_shared_mailbox_it_is_their_own_sign_in_that_stands(world: World, what: str) -> None:
    """Who works in « Cardiologie » wrote in its name from their own mailbox."""
    seat, own = await member_of(world), await member_of(world, Role.HOLDER, PHARMACY)
    app = await app_password_of(world, own)
    await held_by(world, seat, Brought(own, app, START))
    await took_away(world, what, own, app)
    assert " ".join(SENDER_LOST_RIGHT.fr.split()) in " ".join((await told(world)).split())


async def test_what_is_taken_from_others_or_replaced_stops_nothing(world: World) -> None:
    """Another application password, one's own password, a sign-out before it was sent; a new one beside one's own password."""
    member = await member_of(world)
    app, other = await app_password_of(world, member), await app_password_of(world, member)
    for brought in (Brought(member, app, START), Brought(member, 0, START), UNKNOWN):
        await held_by(world, member, brought)
    rows = CredentialRows(world.space.keys, world.space.mailboxes)
    await took_away(world, "that application password", member, other)
    await world.space.db.write(devices.sign_out, member, START - 1)
    await world.space.db.write(rows.set_password, member, PasswordHash("y", None))
    await work(world, AT)
    assert len(await world.rows(DOCTOR)) == 3


@pytest.mark.parametrize("protocol", [IMAP, SUBMISSION])
async def test_an_application_password_for_reading_sends_nothing(world: World, protocol: str) -> None:
    member = await member_of(world)
    await held_by(world, member, Brought(member, await app_password_of(world, member, protocol), START))
    await work(world, AT)
    assert len(await world.rows(DOCTOR)) == (protocol == SUBMISSION)


@pytest.mark.parametrize("bound", [True, False])
async def test_a_program_sends_while_its_certificate_opens_the_mailbox(world: World, bound: bool) -> None:
    lab, boxes = parse("CN=labo,O=Centre,C=FR"), world.space.mailboxes
    new = NewMailbox("resultats@cabinet.example", BoxKind.APP, Holder(display_name="Résultats"))

    def made(tx: Transaction) -> int:
        box = boxes.create(tx, new, START)
        world.space.store.open_box_in(tx, box.id, professional=True)
        boxes.bind(tx, box.id, lab)
        return box.id

    world.ids[new.address] = box_id = await world.space.db.write(made)
    who = Sender(Door.SUBMISSION, box_id, "Résultats", brought=Brought(certificate=lab.text))
    letter = mail(new.address, DOCTOR)
    assert fates(await world.send(new.address, DOCTOR, letter, who=who, terms=LATER)) == [("held", None)]
    if not bound:
        await world.space.db.write(boxes.bind, box_id, None)
    await work(world, AT)
    assert [len(await world.rows(one)) for one in (DOCTOR, new.address)] == ([1, 0] if bound else [0, 1])


async def test_a_message_held_before_the_sign_in_was_kept_goes_out(world: World) -> None:
    member = await member_of(world)
    await held_by(world, member)
    registry, kind = world.space.keys.registry, b"job held"

    def older(tx: Transaction) -> None:
        payload = json.loads(registry.open(tx.execute(select(job_rows.c.payload)).scalar_one(), kind))
        del payload["sender"]["brought"]
        tx.execute(update(job_rows).values(payload=registry.seal(json.dumps(payload).encode(), kind)))

    await world.space.db.write(older)
    await work(world, AT)
    assert len(await world.rows(DOCTOR)) == 1


async def test_a_message_refused_to_all_is_not_held(world: World) -> None:
    outcome = await world.send(DOCTOR, "nobody@cabinet.example", mail(DOCTOR, SERVICE), terms=LATER)
    assert fates(outcome) == [("refused", "box_unknown")]
    assert await kinds(world) == {}


async def test_an_hour_that_passed_while_the_message_came_is_now(world: World) -> None:
    terms = Terms(hold_until=START, hold="until;2027-01-15T08:00:00Z")
    assert fates(await world.send(DOCTOR, SERVICE, mail(DOCTOR, SERVICE), terms=terms)) == [("delivered", None)]


async def test_a_process_that_dies_after_the_delivery_delivers_once(world: World) -> None:
    """The promise goes in the transaction of the delivery; before it, nothing was delivered."""
    dies = [RuntimeError("before"), None]
    release, space = world.delivery.release, world.space

    async def dying(envelope: Envelope, content: Any, promise: Job) -> Outcome:
        if (fault := dies.pop(0)) is not None:
            raise fault
        await release(envelope, content, promise)
        raise RuntimeError("after")

    world.delivery.release = dying  # type: ignore[method-assign]
    await world.send(DOCTOR, SERVICE, mail(DOCTOR, SERVICE), terms=LATER)
    await work(world, AT)
    assert (await world.rows(SERVICE), await kinds(world)) == ([], {("held", "waiting"): 1})
    await work(world, AT + HOUR)
    assert (len(await world.rows(SERVICE)), await kinds(world)) == (1, {})
    assert await space.jobs.drain() == 0


async def test_two_workers_deliver_once(world: World) -> None:
    """The first one was thought dead: its lease is over, the second takes the job, then both come to the door."""
    await world.send(DOCTOR, SERVICE, mail(DOCTOR, SERVICE), terms=LATER)
    world.now = AT
    release, reached, go = world.delivery.release, asyncio.Event(), asyncio.Event()

    async def slow(envelope: Envelope, content: Any, promise: Job) -> Outcome:
        if promise.attempts == 1:
            reached.set()
            await go.wait()
        return await release(envelope, content, promise)

    world.delivery.release = slow  # type: ignore[method-assign]
    first = asyncio.create_task(world.space.jobs.drain())
    await reached.wait()
    world.now += LEASE + 1
    await world.space.jobs.drain()
    go.set()
    await first
    assert (len(await world.rows(SERVICE)), await kinds(world)) == (1, {})


# ---------------------------------------------------------------- room
async def test_one_account_holds_so_many_and_takes_no_room_from_another(world: World) -> None:
    """RFC 4865 6."""
    object.__setattr__(world.space, "held_messages", 2)
    doctor, service = (Sender(world.sender(one).door, world.ids[one]) for one in (DOCTOR, SERVICE))
    for _ in range(2):
        assert await world.delivery.room_to_hold(doctor) is None
        assert fates(await world.send(DOCTOR, PEER, mail(DOCTOR, PEER), terms=LATER)) == [("held", None)]
    assert await world.delivery.room_to_hold(doctor) is TOO_MANY_HELD
    assert fates(await world.send(DOCTOR, PEER, mail(DOCTOR, PEER), terms=LATER)) == [("refused", "too_many_held")]
    assert fates(await world.send(DOCTOR, PEER, mail(DOCTOR, PEER))) == [("relayed", None)]
    assert await world.delivery.room_to_hold(service) is None
    await work(world, AT)
    assert await world.delivery.room_to_hold(doctor) is None


async def test_the_content_outlives_the_wait(world: World) -> None:
    terms = Terms(hold_until=START + 30 * DAY, hold="for;2592000")
    both = [SERVICE, "nobody@cabinet.example"]  # its bounce points to the same blob
    await world.send(DOCTOR, both, mail(DOCTOR, SERVICE), terms=terms)
    world.now = START + 29 * DAY
    await world.space.db.write(sweep, world.space.blobs, world.now)
    await work(world, START + 30 * DAY)
    assert (await world.last(SERVICE)).endswith(b"Texte\r\n")
    await world.space.db.write(sweep, world.space.blobs, START + 30 * DAY + GRACE)
    blobs = await world.space.db.read(lambda conn: conn.execute(select(blob_rows.c.id)).all())
    assert len(blobs) == 2, "what was delivered, and the bounce"


async def test_a_message_that_was_lost_is_shown_to_the_operator(world: World) -> None:
    await world.send(DOCTOR, SERVICE, mail(DOCTOR, SERVICE), terms=LATER)
    await world.space.db.write(lambda tx: tx.execute(update(blob_rows).values(name="gone")))
    await work(world, AT)
    [one] = await world.space.db.read(listed, Chosen(), world.now)
    assert (one.state, one.last_reason) == (State.FAILED, "message_lost")


# ---------------------------------------------------------------- the operator
async def test_the_queue_shows_what_is_held_and_leaves_its_hour_alone(world: World) -> None:
    await world.send(DOCTOR, [SERVICE, PEER], mail(DOCTOR, SERVICE), terms=LATER)
    [one] = await world.space.db.read(listed, Chosen(), world.now)
    assert (one.state, one.domain, one.next_try) == (State.HELD, "", AT)
    found = await world.space.db.read(shown, world.space.jobs, one.id)
    assert found is not None
    assert {to.address for to in found[1].recipients} == {SERVICE, PEER}
    assert found[1].reverse_path == DOCTOR
    assert await world.space.db.read(listed, Chosen(domain="hopital.example"), world.now) == []
    assert await world.space.db.write(retry, Chosen(), world.now) == []
    assert await world.space.jobs.drain() == 0


@pytest.mark.parametrize(("silent", "told"), [(False, 1), (True, 0)])
async def test_a_held_message_is_called_off(world: World, silent: bool, told: int) -> None:
    space = world.space
    traces = Traces(space.keys)
    relay = Relay(space.db, space.blobs, None, None, world.delivery.accept, OFFICE, traces, clock=space.clock)  # type: ignore[arg-type]
    space.jobs.handle("relay", relay)
    await world.send(DOCTOR, [SERVICE, PEER], mail(DOCTOR, SERVICE), terms=LATER)
    [one] = await space.db.read(listed, Chosen(), world.now)
    assert await space.db.write(cancel, space.jobs, traces, Chosen((one.id,)), world.now, silent) == [one.id]
    await space.jobs.drain()
    assert await work(world, AT) == 0
    assert (await world.rows(SERVICE), await kinds(world)) == ([], {})
    [trace] = await space.db.read(traces.find, "m1@x.example", None, world.now - 5 * DAY, world.now + 1, 9)
    assert {trace.verdict(SERVICE), trace.verdict(PEER)} == {"called_off"}
    reports = [await world.last(DOCTOR) for _ in await world.rows(DOCTOR)]
    assert len(reports) == told
    for report in reports:
        assert report.count(b"Status: 5.3.0") == 2
        assert b"Future-Release-Request: for;172800" in report


async def test_what_is_held_says_nothing_to_who_reads_the_disk(world: World) -> None:
    await world.send(DOCTOR, PEER, mail(DOCTOR, PEER, subject="Biopsie"), terms=LATER)
    rows = await world.space.db.read(lambda conn: conn.execute(select(job_rows)).all())
    [row] = rows
    assert row.lane == f"box {world.ids[DOCTOR]}"
    assert not any(word in repr(tuple(row)) for word in ("hopital", "martin", "Biopsie"))

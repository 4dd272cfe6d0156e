"""`accept`: one message, one transaction, one verdict per recipient (docs/rules.md sections 1, 2, 3, 6, 7)."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from foundation.audit import verify
from foundation.blob_files import FolderFiles
from foundation.blob_receiver import Receiver
from foundation.blobs import INLINE, WAITING, PreparedBlob
from foundation.clock import DAY
from foundation.tables import audit as audit_rows
from foundation.tables import blobs as blob_rows
from foundation.tally import sums
from mailserver.delivery import letter
from mailserver.delivery.api import Door, Envelope, Fate, Recipient, Sender, Terms
from mailserver.store.api import Flag
from mailserver.store.tables import messages
from mssante.kinds import BoxState, ExchangeState, ProfileState
from tests.mailserver.delivery.conftest import CHILD, CITIZEN, DOCTOR, PEER, PHARMACY, SERVICE, World, mail
from tests.support.there import there

STRANGER = "someone@elsewhere.example"


def fates(outcome: Any) -> list[tuple[str, str | None]]:
    return [(one.fate.value, one.reason.name if one.reason else None) for one in outcome.verdicts]


async def blob_count(world: World) -> int:
    return await world.space.db.read(
        lambda conn: conn.execute(select(func.count()).select_from(blob_rows)).scalar_one()
    )


async def test_a_program_that_names_no_message_gets_a_name_so_that_answers_find_their_thread(world: World) -> None:
    bare = mail(DOCTOR, CITIZEN).replace(
        b"Message-ID: <m1@x.example>\r\nDate: Thu, 12 Nov 2026 09:40:00 +0100\r\n", b""
    )
    await world.send(DOCTOR, CITIZEN, bare)
    received = (await world.last(CITIZEN)).partition(b"\r\n\r\n")[0]
    assert received.count(b"Message-ID: <") == 1
    assert received.count(b"Date: ") == 1


async def test_a_peers_mail_reaches_a_colleague(world: World) -> None:
    outcome = await world.send(PEER, DOCTOR, mail(PEER, DOCTOR, text="Résultats"))
    assert fates(outcome) == [("delivered", None)]
    content = await world.last(DOCTOR)
    assert content.startswith(b"From:"), "the door wrote the Return-Path, before the content came here"
    assert b"X-MSS-NIL" not in content, "only what our own users send carries our number"
    assert content.endswith("Résultats\r\n".encode())
    assert await world.jobs() == []


async def test_a_doctor_writes_to_a_citizen_who_may_then_answer(world: World) -> None:
    before = await world.send(CITIZEN, DOCTOR, mail(CITIZEN, DOCTOR))
    assert fates(before) == [("refused", "never_wrote")]
    letter = mail(DOCTOR, CITIZEN, more=("MIME-Version: 1.0",))
    assert fates(await world.send(DOCTOR, CITIZEN, letter)) == [("delivered", None)]
    assert b"X-MSS-NIL: PRODUIT-42\r\n" in await world.last(CITIZEN)
    exchange = await world.exchange(CITIZEN, DOCTOR)
    assert exchange is not None
    assert (exchange.state, exchange.contact.name) == (ExchangeState.OPEN, "Dr Claire Martin")
    [(kind, payload)] = await world.jobs()
    assert payload.pop("content"), "of which its trace says when they were told"
    assert (kind, payload) == ("notify", {"box_id": world.ids[CITIZEN], "kind": "message"})

    answer = mail(CITIZEN, DOCTOR, ident="m2", more=("In-Reply-To: <m1@x.example>",))
    assert fates(await world.send(CITIZEN, DOCTOR, answer)) == [("delivered", None)]
    [sent] = await world.rows(CITIZEN, "Envoyés")
    assert sent.flags.system & Flag.SEEN
    query = select(messages.c.thread_id, messages.c.exchange_id, messages.c.folder_id).order_by(messages.c.blob_id)
    rows = await world.space.db.read(lambda conn: conn.execute(query).all())
    mine = {folder.id for folder in (await world.folders(CITIZEN)).values()}
    citizens = [(row.thread_id, row.exchange_id) for row in rows if row.folder_id in mine]
    assert citizens[0] == citizens[1] == (rows[0].thread_id, exchange.id)
    assert all(row.exchange_id == exchange.id for row in rows), "the professional's copy too: its folder can close it"


@pytest.mark.parametrize("sender", [DOCTOR, PEER])
async def test_what_took_longer_to_come_than_it_had_time_to_arrive_is_refused(world: World, sender: str) -> None:
    """RFC 2852 4.1.3: no longer delivered with R; delivered all the same with N."""
    terms = Terms(deadline=world.now, returns=True)
    assert fates(await world.send(sender, SERVICE, mail(sender, SERVICE), terms=terms)) == [
        ("refused", "not_delivered_in_time")
    ]
    for other in (replace(terms, deadline=world.now + 1), replace(terms, returns=False)):
        assert fates(await world.send(sender, SERVICE, mail(sender, SERVICE), terms=other)) == [("delivered", None)]


async def test_attachments_are_filed_by_a_job(world: World) -> None:
    parts = (
        "--b\r\nContent-Type: text/plain\r\n\r\nVoici\r\n--b\r\nContent-Type: application/pdf\r\n"
        'Content-Disposition: attachment; filename="cr.pdf"\r\n\r\n%PDF\r\n--b--'
    )
    head = f"From: <{DOCTOR}>\r\nTo: <{CITIZEN}>\r\nSubject: CR\r\nMIME-Version: 1.0\r\n"
    content = (head + f"Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}\r\n").encode()
    await world.send(DOCTOR, [CITIZEN, SERVICE], content)
    inbox = (await world.folders(CITIZEN))["INBOX"].id
    [(_, owed)] = await world.jobs("file")
    assert owed.pop("content")
    assert owed == {"box_id": world.ids[CITIZEN], "folder_id": inbox, "uid": 1}
    assert len(await world.jobs("notify")) == 1


async def test_one_stored_copy_serves_all_recipients(world: World) -> None:
    outcome = await world.send(PEER, [DOCTOR, SERVICE, PHARMACY, DOCTOR.upper()], mail(PEER, DOCTOR))
    assert fates(outcome) == [("delivered", None)] * 4
    assert await blob_count(world) == 1
    assert len(await world.rows(DOCTOR)) == 1, "a mailbox named twice gets one message"
    assert await world.last(SERVICE) == await world.last(DOCTOR)


@pytest.mark.parametrize("size", [100, 700_000])
async def test_relay_and_delivery_of_one_message(world: World, size: int) -> None:
    to: list[str | Recipient] = [
        SERVICE,
        Recipient(PEER, frozenset({"SUCCESS", "FAILURE"}), "rfc822;x"),
        "b@labo.example",
        "c@hopital.example",
    ]
    content = mail(DOCTOR, SERVICE, text="x" * size)
    outcome = await world.send(DOCTOR, to, content, envid="e1", ret="HDRS")
    assert [one.fate for one in outcome.verdicts] == [Fate.DELIVERED, Fate.RELAYED, Fate.RELAYED, Fate.RELAYED]
    (_, hospital), (_, laboratory) = await world.jobs("relay")
    assert hospital["domain"] == "hopital.example"
    assert hospital["recipients"] == [
        {"address": PEER, "notify": ["FAILURE", "SUCCESS"], "orcpt": "rfc822;x"},
        {"address": "c@hopital.example", "notify": [], "orcpt": None},
    ]
    assert (hospital["reverse_path"], hospital["envid"], hospital["ret"]) == (DOCTOR, "e1", "HDRS")
    assert laboratory["blob"] == hospital["blob"]
    name, key, octets = hospital["blob"]
    from foundation.blobs import BlobRef

    ref = BlobRef(name, bytes.fromhex(key), octets)
    relayed = await world.space.db.read(world.space.blobs.read, ref)
    assert relayed == b"X-MSS-NIL: PRODUIT-42\r\n" + content, "Return-Path is for final delivery only"
    assert await world.last(SERVICE) == f"Return-Path: <{DOCTOR}>\r\n".encode() + relayed
    files = [path for path in (world.folder / "blobs").rglob("*") if path.is_file()]
    assert len(files) == (2 if size > 65_536 else 0), "the door's own copy is not left behind"


REFUSALS = [
    (PEER, "nobody@cabinet.example", "box_unknown"),
    (PEER, "b@labo.example", "relay_denied"),
    (DOCTOR, STRANGER, "recipient_domain_not_trusted"),
    (DOCTOR, "279035121518988@patient.example", "ins_key_wrong"),
    (DOCTOR, "not an address", "bad_address"),
    (CITIZEN, CHILD, "citizen_to_citizen"),
    (CITIZEN, PHARMACY, "pharmacy_needs_prescription"),
    (STRANGER, DOCTOR, "sender_domain_not_trusted"),
]


@pytest.mark.parametrize(("sender", "to", "reason"), REFUSALS)
async def test_refusals_before_and_after_data(world: World, sender: str, to: str, reason: str) -> None:
    judged = await world.delivery.judge(world.sender(sender), sender, Recipient(to))
    assert judged.reason is not None
    assert judged.reason.name == reason
    outcome = await world.send(sender, to, mail(sender, "x@cabinet.example", text="x" * 100_000))
    assert fates(outcome) == [("refused", reason)]
    assert await blob_count(world) == 0
    assert not [path for path in (world.folder / "blobs").rglob("*") if path.is_file()]
    assert await world.jobs() == []


async def test_judge_allows_what_accept_will(world: World) -> None:
    for sender, to in ((PEER, DOCTOR), (PEER, CITIZEN), (DOCTOR, CHILD), (DOCTOR, PEER), ("", DOCTOR)):
        verdict = await world.delivery.judge(world.sender(sender), sender, Recipient(to))
        assert verdict.fate is Fate.DELIVERED, (sender, to)
    assert await world.jobs() == []


async def test_closed_opposed_suspended(world: World) -> None:
    boxes, db = world.space.mailboxes, world.space.db
    await db.write(boxes.set_profile, world.ids[CHILD], ProfileState.OPPOSED)
    await db.write(boxes.set_state, world.ids[SERVICE], BoxState.CLOSED, world.now)
    outcome = await world.send(PEER, [CHILD, SERVICE, CITIZEN], mail(PEER, CHILD))
    assert fates(outcome) == [("refused", "citizen_opposed"), ("refused", "box_closed"), ("delivered", None)]
    [(_, bounce)] = await world.jobs("bounce")
    assert [(one["address"], one["reason"], one["action"]) for one in bounce["recipients"]] == [
        (CHILD, "citizen_opposed", "failed"),
        (SERVICE, "box_closed", "failed"),
    ]
    assert bounce["reverse_path"] == PEER
    await db.write(boxes.set_state, world.ids[DOCTOR], BoxState.SUSPENDED, world.now)
    assert fates(await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN))) == [("refused", "sender_box_inactive")]


async def test_bounces_obey_notify_and_never_answer_a_notice(world: World) -> None:
    never = Recipient("nobody@cabinet.example", frozenset({"NEVER"}))
    success = Recipient(SERVICE, frozenset({"SUCCESS"}))
    await world.send(PEER, [DOCTOR, never], mail(PEER, DOCTOR))
    assert await world.jobs("bounce") == []
    await world.send("", [DOCTOR, "nobody@cabinet.example"], mail(PEER, DOCTOR))
    assert await world.jobs("bounce") == []
    await world.send(PEER, [success], mail(PEER, DOCTOR))
    [(_, payload)] = await world.jobs("bounce")
    assert [(one["address"], one["action"]) for one in payload["recipients"]] == [(SERVICE, "delivered")]


async def test_from_header(world: World) -> None:
    forged = mail(SERVICE, CITIZEN)
    assert fates(await world.send(DOCTOR, CITIZEN, forged)) == [("refused", "from_not_sender")]
    assert fates(await world.send(CITIZEN, DOCTOR, forged)) == [("refused", "from_not_sender")]
    assert fates(await world.send(PEER, DOCTOR, forged)) == [("refused", "from_domain_not_served")]
    two = mail(PEER, DOCTOR).replace(b">\r\nTo", b">, <dr.martin@cabinet.example>\r\nTo", 1)
    assert fates(await world.send(PEER, DOCTOR, two)) == [("refused", "from_domain_not_served")]
    for nothing in (b"Subject: x\r\n\r\nx", b"From: nobody\r\n\r\nx", b"", b"\xff\x00"):
        assert fates(await world.send(PEER, DOCTOR, nothing)) == [("refused", "message_malformed")]
    other_path = await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN), reverse_path=SERVICE)
    assert fates(other_path) == [("refused", "from_not_sender")]
    assert await world.rows(CITIZEN) == []


async def test_a_null_path_at_submission_is_no_way_around_the_rules(world: World) -> None:
    outcome = await world.send(CITIZEN, [CHILD, DOCTOR], mail(CITIZEN, CHILD), reverse_path="")
    assert fates(outcome) == [("refused", "citizen_to_citizen"), ("refused", "never_wrote")]


async def test_a_peer_cannot_write_as_a_citizen_of_ours(world: World) -> None:
    outcome = await world.send(PEER, DOCTOR, mail(CITIZEN, DOCTOR))
    assert fates(outcome) == [("refused", "from_domain_not_served")]


async def test_a_notice_of_ours_reaches_anyone(world: World) -> None:
    system = Sender(Door.SYSTEM)
    outcome = await world.send("", [DOCTOR, CITIZEN, PEER], mail("postmaster@cabinet.example", DOCTOR), who=system)
    assert fates(outcome) == [("delivered", None), ("delivered", None), ("relayed", None)]
    assert (await world.last(DOCTOR)).startswith(b"Return-Path: <>\r\nX-MSS-NIL: PRODUIT-42\r\n")
    assert await world.exchange(CITIZEN, "postmaster@cabinet.example") is None


async def test_prescription_opens_the_exchange_with_a_pharmacy(world: World) -> None:
    content = mail(CITIZEN, PHARMACY)
    assert fates(await world.send(CITIZEN, PHARMACY, content, prescription=True)) == [("delivered", None)]
    exchange = await world.exchange(CITIZEN, PHARMACY)
    assert exchange is not None
    assert exchange.contact.name == "Pharmacie du Pont"
    assert fates(await world.send(CITIZEN, DOCTOR, mail(CITIZEN, DOCTOR), prescription=True)) == [
        ("refused", "never_wrote")
    ]
    forged = Sender(Door.SUBMISSION, box_id=world.ids[CHILD])
    outcome = await world.send(CHILD, PHARMACY, mail(CHILD, PHARMACY), prescription=True, who=forged)
    assert fates(outcome) == [("refused", "pharmacy_needs_prescription")], "only the web page chooses in the dossier"


async def test_full_mailboxes(world: World) -> None:
    boxes, db = world.space.mailboxes, world.space.db
    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN))
    await db.write(boxes.set_quota, world.ids[SERVICE], 100)
    outcome = await world.send(PEER, SERVICE, mail(PEER, SERVICE))
    assert fates(outcome) == [("refused", "box_full")]
    reason = there(outcome.verdicts[0].reason)
    assert (reason.code, reason.enhanced) == (452, "4.2.2")
    assert await world.rows(SERVICE) == []
    await db.write(boxes.set_quota, world.ids[SERVICE], 0)
    judged = await world.delivery.judge(world.sender(PEER), PEER, Recipient(SERVICE))
    assert judged.reason is not None
    assert judged.reason.name == "box_full"
    await db.write(boxes.set_quota, world.ids[CITIZEN], 10)
    assert fates(await world.send(CITIZEN, DOCTOR, mail(CITIZEN, DOCTOR))) == [("refused", "sender_box_full")]
    assert await world.rows(DOCTOR) == []


async def test_reply_to_becomes_the_contact(world: World) -> None:
    letter = mail(DOCTOR, CITIZEN, more=(f"Reply-To: Secretariat <{SERVICE}>",))
    await world.send(DOCTOR, CITIZEN, letter)
    assert await world.exchange(CITIZEN, DOCTOR) is None
    exchange = await world.exchange(CITIZEN, SERVICE)
    assert exchange is not None
    assert fates(await world.send(CITIZEN, SERVICE, mail(CITIZEN, SERVICE))) == [("delivered", None)]
    assert fates(await world.send(CITIZEN, DOCTOR, mail(CITIZEN, DOCTOR))) == [("refused", "never_wrote")]
    outside = mail(DOCTOR, CITIZEN, more=(f"Reply-To: <{STRANGER}>",))
    await world.send(DOCTOR, CITIZEN, outside)
    assert await world.exchange(CITIZEN, DOCTOR) is not None, "outside the space: the sender stays the contact"


async def test_every_message_leaves_a_trace_without_personal_data(world: World) -> None:
    letter = mail(
        PEER, CITIZEN, subject="Grossesse", more=("X-MSS-INS: O", "X-MSS-CODECDA: 11502-2", "X-MSS-NIL: AUTRE")
    )
    await world.send(PEER, [CITIZEN, "nobody@cabinet.example"], letter)
    rows = await world.space.db.read(lambda conn: conn.execute(select(audit_rows)).all())
    [row] = [row for row in rows if row.event == "message:mailbox:deliver"]
    assert row.actor == "peer hopital.example"
    assert '"delivered":1' in row.details
    assert '"box_unknown"' in row.details
    for secret in ("279035", "Grossesse", "loin", "nobody"):
        assert secret not in row.details
    assert await world.space.db.read(verify) == []


async def test_x_mss_headers_of_accepted_messages_are_counted(world: World) -> None:
    document = mail(
        PEER, DOCTOR, more=("X-MSS-INS: O", "X-MSS-CODECDA: 11502-2", "X-MSS-NIL: AUTRE", "X-MSS-MES: secret")
    )
    await world.send(PEER, [DOCTOR, SERVICE], document)
    await world.send(PEER, DOCTOR, mail(PEER, DOCTOR, more=("X-MSS-INS: N",)))
    await world.send(PEER, "nobody@cabinet.example", document)
    await world.space.tally.pour(world.space.db, world.now)
    world.now += 2 * DAY
    await world.send(PEER, DOCTOR, document)
    await world.space.tally.pour(world.space.db, world.now)
    today = world.now // DAY
    found = await world.space.db.read(sums, today - 2, today - 1)
    assert {labels: count for (name, labels), count in found.items() if name == "headers"} == {
        "X-MSS-INS O": 1,
        "X-MSS-INS N": 1,
        "X-MSS-CODECDA present": 1,
        "X-MSS-NIL ?": 1,
        "X-MSS-MES ?": 1,
    }
    assert found["messages", "professional professional delivered"] == 3
    assert found["refusals", "mx box_unknown"] == 1
    assert (await world.space.db.read(sums, today - 2, today))["headers", "X-MSS-INS O"] == 2


async def test_concurrent_messages(world: World) -> None:
    sent = [world.send(PEER, [DOCTOR, SERVICE], mail(PEER, DOCTOR, ident=f"c{n}")) for n in range(30)]
    outcomes = await asyncio.gather(*sent)
    assert all(fates(outcome) == [("delivered", None)] * 2 for outcome in outcomes)
    assert [row.uid for row in await world.rows(DOCTOR)] == list(range(1, 31))
    assert len({outcome.message_id for outcome in outcomes}) == 30


async def test_a_fault_of_ours_stores_nothing_and_leaves_no_file(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("disk")

    monkeypatch.setattr(world.space.audit, "record", fail)
    with pytest.raises(RuntimeError):
        await world.send(PEER, [DOCTOR, CITIZEN], mail(PEER, DOCTOR, text="x" * 200_000))
    assert await world.rows(DOCTOR) == []
    assert await world.exchange(CITIZEN, PEER) is None
    assert await world.jobs() == []
    assert await blob_count(world) == 0
    assert not [path for path in (world.folder / "blobs").rglob("*") if path.is_file()]
    assert (await world.space.store.quota(world.ids[DOCTOR]))[0] == 0


@pytest.mark.parametrize("size", [100, 200_000])
async def test_a_client_lost_on_the_way_leaves_things_whole(world: World, size: int) -> None:
    sending = asyncio.ensure_future(world.send(PEER, DOCTOR, mail(PEER, DOCTOR, text="x" * size)))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    for _ in range(200):
        if await world.rows(DOCTOR):
            break
        await asyncio.sleep(0.02)
    assert (await world.last(DOCTOR)).endswith(b"x\r\n")
    assert len([path for path in (world.folder / "blobs").rglob("*") if path.is_file()]) == (size > INLINE)


# ---------------------------------------------------------------- large ones, as they come from a door: in memory
def large_one(world: World, to: str) -> PreparedBlob:
    receiver = Receiver(world.space.blobs)
    receiver.write(mail(PEER, to, text="x" * 1_000_000))
    return receiver.finish()


def waiting_and_files(world: World) -> tuple[int, int]:
    places = world.space.blobs.places
    free = sum(places.acquire(blocking=False) for _ in range(WAITING))
    for _ in range(free):
        places.release()
    return WAITING - free, sum(path.is_file() for path in (world.folder / "blobs").glob("??/*"))


async def test_a_large_message_is_written_once_and_not_read_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    content = large_one(world, SERVICE)
    assert waiting_and_files(world) == (1, 0)
    monkeypatch.setattr(FolderFiles, "read", None)
    envelope = Envelope(world.sender(PEER), PEER, (Recipient(SERVICE), Recipient(DOCTOR)))
    assert fates(await world.delivery.accept(envelope, content)) == [("delivered", None)] * 2
    assert waiting_and_files(world) == (0, 1)
    monkeypatch.undo()
    assert (await world.last(DOCTOR)).endswith(b"x" * 1_000_000 + b"\r\n")


async def test_a_large_message_that_nobody_gets_keeps_no_place(world: World) -> None:
    envelope = Envelope(world.sender(PEER), PEER, (Recipient("nobody@cabinet.example"),))
    assert fates(await world.delivery.accept(envelope, large_one(world, SERVICE))) == [("refused", "box_unknown")]
    assert waiting_and_files(world) == (0, 0)


async def test_a_large_message_that_cannot_be_written_keeps_no_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: FolderFiles) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FolderFiles, "create", full)
    envelope = Envelope(world.sender(PEER), PEER, (Recipient(SERVICE),))
    with pytest.raises(OSError, match="No space"):
        await world.delivery.accept(envelope, large_one(world, SERVICE))
    assert waiting_and_files(world) == (0, 0)
    assert await world.rows(SERVICE) == []


# ---------------------------------------------------------------- what is made to be slow
@pytest.mark.parametrize(
    ("text", "on_the_loop"), [("Bonjour. " * 100, True), ("<p>" * 5_000, False), ("(" * 9_000, False)]
)
async def test_what_is_made_to_be_slow_is_read_off_the_loop(
    world: World, monkeypatch: pytest.MonkeyPatch, text: str, on_the_loop: bool
) -> None:
    """Whose other sessions it would hold up."""
    readers: list[int] = []
    read = letter.read

    def watched(*args: Any) -> letter.Letter:
        readers.append(threading.get_ident())
        return read(*args)

    monkeypatch.setattr(letter, "read", watched)
    content = mail(PEER, SERVICE, text=text)
    assert len(content) < INLINE
    assert fates(await world.send(PEER, SERVICE, content)) == [("delivered", None)]
    assert [one == threading.get_ident() for one in readers] == [on_the_loop]

"""A team's message: who wrote it, the copy its colleagues see, who answered what."""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import Any

import pytest
from sqlalchemy import select, update

from foundation.tables import audit
from mailserver.delivery.api import Door, Fate, Sender
from mailserver.store.api import Answer, Flag
from mssante.tables import mailboxes
from tests.mailserver.delivery.conftest import DOCTOR, PEER, SERVICE, World, mail

AWA = 41


def awa(world: World, **more: Any) -> Sender:
    return Sender(Door.SUBMISSION, world.ids[SERVICE], "Dr Awa Diallo", AWA, **{"team": True, **more})


async def received(world: World, ident: str = "q1") -> int:
    """A question to the team; its UID."""
    await world.send(DOCTOR, SERVICE, mail(DOCTOR, SERVICE, ident=ident))
    return (await world.rows(SERVICE))[-1].uid


def answer(ident: str = "r1", to: str = "q1") -> bytes:
    return mail(SERVICE, DOCTOR, ident=ident, more=(f"In-Reply-To: <{to}@x.example>",))


async def test_an_answer_names_its_writer_and_lies_in_the_team_s_sent_mail(world: World) -> None:
    uid = await received(world)
    outcome = await world.send(SERVICE, DOCTOR, answer(), who=awa(world))
    assert outcome.verdicts[0].fate is Fate.DELIVERED
    for content in (await world.last(DOCTOR), await world.last(SERVICE, "Envoyés")):
        read = message_from_bytes(content, policy=policy.default)
        assert read["From"].addresses[0].addr_spec == SERVICE
        assert (read["Sender"].address.display_name, read["Sender"].address.addr_spec) == ("Dr Awa Diallo", SERVICE)
    assert [row.flags.system for row in await world.rows(SERVICE, "Envoyés")] == [Flag.SEEN]
    inbox = (await world.folders(SERVICE))["INBOX"].id
    assert await world.space.store.answers(inbox, [uid]) == {uid: (Answer(AWA, "Dr Awa Diallo", world.now),)}


async def test_a_null_reverse_path_hides_no_writer(world: World) -> None:
    """It is for receipts (RFC 8098 3), and nobody asks what it bears."""
    outcome = await world.send(SERVICE, DOCTOR, answer(), who=awa(world), reverse_path="")
    assert outcome.verdicts[0].fate is Fate.DELIVERED
    read = message_from_bytes(await world.last(DOCTOR), policy=policy.default)
    assert (read["Sender"].address.display_name, read["Sender"].address.addr_spec) == ("Dr Awa Diallo", SERVICE)


async def test_the_copy_joins_the_thread_of_the_question(world: World) -> None:
    uid = await received(world)
    await world.send(SERVICE, DOCTOR, answer(), who=awa(world))
    folders, store = await world.folders(SERVICE), world.space.store
    [(_, question)] = await store.origins(folders["INBOX"].id, [uid])
    [(_, copy)] = await store.origins(folders["Envoyés"].id, [1])
    assert question.thread == copy.thread


async def test_the_audit_row_has_the_member_s_number_and_no_name(world: World) -> None:
    await world.send(SERVICE, DOCTOR, answer(), who=awa(world))
    rows = await world.space.db.read(lambda conn: conn.execute(select(audit.c.details)).scalars().all())
    assert f'"member":{AWA}' in rows[-1].replace(" ", "")
    assert "Awa" not in rows[-1]


async def test_one_person_s_mailbox_keeps_no_copy_and_names_nobody(world: World) -> None:
    await world.send(
        DOCTOR, SERVICE, mail(DOCTOR, SERVICE), who=Sender(Door.SUBMISSION, world.ids[DOCTOR], "Dr Martin", 7)
    )
    assert await world.rows(DOCTOR, "Envoyés") == []
    assert message_from_bytes(await world.last(SERVICE))["Sender"] is None


async def test_to_another_operator_too(world: World) -> None:
    await world.send(SERVICE, PEER, mail(SERVICE, PEER), who=awa(world))
    assert len(await world.rows(SERVICE, "Envoyés")) == 1
    assert [kind for kind, _ in await world.jobs("relay")] == ["relay"]


async def test_a_refused_message_leaves_no_copy_and_no_answer(world: World) -> None:
    uid = await received(world)
    outcome = await world.send(SERVICE, "personne@cabinet.example", answer(), who=awa(world))
    assert outcome.verdicts[0].fate is Fate.REFUSED
    assert await world.rows(SERVICE, "Envoyés") == []
    inbox = (await world.folders(SERVICE))["INBOX"].id
    assert await world.space.store.answers(inbox, [uid]) == {}


async def test_a_full_mailbox_sends_without_a_copy(world: World) -> None:
    uid = await received(world)

    def fill(tx: Any) -> None:
        tx.execute(update(mailboxes).where(mailboxes.c.id == world.ids[SERVICE]).values(quota_bytes=1))

    await world.space.db.write(fill)
    outcome = await world.send(SERVICE, DOCTOR, answer(), who=awa(world))
    assert outcome.verdicts[0].fate is Fate.DELIVERED
    assert await world.rows(SERVICE, "Envoyés") == []
    inbox = (await world.folders(SERVICE))["INBOX"].id
    assert (await world.space.store.answers(inbox, [uid]))[uid][0].actor == "Dr Awa Diallo"


async def test_an_answer_to_what_the_team_never_had_is_noted_nowhere(world: World) -> None:
    uid = await received(world)
    await world.send(SERVICE, DOCTOR, answer(to="ailleurs"), who=awa(world))
    inbox = (await world.folders(SERVICE))["INBOX"].id
    assert await world.space.store.answers(inbox, [uid]) == {}


@pytest.mark.parametrize("claimed", ["Dr Autre", "Dr Awa Diallo"])
async def test_who_claims_to_be_another_is_named_all_the_same(world: World, claimed: str) -> None:
    content = mail(SERVICE, DOCTOR, more=(f"Sender: {claimed} <{SERVICE}>",))
    await world.send(SERVICE, DOCTOR, content, who=awa(world))
    read = message_from_bytes(await world.last(DOCTOR), policy=policy.default)
    assert read.get_all("Sender") == [read["Sender"]]
    assert read["Sender"].address.display_name == "Dr Awa Diallo"
    assert claimed in read["X-MSS-Original-Sender"]

"""Promises kept: bounces and confirmations arrive, once, readable, and without answering each other."""

from __future__ import annotations

from dataclasses import asdict
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import select

from foundation.clock import HOUR
from foundation.jobs import counts
from foundation.tables import jobs as job_rows
from mailserver.delivery.api import Recipient, Terms
from mailserver.delivery.notices import Notices, promise_account_notice
from mailserver.mime import scan
from mailserver.outbound.account_notices import CHANGES
from mailserver.outbound.compose import Office
from tests.mailserver.delivery.conftest import CITIZEN, DOCTOR, PEER, SERVICE, World, mail

OFFICE = Office("mail.cabinet.example", "postmaster@cabinet.example", product_number="PRODUIT-42")


@pytest.fixture(autouse=True)
async def _handlers(world: World) -> None:
    Notices(world.space, OFFICE, world.delivery).register()


def read(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def words(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def states(world: World) -> dict[Any, int]:
    return await world.space.db.read(counts)


async def test_a_bounce_reaches_its_sender_with_reason_and_machine_part(world: World) -> None:
    lost = Recipient("nobody@cabinet.example", orcpt="rfc822;nobody@old.example")
    await world.send(DOCTOR, [SERVICE, lost], mail(DOCTOR, SERVICE, subject="Avis"), envid="env-7")
    assert await world.space.jobs.drain() == 1
    stored = await world.last(DOCTOR)
    assert stored.startswith(b"Return-Path: <>\r\n")
    assert stored.count(b"X-MSS-NIL:") == 2, "ours once, and once in the header given back"
    bounce = read(stored)
    assert bounce.get_content_type() == "multipart/report"
    assert "n'existe pas" in words(bounce)
    assert "Avis" in words(bounce)
    _, machine, returned = bounce.iter_parts()
    fields = machine.as_string()
    for line in (
        "Original-Envelope-Id: env-7",
        "Original-Recipient: rfc822;nobody@old.example",
        "Final-Recipient: rfc822; nobody@cabinet.example",
        "Action: failed",
        "Status: 5.1.1",
    ):
        assert line in fields
    assert "Subject: Avis" in returned.as_string()
    assert "Texte" not in returned.as_string(), "the header only"
    assert await states(world) == {}, "told once, nothing left"


async def test_ret_full_gives_the_whole_message_back(world: World) -> None:
    """RFC 3461 4.3: of a failure, never of a success."""
    lost, taken = Recipient("nobody@cabinet.example"), Recipient(SERVICE, frozenset({"SUCCESS"}))
    await world.send(DOCTOR, [SERVICE, lost], mail(DOCTOR, SERVICE, text="Été"), ret="FULL")
    await world.space.jobs.drain()
    stored = await world.last(DOCTOR)
    assert [part.get_content_type() for part in read(stored).iter_parts()][2] == "message/rfc822"
    assert stored.count(b"Content-Transfer-Encoding: 8bit\r\n") == 2, "of the report, and of its third part"
    assert scan(stored).decoded("3") == await world.last(SERVICE), "octet for octet"
    await world.send(DOCTOR, [taken], mail(DOCTOR, SERVICE), ret="FULL")
    await world.space.jobs.drain()
    assert [part.get_content_type() for part in read(await world.last(DOCTOR)).iter_parts()][2] == "text/rfc822-headers"


async def test_a_full_mailbox_is_final_for_one_among_several(world: World) -> None:
    await world.space.db.write(world.space.mailboxes.set_quota, world.ids[SERVICE], 10)
    await world.send(DOCTOR, [SERVICE, CITIZEN], mail(DOCTOR, SERVICE))
    world.space.jobs.handle("notify", _done)
    await world.space.jobs.drain()
    bounce = read(await world.last(DOCTOR))
    assert "est pleine. Envoyez-lui ce message de nouveau plus tard." in words(bounce)
    assert "Status: 5.2.2" in bounce.as_string()


async def test_success_when_asked(world: World) -> None:
    await world.send(DOCTOR, [Recipient(SERVICE, frozenset({"SUCCESS"}))], mail(DOCTOR, SERVICE))
    await world.space.jobs.drain()
    assert "Action: delivered" in (await world.last(DOCTOR)).decode()


async def test_the_confirmation_of_a_command_crosses_to_the_other_operator(world: World) -> None:
    await world.send(PEER, CITIZEN, mail(PEER, CITIZEN, "[FIN]", ""))
    assert [kind for kind, _ in await world.jobs()] == ["confirm"]
    await world.space.jobs.drain()
    [(kind, payload)] = await world.jobs()
    assert (kind, payload["reverse_path"], payload["domain"]) == ("relay", "", "hopital.example")
    assert payload["recipients"] == [{"address": PEER, "notify": ["NEVER"], "orcpt": None}]


@pytest.mark.parametrize("terms", [Terms(require_tls=True), Terms(priority=4)])
async def test_the_terms_of_a_message_are_those_of_its_relay_and_of_its_notices(world: World, terms: Terms) -> None:
    """RFC 8689 4.1, 5 and 6; RFC 6710 4.6."""
    asked = asdict(terms)
    await world.send(DOCTOR, PEER, mail(DOCTOR, PEER), terms=terms)
    await world.send(PEER, [SERVICE, "nobody@cabinet.example"], mail(PEER, SERVICE), terms=terms)
    await world.send(PEER, CITIZEN, mail(PEER, CITIZEN, "[FIN]", "", "m2"), terms=terms)
    owed = {kind: payload["terms"] for kind, payload in await world.jobs("relay", "bounce", "confirm")}
    assert owed == {"relay": asked, "bounce": asked, "confirm": asked}
    await world.space.jobs.drain()
    relays = [(payload["reverse_path"], payload["terms"]) for _, payload in await world.jobs("relay")]
    assert relays == [(DOCTOR, asked), ("", asked), ("", asked)]
    rows = await world.space.db.read(lambda conn: conn.execute(select(job_rows.c.priority)).scalars().all())
    assert set(rows) == {terms.priority}


async def test_the_confirmation_shows_the_header_for_next_time(world: World) -> None:
    world.space.jobs.handle("notify", _done)
    await world.send(DOCTOR, CITIZEN, mail(DOCTOR, CITIZEN, "[FIN] Bilan", "Contenu"))
    await world.space.jobs.drain()
    notice = read(await world.last(DOCTOR))
    assert "X-MSS-MES: FIN" in words(notice)
    assert "sans la mention [FIN]" in words(notice)
    assert notice["Auto-Submitted"] == "auto-replied"
    assert len(await world.rows(DOCTOR)) == 1


BEFORE = {"recovery_asked", "recovery_agreed"}  # names of an earlier version, in promises that an upgrade meets


@pytest.mark.parametrize("what", sorted(CHANGES | BEFORE))
async def test_the_mailbox_is_told_that_its_sign_in_changed(world: World, what: str) -> None:
    """That, and no more: not who, not from where, no link."""
    await world.space.db.write(promise_account_notice(world.space.jobs), world.ids[DOCTOR], what)
    await world.space.jobs.drain()
    notice = read(await world.last(DOCTOR))
    assert notice["Subject"] == "La connexion à votre messagerie a changé"
    assert "prévenez votre opérateur : postmaster@cabinet.example" in " ".join(words(notice).split(" "))
    assert "http" not in words(notice)
    assert words(notice).count("@") == 2
    assert await states(world) == {}


async def test_a_notice_that_cannot_be_delivered(world: World) -> None:
    """Full: again later. Gone: given up, visible to the operator. Never a notice about the notice."""
    await world.send(DOCTOR, [SERVICE, "nobody@cabinet.example"], mail(DOCTOR, SERVICE))
    await world.space.db.write(world.space.mailboxes.set_quota, world.ids[DOCTOR], 0)
    await world.space.jobs.drain()
    assert await states(world) == {("bounce", "waiting"): 1, ("filling", "waiting"): 1}
    await world.space.db.write(world.space.mailboxes.set_quota, world.ids[DOCTOR], 1 << 20)
    world.now += HOUR
    await world.space.jobs.drain()
    assert await states(world) == {}
    assert len(await world.rows(DOCTOR)) == 1

    await world.send("gone@hopital.example", [SERVICE, "nobody@cabinet.example"], mail(PEER, SERVICE))
    await world.jobs()
    untrusting = {"hopital.example"}
    object.__setattr__(world.space, "trusted", lambda domain: domain not in untrusting)
    await world.space.jobs.drain()
    assert await states(world) == {("bounce", "failed"): 1}


async def _done(payload: dict[str, Any], job: Any) -> Any:
    from foundation.jobs import Done

    return Done()

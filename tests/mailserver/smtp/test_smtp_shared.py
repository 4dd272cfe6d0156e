"""Submission in the name of a shared mailbox by who signed in to their own: whose seat it is decides, at each message."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from mailserver.sign_in import SignedIn
from mailserver.smtp.ports import SUBMISSION
from mssante.rights import Role
from mssante.sent_for_later import Brought
from tests.mailserver.smtp.smtp_house import CAMILLE, Memory, Wire, house, wire
from tests.mailserver.smtp.test_smtp_revoked import GONE
from tests.support.people import People

PHONE = Brought(6, app_password=3, at=1)
TEAM, OTHER = "service@alpha.example", "autre@alpha.example"


async def camille(folder: Path, acceptor: Memory, role: Role | None = Role.MEMBER) -> tuple[People, Wire]:
    people = {
        "camille": ("x", replace(CAMILLE, brought=PHONE, name="Dr Camille Roche")),
        "seat": ("x", SignedIn(80, TEAM, "Dr Camille Roche", 81, role or Role.MEMBER, name="Service de garde")),
        "stranger": ("x", SignedIn(90, OTHER, "Autre", 91)),
    }
    team = People(people, seats={"camille": ["seat"]} if role else {})
    client = wire(SUBMISSION, house(folder, acceptor, sign_in=team))
    await client.rest()
    for line in (b"EHLO client.example", b"STARTTLS", b"EHLO client.example"):
        await client.send(line + b"\r\n")
    assert (await client.send(b"AUTH PLAIN " + b64encode(b"\0camille\0x") + b"\r\n")).startswith(b"235")
    return team, client


def begun(address: str) -> bytes:
    return f"MAIL FROM:<{address}>\r\nRCPT TO:<jean@beta.example>\r\n".encode()


TEXT = b"DATA\r\nSubject: a\r\n\r\nb\r\n.\r\n"


@pytest.mark.parametrize("address", [TEAM, "Service@ALPHA.example"])
async def test_the_message_is_the_shared_mailbox_s_and_the_person_s(tmp_path: Path, address: str) -> None:
    acceptor = Memory()
    _, client = await camille(tmp_path, acceptor)
    assert b"\r\n250 " in await client.send(begun(address) + TEXT)
    [(envelope, _)] = acceptor.accepted
    sender = envelope.sender
    assert (sender.box_id, sender.actor, sender.member, sender.team) == (80, "Dr Camille Roche", 81, True)
    assert sender.brought == PHONE  # what stands at the hour of a message sent for later: their own sign-in


SAID = b"From: Le Ministre <%s>\r\nSubject: a\r\n\r\nFrom: b\r\n"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("address", "name"), [(CAMILLE.address, "Dr Camille Roche"), (TEAM, "Service de garde")])
async def test_from_shows_the_name_of_the_mailbox(tmp_path: Path, address: str, name: str, chunked: bool) -> None:
    """One's own, or the shared one that one writes from; by DATA, or in chunks that cut the field in two."""
    acceptor = Memory()
    _, client = await camille(tmp_path, acceptor)
    said = SAID % address.encode()
    if chunked:
        assert b"\r\n250 " in await client.send(begun(address) + b"BDAT 12\r\n" + said[:12])
        await client.send(b"BDAT %d LAST\r\n" % (len(said) - 12) + said[12:])
    else:
        assert b"\r\n250 " in await client.send(begun(address) + b"DATA\r\n" + said + b".\r\n")
    shown = f"From: {name} <{address}>\r\nX-MSS-Original-From: Le Ministre <{address}>\r\n"
    assert acceptor.bodies == [shown.encode() + b"Subject: a\r\n\r\nFrom: b\r\n"]


async def test_one_s_own_message_is_one_s_own_and_asks_for_no_seat(tmp_path: Path) -> None:
    acceptor = Memory()
    people, client = await camille(tmp_path, acceptor)
    assert b"\r\n250 " in await client.send(begun(CAMILLE.address) + TEXT)
    [(envelope, _)] = acceptor.accepted
    assert (envelope.sender.box_id, envelope.sender.team) == (CAMILLE.box_id, False)
    assert people.asked_for_seats == 0


@pytest.mark.parametrize(
    ("address", "role", "said"),
    [
        (TEAM, Role.READER, b"sans pouvoir y ecrire"),
        (TEAM, None, b"not that of your mailbox"),
        (OTHER, Role.MEMBER, b"not that of your mailbox"),
        ("personne@alpha.example", Role.MEMBER, b"not that of your mailbox"),
    ],
)
async def test_whose_seat_does_not_send_or_is_none(
    tmp_path: Path, address: str, role: Role | None, said: bytes
) -> None:
    """A mailbox in which one has no seat is answered like one that does not exist."""
    acceptor = Memory()
    _, client = await camille(tmp_path, acceptor, role)
    assert said in await client.send(begun(address))
    assert acceptor.judged == []


@pytest.mark.parametrize("role", [None, Role.READER])
async def test_a_seat_lost_while_the_message_comes_in(tmp_path: Path, role: Role | None) -> None:
    acceptor = Memory()
    people, client = await camille(tmp_path, acceptor)
    assert b"\r\n354 " in await client.send(begun(TEAM) + b"DATA\r\n")
    await client.send(b"Subject: a\r\n\r\n")
    people.change(81, role)
    assert await client.send(b"b\r\n.\r\n") == GONE
    assert acceptor.accepted == []


async def test_a_seat_lost_before_the_next_message(tmp_path: Path) -> None:
    acceptor = Memory()
    people, client = await camille(tmp_path, acceptor)
    assert b"\r\n250 " in await client.send(begun(TEAM) + TEXT)
    people.change(81, None)
    assert b"not that of your mailbox" in await client.send(begun(TEAM))
    await client.send(b"RSET\r\n")
    assert b"\r\n250 " in await client.send(begun(CAMILLE.address) + TEXT), "one's own mailbox stays"


async def test_a_seat_that_came_since(tmp_path: Path) -> None:
    people, client = await camille(tmp_path, Memory(), None)
    assert b"not that of your mailbox" in await client.send(begun(TEAM))
    people.join("camille", "seat")
    assert (await client.send(begun(TEAM))).count(b"250") == 2


async def test_nobody_is_watched_behind_the_connection(tmp_path: Path) -> None:
    people, client = await camille(tmp_path, Memory())
    await client.send(begun(TEAM))
    talk = client.session.talk
    await client.send(b"QUIT\r\n")
    people.change(81, None)
    assert not talk.doubted

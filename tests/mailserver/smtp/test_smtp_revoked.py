"""Submission by who loses the right to send while connected: no command and no message of theirs goes on."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from mailserver.smtp.ports import SUBMISSION
from mssante.rights import Role
from tests.mailserver.smtp.smtp_house import CAMILLE, Memory, Wire, house, wire
from tests.support.people import People

GONE = b"421 4.7.0 Signed out: this access was changed or ended. Nothing was sent.\r\n"
MAIL = b"MAIL FROM:<camille.roche@alpha.example>\r\nRCPT TO:<jean@beta.example>\r\n"


async def signed_in(folder: Path, acceptor: Memory) -> tuple[People, Wire]:
    people = People({"camille": ("x", CAMILLE)})
    client = wire(SUBMISSION, house(folder, acceptor, sign_in=people))
    await client.rest()
    for line in (b"EHLO client.example", b"STARTTLS", b"EHLO client.example"):
        await client.send(line + b"\r\n")
    assert (await client.send(b"AUTH PLAIN " + b64encode(b"\0camille\0x") + b"\r\n")).startswith(b"235")
    return people, client


@pytest.mark.parametrize("role", [None, Role.READER])
async def test_the_next_command_is_the_last(tmp_path: Path, role: Role | None) -> None:
    acceptor = Memory()
    people, client = await signed_in(tmp_path, acceptor)
    people.change(CAMILLE.member, role)
    assert await client.send(MAIL) == GONE
    assert client.closed
    assert acceptor.judged == []


async def test_a_message_on_its_way_in_is_not_taken(tmp_path: Path) -> None:
    acceptor = Memory()
    people, client = await signed_in(tmp_path, acceptor)
    assert b"\r\n354 " in await client.send(MAIL + b"DATA\r\n")
    await client.send(b"Subject: a\r\n\r\n")
    people.change(CAMILLE.member, None)
    assert await client.send(b"b\r\n.\r\n") == GONE
    assert acceptor.accepted == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


async def test_a_member_made_holder_goes_on(tmp_path: Path) -> None:
    acceptor = Memory()
    people, client = await signed_in(tmp_path, acceptor)
    people.change(CAMILLE.member, Role.MEMBER)
    assert (await client.send(MAIL)).count(b"250") == 2

"""Who is signed in and loses the right to be: at rest, in IDLE, in the middle of a long answer; and who keeps a smaller one."""

from __future__ import annotations

import pytest

from mailserver.sign_in import SignedIn
from mssante.rights import Role
from tests.mailserver.imap.player import BOX, Connection, new_store
from tests.support.people import People

BYE = b"* BYE signed out: this access was changed or ended\r\n"


def people() -> People:
    return People(
        {
            "bob": ("x", SignedIn(BOX, "team@hopital.example", "bob", 1)),
            "anne": ("x", SignedIn(BOX, "team@hopital.example", "anne", 2, Role.MEMBER)),
        }
    )


async def sign_in(team: People, login: bytes = b"anne") -> Connection:
    connection = Connection(await new_store("three messages"), sign_in=team)
    await connection.settle()
    assert b"s OK" in await connection.ask(b"s LOGIN " + login + b" x")
    return connection


@pytest.mark.parametrize("before", [[], [b"a SELECT INBOX"], [b"a SELECT INBOX", b"b IDLE"], [b"a APPEND INBOX {9}"]])
async def test_revoked_at_rest_the_session_ends_at_once(before: list[bytes]) -> None:
    team = people()
    connection = await sign_in(team)
    for line in before:
        await connection.ask(line)
    team.change(2, None)
    await connection.settle()
    assert connection.closed
    assert connection.output.endswith(BYE)


async def test_revoked_while_commands_wait_none_of_them_is_done() -> None:
    team = people()
    connection = await sign_in(team)
    await connection.ask(b"a SELECT INBOX")
    await connection.say(b"b STORE 1 +FLAGS (\\Deleted)\r\nc EXPUNGE\r\n")
    team.change(2, None)
    await connection.settle()
    assert connection.closed
    assert connection.output == BYE


async def test_revoked_in_the_middle_of_an_answer_nothing_more_is_said() -> None:
    """Not even BYE: it could land inside a literal."""
    team = people()
    connection = await sign_in(team)
    await connection.ask(b"a SELECT INBOX")
    real = connection.session.context.store.octets

    async def octets(folder_id: int, uids: object) -> object:
        team.change(2, None)
        return await real(folder_id, uids)  # type: ignore[arg-type]

    connection.session.context.store.octets = octets  # type: ignore[method-assign,assignment]
    said = await connection.ask(b"b FETCH 1:* BODY[]")
    assert connection.closed
    assert said == b""


async def test_a_colleague_stays() -> None:
    team = people()
    connection = await sign_in(team, b"bob")
    team.change(2, None)
    assert await connection.ask(b"a NOOP") == b"a OK NOOP completed\r\n"


async def test_another_role_holds_from_the_next_command_on_in_idle_too() -> None:
    team = people()
    connection = await sign_in(team)
    await connection.ask(b"a SELECT INBOX")
    await connection.ask(b"b IDLE")
    team.change(2, Role.READER)
    assert b"b OK" in await connection.ask(b"DONE")
    assert b"c NO [NOPERM]" in await connection.ask(b"c STORE 1 +FLAGS (\\Deleted)")
    team.change(2, Role.HOLDER)
    assert b"e OK" in await connection.ask(b"e STORE 1 +FLAGS (\\Deleted)")


async def test_after_unauthenticate_nobody_is_watched() -> None:
    team = people()
    connection = await sign_in(team)
    await connection.ask(b"a UNAUTHENTICATE")
    team.change(2, None)
    assert b"b OK" in await connection.ask(b"b LOGIN bob x")

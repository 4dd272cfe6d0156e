"""INPROGRESS (RFC 9585): told while a command keeps its client waiting, never inside an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mailserver.imap.context import Settings
from mailserver.store.api import CopyResult
from mailserver.store.memory import MemoryMailStore
from tests.mailserver.imap.player import BOX, DAY, Connection, new_store

WORD = b'* OK [INPROGRESS ("a1" NIL NIL)] still at it\r\n'


class Slow(MemoryMailStore):
    def __init__(self) -> None:
        super().__init__(clock=lambda: DAY)
        self.go = asyncio.Event()

    async def copy(
        self, folder_id: int, uids: Sequence[int], target_folder_id: int, actor: str = "", undeleted: bool = False
    ) -> CopyResult:
        await self.go.wait()
        return await super().copy(folder_id, uids, target_folder_id, actor, undeleted)


async def slow() -> Slow:
    return Slow()


async def test_a_long_command_says_that_it_goes_on() -> None:
    store = await new_store("three messages", slow)
    assert isinstance(store, Slow)
    connection = Connection(store, settings=Settings(progress_every=0.005))
    await connection.settle()
    await connection.ask('x LOGIN bob "sésame"'.encode())
    await connection.ask(b"x SELECT INBOX")
    await connection.say(b"a1 COPY 1:3 Archives\r\n")
    while connection.output.count(WORD) < 3:  # without any turn of the client
        await asyncio.sleep(0.005)
    store.go.set()
    await connection.settle()
    last = connection.output.rpartition(b"* OK [INPROGRESS")[2]
    assert last.split(b"\r\n")[1].startswith(b"a1 OK [COPYUID")
    connection.output = b""
    assert b"INPROGRESS" not in await connection.ask(b"a2 FETCH 1:* (FLAGS BODY.PEEK[])")


async def test_a_client_that_leaves_takes_the_command_with_it() -> None:
    store = await new_store("three messages", slow)
    connection = Connection(store, settings=Settings(progress_every=0.005))
    await connection.settle()
    await connection.ask('x LOGIN bob "sésame"'.encode())
    await connection.ask(b"x SELECT INBOX")
    await connection.say(b"a1 COPY 1:3 Archives\r\n")
    await asyncio.sleep(0.01)
    before = asyncio.all_tasks()
    await connection.close()
    assert len(asyncio.all_tasks()) == len(before) - 2  # the session's and the command's


async def test_what_concerns_one_message_is_brief() -> None:
    """Each command with a Task and a timer around it cost as much again."""
    store = await new_store("three messages", slow)
    connection = Connection(store, settings=Settings(progress_every=0.000001))
    await connection.settle()
    await connection.ask('x LOGIN bob "sésame"'.encode())
    await connection.ask(b"x SELECT INBOX")
    before = len(asyncio.all_tasks())
    seen: set[int] = set()
    folder = next(folder.id for folder in await store.folders(BOX) if folder.name == "INBOX")
    store.watch(folder, lambda: seen.add(len(asyncio.all_tasks()) - before))
    await connection.ask(b"a1 STORE 2 +FLAGS (\\Flagged)")
    assert seen == {0}, "no task of its own"
    await connection.ask(b"a2 STORE 2:3 -FLAGS (\\Flagged)")
    assert seen == {0, 1}


async def test_a_client_that_sends_many_commands_at_once_leaves_the_others_their_turn() -> None:
    connection = Connection(await new_store("three messages"))
    await connection.settle()
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(other())
    await connection.say(b"".join(b"n%d NOOP\r\n" % number for number in range(1000)))
    while b"n999 OK" not in connection.output:
        await asyncio.sleep(0)
    task.cancel()
    assert turns > 50

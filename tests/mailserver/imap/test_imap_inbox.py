"""What wakes a session: its client always, a change of the selected folder only where it listens."""

from __future__ import annotations

import asyncio

from mailserver.imap.framer import Frame
from mailserver.imap.inbox import Inbox


class Sleeper(Inbox):
    def __init__(self) -> None:
        super().__init__()
        self.slept = 0
        self.on_hungry = self.count

    def count(self) -> None:
        self.slept += 1


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_session_between_commands_sleeps_through_changes_and_knows_of_them_afterwards() -> None:
    inbox = Sleeper()
    waiting = asyncio.ensure_future(inbox.event())
    await turns()
    for _ in range(3):
        inbox.wake()
        await turns()
    assert (inbox.slept, inbox.woken) == (1, True)
    inbox.receive(b"a NOOP\r\n")
    assert await waiting == Frame(b"a NOOP")


async def test_one_that_listens_is_told_at_once_and_no_more_once_it_works() -> None:
    inbox = Sleeper()
    waiting = asyncio.ensure_future(inbox.event_or_wake())
    await turns()
    inbox.wake()
    assert await waiting is None
    inbox.woken = False
    waiting = asyncio.ensure_future(inbox.event())
    await turns()
    inbox.wake()
    await turns()
    assert inbox.slept == 2, "one sleep each"
    waiting.cancel()


async def test_what_changed_before_it_listens_is_told_at_once() -> None:
    inbox = Sleeper()
    inbox.wake()
    assert await inbox.event_or_wake() is None
    assert inbox.slept == 0

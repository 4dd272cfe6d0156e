"""What came in for one session: the client's bytes, and the store's word that the selected folder changed.

`receive` and `wake` are called from the loop at any time; the session takes events one by one and sleeps here in between.
No transport: a test feeds it by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mailserver.imap.deflate import Deflate
from mailserver.imap.framer import Event, Framer


class Inbox:
    """`on_hungry` is called each time the session waits for the client: the transport may read again."""

    def __init__(self) -> None:
        self.framer = Framer()
        self.woken = False  # the selected folder changed since the last look
        self._listening = False  # the session waits for that too
        self.on_hungry: Callable[[], None] = lambda: None
        self.alarmed = False  # who is signed in may be so no longer
        self.on_alarm: Callable[[], Awaitable[None]] = _nothing
        self.deflate: Deflate | None = None  # RFC 4978, once agreed
        self._waiter: asyncio.Future[None] | None = None

    @property
    def waiting(self) -> bool:
        """The session has done all it could and sleeps."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def backlog(self) -> int:
        """Octets received that no command has taken yet."""
        return self.framer.backlog + (self.deflate.backlog if self.deflate is not None else 0)

    def receive(self, data: bytes) -> None:
        (self.deflate or self.framer).receive(data)
        self._ring()

    def forget(self) -> None:
        """Drops all input: what was sent in the clear behind STARTTLS must not be believed (RFC 3501 6.2.1)."""
        self.framer = Framer()

    def wake(self) -> None:
        """Who does not listen sleeps on: the next command looks."""
        self.woken = True
        if self._listening:
            self._ring()

    def wake_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.wake)

    def alarm(self) -> None:
        """Whatever the session waits for, `on_alarm` comes first."""
        self.alarmed = True
        self._ring()

    def take(self) -> Event | None:
        return self.framer.next_event()

    async def event(self) -> Event:
        """The next event, whatever the folder does meanwhile."""
        while (event := self.take()) is None:
            await self._more()
        return event

    async def event_or_wake(self) -> Event | None:
        """The next event, or None when the folder changed first."""
        self._listening = True
        try:
            while (event := self.take()) is None:
                if self.woken:
                    return None
                await self._more()
            return event
        finally:
            self._listening = False

    def _ring(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _more(self) -> None:
        if self.deflate is not None and self.deflate.has_more:
            self.framer.receive(self.deflate.inflated())
            await asyncio.sleep(0)  # other sessions' turn: few octets can stand for many
        else:
            await self._sleep()
        if self.alarmed:
            await self.on_alarm()

    async def _sleep(self) -> None:
        self.on_hungry()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


async def _nothing() -> None:
    return

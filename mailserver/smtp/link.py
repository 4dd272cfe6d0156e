"""Bytes, time and TLS of one SMTP connection, on aiosmtpd's class; what is said on it is in `engine`.

One timer a connection, re-armed only when it fires; replies gathered until somebody waits (RFC 2920), then one write; one task,
never cancelled by the client's leaving: a message being stored is stored. The implicit door begins TLS like STARTTLS does, so that
both rotate certificates and time out alike. Nothing from the wire is logged.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Final, cast

import structlog
from aiosmtpd.smtp import SMTP

from mailserver.smtp import replies
from mailserver.smtp.conversation import Conversation
from mailserver.smtp.grammar import OddPath
from mailserver.smtp.guard import Guard
from mailserver.smtp.ports import DoorRules, House, Tls
from mailserver.smtp.reader import ByteReader
from mailserver.smtp.replies import Reply

log = structlog.get_logger("mailserver.smtp")

# aiosmtpd 1.4.6: what a session must not share with the pattern it is made from, ...
OF_THE_PATTERN: Final = frozenset(
    {"_auth_methods", "_client_connected_cb", "_closed", "_smtp_methods", "_stream_reader_wr", "_strong_reader"}
)
# ... and all private names that we drop, override or call: the version is pinned and a test asserts that they exist.
PRIVATE_NAMES: Final = OF_THE_PATTERN | {
    "_getaddr",
    "_handle_client",
    "_handler_coroutine",
    "_timeout_cb",
    "_timeout_handle",
}

BEAT = 30.0  # s between two looks at the deadline
LINGER_OCTETS = 4 * 1024 * 1024


class Link(SMTP):
    """Made by `doors.Template`, never by its constructor."""

    house: House
    rules: DoorRules
    guard: Guard
    live: set[Link]
    greeting: Reply
    odd_path: OddPath
    talk: Conversation
    local_part_limit = 64  # RFC 5321 4.5.3.1.1
    _wire: asyncio.Transport
    _input: ByteReader
    _out: list[bytes]
    _room: asyncio.Future[None] | None = None  # while the client reads slower than we write
    _deadline = inf  # loop time; infinite while it is our turn
    _over = False

    @property
    def task(self) -> asyncio.Task[None] | None:
        return self._handler_coroutine

    # ------------------------------------------------------------ what the transport calls
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)  # uvloop's is one in behaviour only
        self.transport = transport
        self._out = []
        self._input = ByteReader(self.loop, self._wire)
        client_ip = str((transport.get_extra_info("peername") or ("",))[0])
        self.talk = Conversation(self.house, self.rules, client_ip, self.odd_path)
        if not self.guard.enter(client_ip):
            self._turn_away()
            return
        self.live.add(self)
        self._timeout_handle = self.loop.call_later(self._beat, self._timeout_cb)
        self._handler_coroutine = self.loop.create_task(self._handle_client())

    def data_received(self, data: bytes) -> None:
        self._input.feed(data)

    def eof_received(self) -> bool:
        """A client may close its half and still read our answers; not under TLS, where a true value is refused."""
        self._input.feed_end()
        return not self.talk.secure and self._handler_coroutine is not None

    def connection_lost(self, error: Exception | None) -> None:
        self._over = True
        self._input.feed_end()
        self.resume_writing()
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        if self in self.live:
            self.live.remove(self)
            self.guard.leave(self.talk.client_ip)
        self.transport = None

    def pause_writing(self) -> None:
        if self._room is None and self.transport is not None:
            self._room = self.loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _turn_away(self) -> None:
        log.warning("smtp_too_many_connections", door=self.rules.door.value)
        self._over = True
        if self.rules.tls is not Tls.IMPLICIT:
            self._wire.write(bytes(replies.TOO_MANY_CONNECTIONS))
        self._wire.close()

    # ------------------------------------------------------------ time
    @property
    def _beat(self) -> float:
        limits = self.house.limits
        return min(BEAT, limits.command_s, limits.data_block_s)

    def _timeout_cb(self) -> None:
        left = self._deadline - self.loop.time()
        if left > 0:
            self._timeout_handle = self.loop.call_later(min(left, self._beat), self._timeout_cb)
            return
        log.info("smtp_timeout", door=self.rules.door.value)
        self._leave(replies.TIMED_OUT)
        self._timeout_handle = self.loop.call_later(self.house.limits.linger_s, self._wire.abort)

    def stop(self) -> None:
        """The service ends: a session that waits for its client goes now, one that stores a message answers for it first."""
        if self._deadline == inf:
            self._over = True
        else:
            self._leave(replies.CLOSING)

    def _leave(self, last_word: Reply) -> None:
        self._over = True
        if not self._wire.is_closing():
            self._wire.write(b"".join(self._out) + bytes(last_word))
            self._wire.close()
        self._out.clear()
        self._input.feed_end()

    async def _more(self, deadline: float) -> None:
        """Writes what we owe, then waits for the client, until `deadline` at most."""
        self._deadline = deadline
        self._send()
        if self._room is not None:
            await self._room
        await self._input.more()
        self._deadline = inf

    # ------------------------------------------------------------ what the session calls
    def _say(self, answer: Reply) -> None:
        self._out.append(answer.wire)

    def _send(self) -> None:
        if self._out:
            if not self._wire.is_closing():
                self._wire.write(b"".join(self._out))
            self._out.clear()

    async def _flush(self) -> None:
        self._send()
        if self._room is not None:
            await self._room

    async def _linger(self) -> None:
        """Time to read our last word: closing on unread octets would reset the connection and lose it."""
        self._over = True
        await self._flush()
        dropped = 0
        try:
            async with asyncio.timeout(self.house.limits.linger_s):
                while not self._input.ended and dropped < LINGER_OCTETS:
                    dropped += self._input.discard()
                    await self._input.more()
        except TimeoutError:
            return

    async def _begin_tls(self) -> bool:
        """What came in the clear after STARTTLS is dropped (RFC 3207 4.2): it may be somebody else's. On the implicit door, it is
        the client's hello.
        """
        assert self.house.start_tls is not None
        came = self._input.take_block()
        hello = came if self.rules.tls is Tls.IMPLICIT else b""
        try:
            async with asyncio.timeout(self.house.limits.handshake_s):
                wire = await self.house.start_tls(self.loop, self._wire, self, hello)
        except OSError as fault:  # TlsError and TimeoutError are kinds of it
            log.info("smtp_handshake_failed", door=self.rules.door.value, kind=type(fault).__name__)
            self._wire.abort()
            self.connection_lost(fault)  # asyncio's TLS does not tell of a connection lost during the handshake
            return False
        self.transport = self._wire = wire
        self._input.move_to(wire)
        judge = self.house.judge_peer if self.rules.peer_certificate else self.house.judge_client
        self.talk.begin_tls(await judge(wire) if judge else None, wire.get_extra_info("channel_binding"))
        return True

"""One IMAP session as a state machine without transport (RFC 3501 3): bytes in by `receive`, bytes out by `run`.

    session = ImapSession(store, sign_in, settings, client_ip, tls)
    async for piece in session.run(): write(piece)      # `START_TLS`: switch, then session.tls_started()
    session.receive(data)                               # whenever the client said something

Invariants: the tagged line of a command is the last thing said about it; every outcome becomes a line in one place
(`_outcome`); nothing is generated while the caller of `run` does not ask for more, which is the back-pressure.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from typing import Final

from foundation.database import is_away
from mailserver.imap.capabilities import capability_code
from mailserver.imap.commands.fetch import Fetch
from mailserver.imap.commands.store import Store
from mailserver.imap.context import Context, FolderLost, Settings, SignedOut, State
from mailserver.imap.crowd import Crowd
from mailserver.imap.deflate import Deflate, NotDeflate
from mailserver.imap.fetch import ContentLost
from mailserver.imap.framer import Event, Frame, LiteralOffer, TooLong
from mailserver.imap.grammar import Cursor
from mailserver.imap.literals import welcome
from mailserver.imap.member import not_permitted
from mailserver.imap.progress import reporting
from mailserver.imap.responses import Bad, Bye, Completion, Continue, No, Ok, Response, Tagged, Untagged
from mailserver.imap.shelf import Shelf
from mailserver.imap.table import COMMANDS, Entry
from mailserver.imap.telling import has_news, untold
from mailserver.sign_in import SignIn
from mailserver.store.api import MailStore, StoreError

WRITE = 65536  # octets: the size of write that costs least under Twisted's TLS
TURN = 16  # commands of one client answered, then the other sessions' turn
# A literal that nobody asked us to accept is read and thrown away up to this many times the limit (RFC 7888 4).
PATIENCE = 4

_log = logging.getLogger(__name__)


class StartTls:
    """Not bytes: the transport begins TLS now, what was read in the clear is forgotten."""


START_TLS: Final = StartTls()


class ImapSession:
    def __init__(
        self,
        store: MailStore,
        sign_in: SignIn,
        settings: Settings,
        client_ip: str,
        tls: bool,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        shelf: Shelf | None = None,
        crowd: Crowd | None = None,
    ) -> None:
        self.context = Context(store, sign_in, settings, client_ip, tls, sleep, shelf, crowd)
        self.receive = self.context.inbox.receive
        self._out: list[bytes] = []
        self._size = 0
        self._bad = 0

    @property
    def signed_in(self) -> bool:
        return self.context.identity is not None

    @property
    def backlog(self) -> int:
        """Octets received that no command has taken yet."""
        return self.context.inbox.backlog

    @property
    def at_rest(self) -> bool:
        """Everything is said and the client's turn has come (IDLE included)."""
        return self.context.inbox.waiting

    def tls_started(self) -> None:
        self.context.inbox.forget()
        self.context.tls, self.context.start_tls = True, False

    async def run(self) -> AsyncGenerator[bytes | StartTls]:
        """Everything to be sent, in pieces of about WRITE octets and at most twice that, until the session ends."""
        ctx = self.context
        self._add(Untagged(Ok("ready", capability_code(ctx))))
        answered = 0
        try:
            while not ctx.leaving:
                if ctx.inbox.alarmed:
                    await ctx.look_again()
                event = ctx.inbox.take()
                if event is None:
                    for piece in self._drain():
                        yield piece
                    answered = 0
                    event = await (ctx.inbox.event_or_wake() if ctx.listens else ctx.inbox.event())
                if event is None:
                    await ctx.catch_up_at_rest()
                    async for news in untold(ctx, expunge=False):
                        self._add(news)
                    continue
                refusal = await welcome(ctx, event) if isinstance(event, LiteralOffer) else None
                if isinstance(event, LiteralOffer) and refusal is None:
                    if event.sync:
                        self._add(Continue())
                    continue
                answered += 1
                if answered % TURN == 0:
                    await asyncio.sleep(0)
                async with aclosing(self._answer(event, refusal)) as responses:
                    async for response in responses:
                        self._add(response)
                        if ctx.inbox.alarmed and not await self._still_in():
                            self._out.clear()  # no last words: they could land inside a literal
                            return
                        # A continuation, or a handler about to sleep, must not wait for a fuller buffer.
                        if self._size >= WRITE or response == b"" or isinstance(response, Continue):
                            for piece in self._drain():
                                yield piece
                ctx.discard_spools()
                if self._bad >= ctx.settings.max_bad_commands or ctx.login_failures >= ctx.settings.max_login_failures:
                    self._add(self._leave("too many faults", None))
                if ctx.start_deflate:
                    for piece in self._drain():
                        yield piece
                    ctx.start_deflate, ctx.inbox.deflate = False, Deflate()
                if ctx.start_tls:
                    for piece in self._drain():
                        yield piece
                    yield START_TLS
        except NotDeflate:
            self._add(Bye("deflated data expected"))
        except FolderLost:
            self._add(Bye("the selected folder was deleted"))
        except SignedOut:
            self._add(Bye("signed out: this access was changed or ended"))
        except ContentLost:
            self._out.clear()
            return
        finally:
            ctx.end()
        for piece in self._drain():
            yield piece

    async def _still_in(self) -> bool:
        try:
            await self.context.look_again()
        except (SignedOut, FolderLost):
            return False
        return True

    def farewell(self, text: str) -> bytes:
        """The last words of the connection, when it is at rest."""
        self._add(Bye(text))
        return b"".join(self._drain())

    def _add(self, response: Response | Tagged) -> None:
        data = bytes(response)
        self._out.append(data)
        self._size += len(data)

    def _drain(self) -> Iterator[bytes]:
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out, self._size = [], 0
        if data and self.context.inbox.deflate is not None:
            data = self.context.inbox.deflate.deflated(data)
        if len(data) <= 2 * WRITE:  # no copy for the sake of an even number
            yield data
            return
        for start in range(0, len(data), WRITE):
            yield data[start : start + WRITE]

    # ---------------------------------------------------------------- one event
    def _answer(self, event: Event, refusal: No | Bad | None) -> AsyncGenerator[Response | Tagged]:
        """`refusal`: why a literal is not taken."""
        if isinstance(event, Frame):
            return self._command(event)
        return self._refused(event, refusal or Bad("line too long"))

    async def _refused(self, event: LiteralOffer | TooLong, refusal: No | Bad) -> AsyncGenerator[Response | Tagged]:
        offer = event if isinstance(event, LiteralOffer) else None
        if offer is not None:
            self.context.inbox.framer.refuse()
        yield self._status(_tag_of(event.line), refusal)
        if offer is not None and not offer.sync and offer.size > PATIENCE * self.context.settings.append_limit:
            yield self._leave("literal too large", "TOOBIG")

    def _leave(self, text: str, code: str | None) -> Bye:
        self.context.leaving = True
        return Bye(text, code)

    async def _command(self, frame: Frame) -> AsyncGenerator[Response | Tagged]:
        at = Cursor(frame, self.context.modes, self.context.saved)
        tag: bytes | None = None
        entry: Entry | None = None
        try:
            tag = self.context.tag = at.tag()
            at.space()
            entry = self._entry(at)
            command = entry.parse(at)
            at.end()
            await self._permit(entry)
        except (No, Bad) as refusal:
            yield self._status(tag, refusal)
            return
        completion: Completion = No("internal error", "SERVERBUG")
        try:
            answer = entry.handle(self.context, command)
            if entry.long and not _is_brief(command):
                answer = reporting(answer, tag, self.context.settings.progress_every)
            async with aclosing(answer) as responses:
                async for response in responses:
                    if isinstance(response, Ok):
                        completion = response
                    else:
                        yield response
        except (No, Bad) as refusal:
            completion = refusal
        except StoreError as refusal:
            completion = No(refusal.text, refusal.code)
        except (FolderLost, ContentLost, NotDeflate, SignedOut):
            raise
        except Exception as error:
            _report(type(command).__name__, error)
            if is_away(error):  # a client must not ask for another password, nor its user report a defect (RFC 5530)
                completion = No("mailboxes cannot be reached for the moment", "UNAVAILABLE")
        for response in await self._news(entry):
            yield response
        yield self._status(tag, completion)

    async def _permit(self, entry: Entry) -> None:
        """On the selected folder, as the rights are now; on those named, the handler is asked when it looks for them."""
        self.context.needs = entry.needs
        if State.NOT_AUTHENTICATED not in entry.states:
            self.context.introduce()
        if self.context.view is not None and self.context.inbox.woken:
            await self.context.look_at_rights(self.context.view)
        if self.context.view is not None and not self.context.view.rights.issuperset(entry.needs.here):
            raise not_permitted()

    def _entry(self, at: Cursor) -> Entry:
        name = at.word()
        if name == b"UID":
            at.space()
            name += b" " + at.word()
        entry = COMMANDS.get(name)
        if entry is None:
            raise Bad("no such command")
        if self.context.state not in entry.states:
            raise Bad(f"not possible in the {self.context.state.value} state")
        if self.context.modes.uid_only and not entry.expunge_after:
            raise Bad("UIDs only", "UIDREQUIRED")  # RFC 9586 3: what speaks in message numbers
        return entry

    async def _news(self, entry: Entry) -> list[Response]:
        ctx = self.context
        if ctx.inbox.woken:
            await ctx.catch_up_at_rest()
        return [response async for response in untold(ctx, entry.expunge_after)] if has_news(ctx) else []

    def _status(self, tag: bytes | None, completion: Completion) -> Tagged | Untagged:
        self._bad = self._bad + 1 if isinstance(completion, Bad) else 0
        return Untagged(completion) if tag is None else Tagged(tag, completion)


def _is_brief(command: object) -> bool:
    """What concerns one message: INPROGRESS would cost as much as its answer."""
    return isinstance(command, Fetch | Store) and command.messages.single


def _tag_of(line: bytes) -> bytes | None:
    try:
        return Cursor(Frame(line)).tag()
    except Bad:
        return None


def _report(command: str, error: Exception) -> None:
    """Where and of what kind: never the message or the values, which may hold a name or a subject."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
    _log.error("imap %s failed: %s at %s", command, type(error).__name__, where)

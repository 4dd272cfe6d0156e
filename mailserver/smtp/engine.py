"""One SMTP session: reads lines, obeys commands, says replies (RFC 5321). The commands are in `commands`, bytes and time in `link`.

What aiosmtpd would do line by line and by reflection is done here from tables and in blocks (measured: four times the mails a
second); its session class, its address reading and its life of a connection are kept. PROXY and LMTP do not exist here.
"""

from __future__ import annotations

import asyncio
import traceback
from base64 import b64encode
from contextlib import aclosing
from math import inf

from mailserver import sasl
from mailserver.scram import Fault
from mailserver.sign_in import Refused, SignedIn
from mailserver.smtp import replies
from mailserver.smtp.commands import COMMANDS, ERROR_CODES, FOREIGN, Action, gate, split_command
from mailserver.smtp.grammar import parse_bdat
from mailserver.smtp.intake import GIVE_UP, Lost, begin_chunks, skip_chunk, take_chunk, take_message
from mailserver.smtp.link import Link, log
from mailserver.smtp.ports import Tls
from mailserver.smtp.reader import LineFault
from mailserver.smtp.replies import Reply

BREATHER = 64  # commands answered in one go before the other sessions get their turn
# After these the connection goes: what follows may be the rest of a message, or commands smuggled into one.
LAST_WORDS = (
    replies.BARE_LINE_END,
    replies.BAD_CHUNK,
    replies.MUCH_TOO_LARGE,
    replies.FAULT_IN_DATA,
    replies.TOO_MANY_ERRORS,
    replies.TOO_MANY_MESSAGES,
    replies.TIMED_OUT,
    replies.SIGNED_OUT,
    replies.NOT_SMTP,
)

_AT_FAULT = {  # ours; what follows AUTH is no wrong password
    Action.DATA: replies.FAULT_IN_DATA,
    Action.BDAT: replies.FAULT_IN_DATA,
    Action.AUTH: replies.AUTH_UNAVAILABLE,
}


class SmtpSession(Link):
    _data_end = inf  # loop time

    async def _handle_client(self) -> None:
        try:
            await self._converse()
            await self._flush()
        except (Lost, ConnectionError):
            pass
        except Exception as fault:
            _log_fault("", fault)
        finally:
            self._over = True
            self._handler_coroutine = None
            self.talk.leave()
            self._wire.close()

    async def _converse(self) -> None:
        if self.rules.tls is Tls.IMPLICIT and not await self._begin_tls():
            return
        self._say(self.greeting)
        answered = 0
        while not self._over and (line := await self._next_line()) is not None:
            answer = await self._answer(line)
            if answer is not None:
                self._say(answer)
                if answer.is_error and answer in LAST_WORDS:
                    await self._linger()
            answered += 1
            if answered % BREATHER == 0:
                await self._flush()
                await asyncio.sleep(0)

    async def _next_line(self) -> bytes | LineFault | None:
        """None at the end of the connection. A line has one deadline, however small its pieces."""
        deadline = 0.0
        while (line := self._input.take_line()) is None:
            if self._input.ended:
                return None
            deadline = deadline or self.loop.time() + self.house.limits.command_s
            await self._more(deadline)
        return line

    async def _answer(self, line: bytes | LineFault) -> Reply | None:
        """The reply to one line, its errors counted; None when there is nothing left to say."""
        if line is LineFault.BARE_LINE_END:
            return replies.BARE_LINE_END
        answer = replies.COMMAND_TOO_LONG if isinstance(line, LineFault) else await self._obey(line)
        if answer is not None and answer.is_error:
            if answer.reason:
                self.house.tally.count("refusals", self.rules.door.value, answer.reason)
            if answer.code in ERROR_CODES:
                self.talk.errors += 1
        return replies.TOO_MANY_ERRORS if self.talk.errors > self.house.limits.errors else answer

    async def _obey(self, line: bytes) -> Reply | None:
        talk, split = self.talk, split_command(line)
        if split is None:
            return replies.BAD_SYNTAX
        verb, argument = split
        command = COMMANDS.get(verb)
        if command is None:
            return replies.NOT_SMTP if verb in FOREIGN else replies.UNKNOWN_COMMAND
        if talk.doubted and not await talk.stands():
            return replies.SIGNED_OUT
        if len(line) + 2 > command.octets:
            return replies.COMMAND_TOO_LONG
        stop = gate(command, argument, talk)
        if stop is not None and command.run is not Action.BDAT:
            return stop
        if command.idle:
            talk.count_idle()
        run = command.run
        try:
            return await (self._act(run, argument, stop) if isinstance(run, Action) else run(talk, argument))
        except (Lost, ConnectionError):
            raise
        except Exception as fault:
            _log_fault(verb, fault)
            return _AT_FAULT.get(run, replies.FAULT) if isinstance(run, Action) else replies.FAULT

    async def _act(self, action: Action, argument: str, stop: Reply | None) -> Reply | None:
        match action:
            case Action.DATA:
                return await self._data()
            case Action.BDAT:
                return await self._bdat(argument, stop)
            case Action.AUTH:
                return await self._auth(argument)
            case Action.STARTTLS:
                return await self._starttls()
            case Action.QUIT:
                self._over = True
                return replies.BYE

    async def _starttls(self) -> Reply | None:
        self._say(replies.TLS_READY)
        await self._flush()
        if not await self._begin_tls():
            self._over = True
        return None

    # ------------------------------------------------------------ sign-in
    async def _auth(self, argument: str) -> Reply:
        """RFC 4954 4: a mechanism and, maybe, the client's first response; then challenges and responses."""
        assert self.talk.desk is not None
        mechanism, _, initial = argument.partition(" ")
        exchange = self.talk.desk.begin(mechanism)
        if exchange is None:
            return replies.AUTH_UNKNOWN
        given = initial.strip().encode() or None
        async with aclosing(exchange):
            step = await anext(exchange)
            while isinstance(step, bytes):
                line = await self._ask(step) if given is None else given
                if isinstance(line, Reply):
                    return line
                response, given = sasl.decoded(line), None
                step = response if isinstance(response, Fault) else await exchange.asend(response)
        return await self._signed_in(step)

    async def _signed_in(self, end: SignedIn | Refused | Fault) -> Reply:
        if isinstance(end, SignedIn):
            self.talk.enter(end)
            return replies.SIGNED_IN
        if isinstance(end, Fault):
            return replies.of_fault(end)
        await asyncio.sleep(min(end.wait_ms / 1000, self.house.limits.password_wait_s))
        return replies.WRONG_PASSWORD

    async def _ask(self, challenge: bytes) -> bytes | Reply:
        self._say(Reply(334, "", (b64encode(challenge).decode(),)))
        line = await self._next_line()
        if line is None:
            raise Lost
        if isinstance(line, bytes):
            return line
        return replies.BARE_LINE_END if line is LineFault.BARE_LINE_END else replies.COMMAND_TOO_LONG

    # ------------------------------------------------------------ DATA and BDAT: this session is an `intake.Source`
    async def _data(self) -> Reply:
        self._data_end = self.loop.time() + self.house.limits.data_total_s
        self._say(replies.GO_AHEAD)
        self._send()  # even when the message came with the command
        return await take_message(self.talk, self)

    async def _bdat(self, argument: str, stop: Reply | None) -> Reply:
        """The octets of a refused chunk are read all the same (RFC 3030 2): they are no commands."""
        limits = self.house.limits
        chunk = parse_bdat(argument)
        if chunk is None:
            return replies.BAD_CHUNK
        size, last = chunk
        self._data_end = self.loop.time() + limits.data_total_s
        if stop is not None:
            if size > GIVE_UP * limits.message_octets:
                return replies.MUCH_TOO_LARGE
            await skip_chunk(self, size)
            return stop
        chunks = begin_chunks(self.talk, self._data_end)
        if chunks.scanner.size + size > GIVE_UP * limits.message_octets:
            return replies.MUCH_TOO_LARGE
        if self.loop.time() > chunks.until:
            return replies.TIMED_OUT
        self._data_end = chunks.until
        if not size and not last:
            self.talk.count_idle()
        return await take_chunk(self.talk, self, size, last)

    async def block(self, most: int | None = None) -> bytes:
        deadline = min(self.loop.time() + self.house.limits.data_block_s, self._data_end)
        while not (block := self._input.take_block(most)) and not self._input.ended:
            await self._more(deadline)
        return block

    def put_back(self, rest: bytes) -> None:
        self._input.put_back(rest)


def _log_fault(verb: str, fault: Exception) -> None:
    """Kind and place only: the text of an exception may hold what the client sent."""
    place = traceback.extract_tb(fault.__traceback__)[-1]
    log.error("smtp_fault", verb=verb, kind=type(fault).__name__, at=f"{place.filename}:{place.lineno}")

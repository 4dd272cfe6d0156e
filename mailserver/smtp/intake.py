"""DATA: blocks from the client through the scanner into the writer, which encrypts as it goes; nothing of the message is kept here.

Then one call of `accept`, and one reply. A message is either handed over whole or void; whose it was is not our matter.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from foundation.blobs import INLINE, BlobWriter, PreparedBlob
from mailserver.delivery import headers
from mailserver.delivery.api import INWARD_DOORS
from mailserver.smtp import replies, trace
from mailserver.smtp.conversation import Conversation, Transaction
from mailserver.smtp.data import DataFault, DataScanner
from mailserver.smtp.replies import Reply

GIVE_UP = 4  # times the size limit thrown away before the connection goes too

_FAULTS = {
    DataFault.BARE_LINE_END: replies.BARE_LINE_END,
    DataFault.LINE_TOO_LONG: replies.LINE_TOO_LONG,
    DataFault.TOO_LARGE: replies.TOO_LARGE,
    DataFault.NOT_STORED: replies.NO_ROOM,
}


class Sink(Protocol):
    """The part of `foundation.blobs.BlobWriter` that `receive` uses."""

    def write(self, data: bytes, /) -> None: ...


class Source(Protocol):
    async def block(self) -> bytes:
        """What the client sent, at least one octet; b"" when the connection is lost or too slow."""
        ...

    def put_back(self, rest: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Taken:
    """With a fault the message is void; when its end was not reached, the connection must go too."""

    fault: DataFault | None
    ended: bool


class Lost(Exception):
    """The connection ended inside the message: nobody is left to answer."""


async def take_message(talk: Conversation, source: Source) -> Reply:
    """From 354 to the reply. Whatever happens, the transaction is over (RFC 5321 4.1.1.4)."""
    transaction = talk.transaction
    assert transaction is not None
    house, message_id = talk.house, talk.house.new_id()
    writer = house.new_writer()
    try:
        if talk.rules.door in INWARD_DOORS:  # what comes in here is never relayed: final delivery (RFC 5321 4.4)
            writer.write(headers.return_path(transaction.reverse_path))
        writer.write(trace.received(talk, message_id, house.clock()))
        talk.transaction = None
        taken = await receive(source, writer, house.limits.message_octets)
        content = None if taken.fault else await _finish(writer)
    except BaseException:
        writer.abort()
        raise
    if content is None:
        writer.abort()
        return _void(taken)
    return await _hand_over(talk, transaction, content)


async def receive(source: Source, sink: Sink, limit: int) -> Taken:
    """One message. A bare line end is told at once, without waiting for an end that may never come; other faults at the end."""
    scanner = DataScanner(limit)
    while not scanner.finished:
        block = await source.block()
        if not block:
            raise Lost
        clean = scanner.feed(block)
        try:
            if clean:
                sink.write(clean)
        except OSError:  # the disk is full, or ill: the client's octets must still not be taken for commands
            scanner.fault = DataFault.NOT_STORED
        if scanner.fault is DataFault.BARE_LINE_END or scanner.size > GIVE_UP * limit:
            break
    source.put_back(scanner.rest)
    return Taken(scanner.fault, scanner.finished)


async def _finish(writer: BlobWriter) -> PreparedBlob:
    """A large blob waits for the disk: in a thread."""
    if writer.size <= INLINE:
        return writer.finish()
    return await asyncio.get_running_loop().run_in_executor(None, writer.finish)


def _void(taken: Taken) -> Reply:
    if taken.fault is DataFault.TOO_LARGE and not taken.ended:
        return replies.MUCH_TOO_LARGE
    return _FAULTS[taken.fault] if taken.fault else replies.FAULT


async def _hand_over(talk: Conversation, transaction: Transaction, content: PreparedBlob) -> Reply:
    """From here on the content is the acceptor's: only it knows whether a row points to it."""
    outcome = await talk.house.acceptor.accept(transaction.envelope(), content)
    answer = replies.reply_after_data(outcome)
    if not answer.is_error:
        talk.count_delivery()
    return answer

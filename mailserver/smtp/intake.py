"""DATA and BDAT: blocks from the client through a scanner into the writer, which encrypts as it goes; nothing of the message is
kept here.

Then one call of `accept`, and one reply. A message is either handed over whole or void; whose it was is not our matter.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

from foundation.blobs import PreparedBlob
from foundation.values import value
from mailserver.delivery import headers
from mailserver.delivery.api import INWARD_DOORS
from mailserver.mime.downgrade import textual
from mailserver.smtp import replies, trace
from mailserver.smtp.arrival import Arrival
from mailserver.smtp.conversation import Chunks, Conversation, Transaction
from mailserver.smtp.data import ChunkScanner, DataFault, DataScanner
from mailserver.smtp.ports import House
from mailserver.smtp.replies import Reply

GIVE_UP = 4  # times the size limit thrown away before the connection goes too

_FAULTS = {
    DataFault.BARE_LINE_END: replies.BARE_LINE_END,
    DataFault.LINE_TOO_LONG: replies.LINE_TOO_LONG,
    DataFault.NUL: replies.NUL_FOUND,
    DataFault.TOO_LARGE: replies.TOO_LARGE,
    DataFault.NOT_STORED: replies.NO_ROOM,
}


class Sink(Protocol):
    """The part of `Arrival` that `receive` uses."""

    def write(self, data: bytes, /) -> None: ...


class Source(Protocol):
    async def block(self, most: int | None = None) -> bytes:
        """What the client sent, at least one octet, `most` at most; b"" when the connection is lost or too slow."""
        ...

    def put_back(self, rest: bytes) -> None: ...


@value
class Taken:
    """With a fault the message is void; when its end was not reached, the connection must go too."""

    fault: DataFault | None
    ended: bool


class Lost(Exception):
    """The connection ended inside the message: nobody is left to answer."""


# ---------------------------------------------------------------- DATA
async def take_message(talk: Conversation, source: Source) -> Reply:
    """From 354 to the reply. Whatever happens, the transaction is over (RFC 5321 4.1.1.4)."""
    transaction = talk.transaction
    assert transaction is not None
    arrival = _begun(talk, transaction)
    try:
        talk.transaction = None
        taken = await receive(source, arrival, talk.house.limits.message_octets)
        content = None if taken.fault else await arrival.finish()
    except BaseException:
        arrival.abort()
        raise
    if content is None:
        arrival.abort()
        return _void(taken)
    return await _hand_over(talk, transaction, content)


async def receive(source: Source, sink: Sink, limit: int) -> Taken:
    """One message. A bare line end is told at once, without waiting for an end that may never come; other faults at the end."""
    scanner = DataScanner(limit)
    while not scanner.finished:
        block = await source.block()
        if not block:
            raise Lost
        _store(scanner, sink, scanner.feed(block))
        if scanner.fault is DataFault.BARE_LINE_END or scanner.size > GIVE_UP * limit:
            break
    source.put_back(scanner.rest)
    return Taken(scanner.fault, scanner.finished)


# ---------------------------------------------------------------- BDAT (RFC 3030)
def begin_chunks(talk: Conversation, until: float) -> Chunks:
    """Those of the transaction; `until` is for the first one."""
    transaction = talk.transaction
    assert transaction is not None
    if transaction.chunks is None:
        scanner = ChunkScanner(talk.house.limits.message_octets, transaction.mail.binary)
        transaction.chunks = Chunks(_begun(talk, transaction), scanner, until)
    return transaction.chunks


async def take_chunk(talk: Conversation, source: Source, size: int, last: bool) -> Reply:
    """One chunk, whose first fault answers all that follow too, until RSET or the last one ends the transaction."""
    transaction = talk.transaction
    assert transaction is not None
    assert transaction.chunks is not None
    chunks = transaction.chunks
    await receive_chunk(source, chunks.scanner, chunks.arrival, size)
    if last:
        chunks.scanner.end()
    fault = chunks.scanner.fault
    if fault is not None:
        if last:
            talk.give_up()
        return _FAULTS[fault]
    if not last:
        return replies.CHUNK_OK
    talk.transaction = None
    try:
        content = await chunks.arrival.finish()
    except BaseException:
        chunks.arrival.abort()
        raise
    if transaction.mail.binary:
        async with talk.house.large:
            text = await asyncio.to_thread(_as_text, talk.house, content)
        if text is None:
            return replies.NO_TEXT
        content = text
    return await _hand_over(talk, transaction, content)


def _as_text(house: House, binary: PreparedBlob) -> PreparedBlob | None:
    """The same message as text; the one it came as is forgotten. Whole in memory meanwhile."""
    writer = house.new_writer()
    try:
        text = textual(binary.plaintext())
        if text is None:
            return None
        writer.write(text)
        return writer.finish()
    except BaseException:
        writer.abort()
        raise
    finally:
        binary.discard()


async def receive_chunk(source: Source, scanner: ChunkScanner, sink: Sink, size: int) -> None:
    """All its octets are read, whatever becomes of them: they are never commands. Only a bare line end stops it."""
    scanner.announce(size)
    while size and scanner.fault is not DataFault.BARE_LINE_END:
        block = await source.block(size)
        if not block:
            raise Lost
        size -= len(block)
        _store(scanner, sink, scanner.feed(block))


async def skip_chunk(source: Source, size: int) -> None:
    """A chunk that nobody wants."""
    while size:
        block = await source.block(size)
        if not block:
            raise Lost
        size -= len(block)


# ---------------------------------------------------------------- both
def _begun(talk: Conversation, transaction: Transaction) -> Arrival:
    """With our own lines: what comes in from other operators is never relayed, so it has arrived (RFC 5321 4.4)."""
    house, inward = talk.house, talk.rules.door in INWARD_DOORS
    path = headers.return_path(transaction.mail.reverse_path) if inward else b""
    received = trace.received(talk, house.new_id(), house.clock())
    checker = house.checker if inward else None
    own, shown = not inward, transaction.sender.shown
    return Arrival(house.new_writer(), house.hostname, path, received, checker, talk.client_ip, own, shown)


def _store(scanner: DataScanner | ChunkScanner, sink: Sink, clean: bytes) -> None:
    try:
        if clean:
            sink.write(clean)
    except OSError:  # the disk is full, or ill: the client's octets must still not be taken for commands
        scanner.fault = DataFault.NOT_STORED


def _void(taken: Taken) -> Reply:
    if taken.fault is DataFault.TOO_LARGE and not taken.ended:
        return replies.MUCH_TOO_LARGE
    return _FAULTS[taken.fault] if taken.fault else replies.FAULT


async def _hand_over(talk: Conversation, transaction: Transaction, content: PreparedBlob) -> Reply:
    """From here on the content is the acceptor's: only it knows whether a row points to it."""
    if talk.doubted and not await talk.stands(transaction):  # since RCPT: a large message takes its time
        content.discard()
        return replies.SIGNED_OUT
    try:
        outcome = await talk.house.acceptor.accept(transaction.envelope(), content)
    except OSError:  # what waited in memory could not be written
        return replies.NO_ROOM
    answer = replies.reply_after_data(outcome)
    if not answer.is_error:
        talk.count_delivery(transaction)
    return replace(answer, reason="") if answer.reason else answer  # counted where it was decided, for each recipient

"""The one door in (ARCHITECTURE.md, principle 2): every message, from any door, is judged and stored here.

`judge` says before DATA what can be said then. `accept` reads the message once (`letter`), then in one transaction meets the rules
again (`mssante.rules`), decides for each recipient and writes all that follows (`settle`): rows, exchanges, jobs, audit. It returns
after the commit is on disk. Refusals are values, one final verdict per recipient; only a fault of ours raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from contextlib import nullcontext
from dataclasses import replace

from sqlalchemy import Connection

from foundation.antivirus import Absent, Antivirus, Infected
from foundation.blobs import INLINE, PreparedBlob
from foundation.jobs import Job
from foundation.remembered import MEMORY, NotRemembered
from mailserver.contents.opening import Opened
from mailserver.delivery import headers, hold, letter
from mailserver.delivery.api import INWARD_DOORS, Door, Envelope, Fate, Outcome, Recipient, Sender, Verdict
from mailserver.delivery.attachments import NO_POLICIES, Addressed, MustOpen, without_warning
from mailserver.delivery.decide import exchange_of
from mailserver.delivery.letter import Letter
from mailserver.delivery.settle import Settlement
from mailserver.delivery.space import Space, addressee_of, author_of
from mailserver.delivery.traces import Traces
from mailserver.mime import scan
from mailserver.mime.weight import LIGHT, weight
from mssante import reasons
from mssante.address import parse_address
from mssante.identity import Invalid
from mssante.kinds import BoxKind, Party
from mssante.reason import Reason
from mssante.rules import MessageFacts, Refused, decide

LARGE = 4 * 1024 * 1024  # octets
PROFESSIONAL = frozenset(kind for kind in BoxKind if kind.party is Party.PROFESSIONAL)
HEAVY = (
    INLINE  # octets: above, a copy waits for the disk, so reading leaves the loop; below too, what is made to be slow
)


class Delivery:
    """Implements `delivery.api.Acceptor`. Large messages are read one at a time in a process: whole in memory meanwhile."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._traces = Traces(space.keys)
        self._large = asyncio.Semaphore(1)

    async def judge(self, sender: Sender, reverse_path: str, recipient: Recipient) -> Verdict:
        try:
            refused = self._judge(MEMORY, sender, reverse_path, recipient)
        except NotRemembered:
            refused = await self._space.db.read(self._judge, sender, reverse_path, recipient)
        if refused is None:
            return Verdict(recipient.address, Fate.DELIVERED)
        if sender.door is not Door.BENCH:  # nobody waits for it: the reply is the same
            tell = (sender, reverse_path, recipient.address, refused.reason.name, self._space.clock())
            self._space.db.submit(self._traces.refused, *tell)
        return Verdict(recipient.address, Fate.REFUSED, refused.reason, refused.detail)

    def _judge(self, conn: Connection, sender: Sender, reverse_path: str, recipient: Recipient) -> Refused | None:
        space = self._space
        author = author_of(conn, space, sender, reverse_path)
        if isinstance(author, Refused):
            return author
        to = addressee_of(conn, space, sender, recipient)
        if isinstance(to, Refused):
            return to
        exchange = exchange_of(conn, space, author, to)
        message = MessageFacts(notice=author.notice)
        verdict = decide(author.facts, to.facts, exchange.facts if exchange else None, message, space.clock())
        if isinstance(verdict, Refused):
            return verdict
        if to.box is not None and not space.mailboxes.has_room(conn, to.box.id):
            return Refused(reasons.BOX_FULL)
        return None

    async def accept(self, envelope: Envelope, content: PreparedBlob) -> Outcome:
        """Goes on to its end when the client is lost on the way: what is committed and what is discarded stay consistent."""
        if content.ref.size <= HEAVY and self._space.antivirus is None:
            return await self._accept(
                envelope, content, None
            )  # waits for the writer only, whom nobody stops: no task needed
        return await asyncio.shield(asyncio.ensure_future(self._accept(envelope, content, None)))

    async def release(self, envelope: Envelope, content: PreparedBlob, promise: Job) -> Outcome:
        """`accept` for a message that was held: its promise goes in the same transaction; raises `LeaseLost`."""
        return await asyncio.shield(asyncio.ensure_future(self._accept(envelope, content, promise)))

    async def room_to_hold(self, sender: Sender) -> Reason | None:
        return await self._space.db.read(hold.fault, self._space, sender)

    async def _accept(self, envelope: Envelope, content: PreparedBlob, promise: Job | None) -> Outcome:
        held = envelope.terms.hold_until > self._space.clock()
        try:
            message = await self._letter(envelope, content, held)
        except BaseException:
            content.discard()
            raise
        if self._space.antivirus is not None and envelope.sender.door is not Door.SYSTEM and promise is None:
            message = replace(message, fault=await self._scanned(self._space.antivirus, content) or message.fault)
        settlement = Settlement(self._space, self._traces, envelope, message, content.ref, held, promise)
        try:
            outcome, used = await self._space.db.write(settlement.run)
        except Exception:
            _discard({content, *message.made}, frozenset())
            raise
        _discard({content, *message.made}, used)
        return outcome

    async def _letter(self, envelope: Envelope, content: PreparedBlob, held: bool) -> Letter:
        wanted: set[Addressed] = {None} if held else self._addressed(envelope)
        reading = (envelope, content, wanted, await self._kind_of(envelope.sender))
        heavy = content.ref.size > HEAVY or weight(content.plaintext()) > LIGHT
        alone = self._large if content.ref.size > LARGE else nullcontext()
        try:
            async with alone:
                return await asyncio.to_thread(self._read, *reading) if heavy else self._read(*reading)
        except MustOpen as found:  # which takes its time: others are read meanwhile
            files = found.files
        opened = await self._space.opener.open(files, _whose(envelope.sender)) if self._space.opener is not None else {}
        async with alone:
            return await asyncio.to_thread(self._read, *reading, opened)

    async def _scanned(self, antivirus: Antivirus, content: PreparedBlob) -> Refused | None:
        """Our own notices are not asked about, nor what was held: it was, when it came."""
        verdict = await antivirus.scan(content)
        self._space.tally.count("antivirus", type(verdict).__name__.lower())
        if isinstance(verdict, Infected):
            return Refused(reasons.VIRUS_FOUND, {"virus": verdict.name})
        return Refused(reasons.ANTIVIRUS_ABSENT) if isinstance(verdict, Absent) and not self._space.unscanned else None

    async def _kind_of(self, sender: Sender) -> BoxKind | None:
        """Of the mailbox that sends, when it is ours."""
        if sender.box_id is None:
            return None
        mailboxes = self._space.mailboxes
        try:
            box = mailboxes.get(MEMORY, sender.box_id)
        except NotRemembered:
            box = await self._space.db.read(mailboxes.get, sender.box_id)
        return box.kind if box is not None else None

    def _read(
        self,
        envelope: Envelope,
        content: PreparedBlob,
        wanted: set[Addressed],
        author: BoxKind | None,
        opened: Opened | None = None,
    ) -> Letter:
        space, door = self._space, envelope.sender.door
        # The inward doors write it as the message streams in: a large one is not stored twice for it.
        private = b"" if door is Door.WEB or door in INWARD_DOORS else headers.return_path(envelope.reverse_path)

        def complete(octets: bytes) -> bytes:
            """A peer's message stays as it is; our own users' has what theirs lacked; a team's, once, who of it wrote it."""
            if door in INWARD_DOORS:
                return octets
            sender = envelope.sender
            octets = without_warning(octets) if envelope.arrived_at else octets
            if sender.team and sender.actor and not envelope.arrived_at and (team := _written_from(envelope, octets)):
                octets = headers.signed_by(octets, sender.actor, team)
            message_id = f"{content.ref.name}@{space.operator.host}"
            return headers.completed(octets, space.product_number, message_id, space.clock()) + octets

        policies = NO_POLICIES if door is Door.SYSTEM else space.attachments.by(author)
        return letter.read(space.keys, space.blobs, content, private, complete, wanted, policies, opened)

    def _addressed(self, envelope: Envelope) -> set[Addressed]:
        """Whose copies the recipients may need; known from the domains alone."""
        operator = self._space.operator
        wanted: set[Addressed] = set()
        for recipient in envelope.recipients:
            address = parse_address(recipient.address)
            if isinstance(address, Invalid):
                continue
            if not operator.serves(address.domain):
                wanted.add(None)
            elif operator.party_of(address) is Party.CITIZEN:
                wanted.add(BoxKind.CIT)
            else:
                wanted |= PROFESSIONAL
        return wanted


def _whose(sender: Sender) -> Hashable:
    """Who answers for the message: one of our mailboxes, or the operator that its certificate names."""
    return sender.box_id or sender.peer_domains


def _written_from(envelope: Envelope, octets: bytes) -> str:
    """The address that our user writes from; behind a null reverse path that of From, which is refused when it is another's."""
    return envelope.reverse_path or next((str(one) for one in scan(octets).addresses("From")), "")


def _discard(blobs: set[PreparedBlob], used: frozenset[str]) -> None:
    for blob in blobs:
        if blob.ref.name not in used:
            blob.discard()

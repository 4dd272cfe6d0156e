"""What becomes of each recipient of a message: facts read from the database, judged by the pure rules. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from foundation.values import value
from mailserver.delivery import hold
from mailserver.delivery.api import Door, Envelope, Recipient
from mailserver.delivery.letter import Letter
from mailserver.delivery.space import Addressee, Author, Space, addressee_of, author_of, from_header_fault
from mailserver.store.insert import answers_no_reply
from mssante import facts, reasons
from mssante.address import Address
from mssante.exchanges import Exchange
from mssante.kinds import Party
from mssante.rules import Allowed, MessageFacts, Refused, decide


@value
class Decision:
    """`to` is None when the address could not even be read."""

    recipient: Recipient
    to: Addressee | None
    ruling: Allowed | Refused
    exchange: Exchange | None = None  # the citizen's who writes, with this professional, as it stood


def decisions(
    conn: Connection, space: Space, envelope: Envelope, letter: Letter, now: int
) -> tuple[Author, list[Decision]]:
    """One decision per recipient, in the envelope's order."""
    author = author_of(conn, space, envelope.sender, envelope.reverse_path, _written_by(letter.senders))
    if isinstance(author, Refused):
        return Author(facts.SYSTEM), [Decision(recipient, None, author) for recipient in envelope.recipients]
    fault = (
        letter.fault
        or _unreadable(letter)
        or _too_late(envelope, now)
        or _no_room_to_hold(conn, space, envelope, now)
        or _lost_right(conn, space, envelope)
        or from_header_fault(space, envelope.sender, author.address, letter.senders)
        or _sender_full(conn, space, envelope, author, letter)
    )
    if fault is not None:
        return author, [Decision(recipient, None, fault) for recipient in envelope.recipients]
    message = _message_facts(conn, envelope, letter, author)
    return author, [
        _attached(letter, _decide(conn, space, envelope, author, recipient, message, now))
        for recipient in envelope.recipients
    ]


def _decide(
    conn: Connection,
    space: Space,
    envelope: Envelope,
    author: Author,
    recipient: Recipient,
    message: MessageFacts,
    now: int,
) -> Decision:
    to = addressee_of(conn, space, envelope.sender, recipient)
    if isinstance(to, Refused):
        return Decision(recipient, None, to)
    exchange = exchange_of(conn, space, author, to)
    ruling = decide(author.facts, to.facts, exchange.facts if exchange else None, message, now)
    return Decision(recipient, to, ruling, exchange)


def _attached(letter: Letter, decision: Decision) -> Decision:
    """Last: who may not write learns that, not what the mailbox takes."""
    box = decision.to.box if decision.to is not None else None
    refused = letter.judged.of(box.kind).refused if box is not None else None
    return replace(decision, ruling=refused) if refused and isinstance(decision.ruling, Allowed) else decision


def exchange_of(conn: Connection, space: Space, author: Author, to: Addressee) -> Exchange | None:
    """The exchange that lets a citizen of ours write to this professional."""
    if author.box is None or author.facts.party is not Party.CITIZEN or to.facts.party is not Party.PROFESSIONAL:
        return None
    return space.exchanges.get(conn, author.box.id, to.address)


def _message_facts(conn: Connection, envelope: Envelope, letter: Letter, author: Author) -> MessageFacts:
    copy = next(iter(letter.copies.values()), None)
    by_citizen = author.box is not None and author.facts.party is Party.CITIZEN
    return MessageFacts(
        notice=author.notice,
        carries_prescription=envelope.prescription and envelope.sender.door is Door.WEB,
        no_reply=letter.closing.no_reply,
        answers_no_reply=bool(by_citizen and copy and author.box and answers_no_reply(conn, author.box.id, copy.kept)),
    )


def _unreadable(letter: Letter) -> Refused | None:
    return None if letter.readable else Refused(reasons.HEADER_TOO_LONG)


def _too_late(envelope: Envelope, now: int) -> Refused | None:
    """The message took longer to come than it had time to arrive (RFC 2852 4.1.3)."""
    if not envelope.terms.too_late(now):
        return None
    return Refused(reasons.NOT_DELIVERED_IN_TIME, {"deadline_at": str(envelope.terms.deadline)})


def _no_room_to_hold(conn: Connection, space: Space, envelope: Envelope, now: int) -> Refused | None:
    reason = hold.fault(conn, space, envelope.sender) if envelope.terms.hold_until > now else None
    return None if reason is None else Refused(reason)


def _lost_right(conn: Connection, space: Space, envelope: Envelope) -> Refused | None:
    """Of a message that was held: its writer may have left, or only read from now on, or the application password that brought it
    was removed. Others have just signed in.
    """
    sender = envelope.sender
    if not envelope.arrived_at or sender.box_id is None:
        return None
    may = space.may_send(conn, sender.box_id, sender.member, sender.brought)
    return None if may else Refused(reasons.SENDER_LOST_RIGHT)


def _sender_full(conn: Connection, space: Space, envelope: Envelope, author: Author, letter: Letter) -> Refused | None:
    """The web page keeps a copy of what it sends: a full mailbox can neither receive nor send (docs/rules.md section 2)."""
    if envelope.sender.door is not Door.WEB or author.box is None:
        return None
    size = max((copy.kept.size for copy in letter.copies.values()), default=0)
    used, limit = space.mailboxes.quota(conn, author.box.id)
    return Refused(reasons.SENDER_BOX_FULL) if used + size > limit else None


def _written_by(senders: Sequence[Address | None]) -> Address | None:
    return senders[0] if senders else None

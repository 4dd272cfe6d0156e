"""All that delivery works with, wired by runtime; and who stands behind a door, as the rules see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from foundation.antivirus import Antivirus
from foundation.audit import Audit
from foundation.blobs import Blobs
from foundation.clock import Clock, system_clock
from foundation.database import Database
from foundation.jobs import Jobs
from foundation.keys import KeyRing
from foundation.tally import Tally
from foundation.values import value
from mailserver.contents.opening import Opener
from mailserver.delivery.activity import Activity
from mailserver.delivery.api import INWARD_DOORS, Door, Recipient, Sender
from mailserver.delivery.attachments import Policies
from mailserver.store.sql import SqlMailStore
from mssante import directory, facts, reasons
from mssante.address import Address, parse_address
from mssante.exchanges import Exchanges
from mssante.identity import Invalid
from mssante.mailbox import Mailbox
from mssante.mailboxes import Mailboxes
from mssante.operators import Operator
from mssante.rules import RecipientFacts, Refused, SenderFacts
from mssante.sent_for_later import Brought

POSTMASTER = "postmaster"  # of any domain of professionals that is ours (RFC 5321 4.5.1); of citizens: at the door
NOTICE_DOORS = frozenset({Door.MX, Door.BENCH, Door.SYSTEM})  # where a null reverse path means a notice


@dataclass(frozen=True, slots=True)
class Space:
    """`trusted(domain)`: is it in the trust list in force; `product_number`: X-MSS-NIL of this product; `products`: those that
    the figures tell apart, in capitals; `held_messages`: of one
    mailbox, waiting for their hour; `postmaster`: that of each of our domains; `may_send(conn, box, member, brought)`: may this
    person still write from this mailbox.
    """

    db: Database
    keys: KeyRing
    blobs: Blobs
    store: SqlMailStore
    mailboxes: Mailboxes
    exchanges: Exchanges
    operator: Operator
    trusted: Callable[[str], bool]
    jobs: Jobs
    audit: Audit
    clock: Clock = field(default=system_clock)
    product_number: str = ""
    products: frozenset[str] = frozenset()
    held_messages: int = 50
    postmaster: str = ""
    may_send: Callable[[Connection, int, int, Brought], bool] = lambda conn, box_id, member, brought: True
    antivirus: Antivirus | None = None
    unscanned: bool = False  # accepted when the antivirus does not answer; else put off
    attachments: Policies = field(default_factory=Policies)
    opener: Opener | None = None  # of archives that only opening shows; without one they are taken as they look
    tally: Tally = field(default_factory=Tally)
    activity: Activity = field(default_factory=Activity)


@value
class Author:
    """Who writes; `address` is None behind a null reverse path."""

    facts: SenderFacts
    address: Address | None = None
    box: Mailbox | None = None
    notice: bool = False


@value
class Addressee:
    """Whom for; `entry` is the directory's, looked up for other operators' mailboxes only."""

    facts: RecipientFacts
    address: Address
    box: Mailbox | None
    entry: directory.Entry | None


def author_of(
    conn: Connection, space: Space, sender: Sender, reverse_path: str, written_by: Address | None = None
) -> Author | Refused:
    """`written_by`: the From address, once the message is read; it is who the recipient sees, so it is who is judged."""
    if sender.door in NOTICE_DOORS and not reverse_path:
        return Author(facts.SYSTEM, notice=True)
    if sender.door is Door.SYSTEM:
        return Author(facts.SYSTEM)
    box = None if sender.box_id is None else space.mailboxes.get(conn, sender.box_id)
    if sender.door in INWARD_DOORS:
        address = written_by or parse_address(reverse_path)
        if isinstance(address, Invalid):
            return Refused(reasons.BAD_ADDRESS)
        return Author(facts.sender_facts(address, None, space.operator, space.trusted), address)
    if box is None:
        return Refused(reasons.SENDER_BOX_INACTIVE)
    if reverse_path and not _same(reverse_path, box.address):
        return Refused(reasons.FROM_NOT_SENDER)
    return Author(facts.sender_facts(box.address, box, space.operator, space.trusted), box.address, box)


def addressee_of(conn: Connection, space: Space, sender: Sender, recipient: Recipient) -> Addressee | Refused:
    address = parse_address(recipient.address)
    if isinstance(address, Invalid):
        return Refused(reasons.BAD_ADDRESS)
    ours = space.operator.serves(address.domain)
    if not ours and sender.door in INWARD_DOORS:
        if not space.trusted(address.domain):
            return Refused(reasons.RECIPIENT_DOMAIN_NOT_TRUSTED, {"domain": address.domain})
        return Refused(reasons.RELAY_DENIED)
    box = space.mailboxes.resolve(conn, address) if ours else None
    if ours and box is None and address.local.lower() == POSTMASTER and address.domain != space.operator.citizen_domain:
        box = space.mailboxes.resolve(conn, space.postmaster)
        address = address if box is None else box.address
    entry = None if ours else directory.get(conn, address)
    found = facts.recipient_facts(address, box, space.operator, space.trusted, entry)
    return Addressee(found, address, box, entry)


def from_header_fault(
    space: Space, sender: Sender, author: Address | None, senders: tuple[Address | None, ...]
) -> Refused | None:
    """Docs/rules.md section 1: at submission the writer's own address, at the border a domain that the peer serves."""
    if sender.door is Door.SYSTEM:
        return None
    known = [address for address in senders if address is not None]
    if not known or len(known) != len(senders):
        return Refused(reasons.MESSAGE_MALFORMED)
    for address in known:
        if sender.door in INWARD_DOORS:
            served = sender.peer_domains
            if not (space.trusted(address.domain) if served is None else address.domain in served):
                return Refused(reasons.FROM_DOMAIN_NOT_SERVED, {"domain": address.domain})
        elif author is None or address.key != author.key:
            return Refused(reasons.FROM_NOT_SENDER)
    return None


def _same(text: str, address: Address) -> bool:
    parsed = parse_address(text)
    return not isinstance(parsed, Invalid) and parsed.key == address.key

"""What the doors hand to `accept` and what they get back: plain values, no database, no protocol.

Every door (MX, submission, web page, our own notices) fills the same `Envelope`; `accept` answers one `Verdict` per recipient
(rules.md section 7: exactly one final verdict each). The reason of a refusal is a `mssante.reasons.Reason`: the SMTP reply, the
web notice, the audit row and the bounce all translate that one value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from foundation.blobs import PreparedBlob
from foundation.values import value
from mssante.reason import Reason
from mssante.sent_for_later import UNKNOWN, Brought


class Door(Enum):
    MX = "mx"
    SUBMISSION = "submission"
    WEB = "web"
    SYSTEM = "system"  # our own notices: bounces, confirmations
    BENCH = "bench"  # loopback benchmark door: judged like MX, without TLS


INWARD_DOORS = frozenset({Door.MX, Door.BENCH})  # nothing that comes in here goes out again


@value
class Sender:
    """Who stands behind the door, as proven there (client certificate, sign-in or web session)."""

    door: Door
    box_id: int | None = None  # the sender's own mailbox when it is ours (submission, web)
    actor: str = ""  # who acts: member of an ORG box, parent or carer; shown, traced, never logged
    member: int = 0  # the number of their credential (`sign_in.SignedIn`); 0: no person's
    team: bool = False  # the mailbox is several people's: the message says which of them wrote it
    peer_domains: frozenset[str] | None = None  # MX: domains the peer's certificate may send for; None = not a peer
    client_ip: str = ""
    brought: Brought = UNKNOWN  # the sign-in behind it, judged again when the message was held
    shown: str = ""  # the name of their mailbox in the directory, which From bears (submission); "": what it likes


@value
class Recipient:
    address: str  # as given in RCPT TO, syntax checked
    notify: frozenset[str] = frozenset()  # RFC 3461 4.1: NEVER, SUCCESS, FAILURE, DELAY
    orcpt: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms the sender hands the message over; they go with it to the next server.

    `require_tls`: only to servers that promise the same (RFC 8689). `priority`: -9 to 9, the higher goes first (RFC 6710).
    `deadline`: ms, 0 for none; what is not delivered by then comes back when `returns`, else the sender is told (RFC 2852);
    `traced`: told of each server that takes it over. `hold_until`: ms, 0 for now; `hold`: the wish as it was said, "for;3600"
    (RFC 4865).
    """

    require_tls: bool = False
    priority: int = 0
    deadline: int = 0
    returns: bool = False
    traced: bool = False
    hold_until: int = 0
    hold: str = ""

    def too_late(self, now: int) -> bool:
        """Nothing more may be done for it (RFC 2852 4.1.3)."""
        return self.returns and now >= self.deadline

    def for_notice(self) -> Terms:
        """A notice about a message is protected like the message (RFC 8689 5) and as urgent (RFC 6710 4.6)."""
        return Terms(require_tls=self.require_tls, priority=self.priority)


@value
class Envelope:
    sender: Sender
    reverse_path: str  # "" is the null reverse path <>
    recipients: tuple[Recipient, ...]
    ret: str | None = None  # RFC 3461 4.3: FULL or HDRS
    envid: str | None = None
    smtp_utf8: bool = False
    terms: Terms = Terms()
    arrived_at: int = 0  # ms, of a message that was held; 0: now
    prescription: bool = False  # set by the web page only: carries a prescription chosen in the dossier (rule 5)


class Fate(Enum):
    DELIVERED = "delivered"  # in the mailbox, on disk
    RELAYED = "relayed"  # a promise: a job row to another operator
    HELD = "held"  # a promise: judged and delivered at the hour that the sender chose
    CLOSED = "closed"  # the command [FIN]: obeyed, not delivered (rules.md section 4)
    REFUSED = "refused"


@value
class Verdict:
    recipient: str
    fate: Fate
    reason: Reason | None = None  # of a refusal
    detail: dict[str, str] | None = None  # what the reason's sentence needs: domain, date, name


@value
class Outcome:
    """`verdicts` in the order of the envelope's recipients; `message_id` names the accepted message in the 250 reply."""

    verdicts: tuple[Verdict, ...]
    message_id: str


class Acceptor(Protocol):
    """The one door in (architecture.md, principle 2)."""

    async def judge(self, sender: Sender, reverse_path: str, recipient: Recipient) -> Verdict:
        """What can be said before DATA: resolves the mailbox and meets the rules; writes nothing."""
        ...

    async def room_to_hold(self, sender: Sender) -> Reason | None:
        """Why no message more may be held for this sender; None when one may."""
        ...

    async def accept(self, envelope: Envelope, content: PreparedBlob) -> Outcome:
        """Meets the rules again and stores, in one transaction; returns after the commit is on disk."""
        ...

"""One message in its one transaction: the decisions (`decide`), then all that follows from them.

Runs in the writer's thread and may run again after a conflict: touches nothing but the database. Recipients of ours are served
in the order of their boxes, so that two processes never lock the same rows in two orders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from foundation.blobs import BlobRef
from foundation.database import Transaction
from foundation.jobs import Job
from mailserver.delivery.api import Door, Envelope, Fate, Outcome, Verdict
from mailserver.delivery.attachments import Addressed
from mailserver.delivery.decide import Decision, decisions
from mailserver.delivery.figures import Told, count
from mailserver.delivery.letter import Letter
from mailserver.delivery.promises import Promises
from mailserver.delivery.space import Addressee, Author, Space
from mailserver.delivery.traces import Traces
from mailserver.store.api import Answer, Flag, Flags
from mailserver.store.insert import Kept, Thread, counterpart, thread_of
from mailserver.store.team import expect_copy
from mssante import reasons
from mssante.address import Address
from mssante.closing import Act, may_close
from mssante.exchanges import Contact, Exchange, reply_contact
from mssante.kinds import ClosedMeans, Party
from mssante.mailbox import Mailbox
from mssante.rules import Allowed, Refused

NO_REPLY = "$NoReply"  # keyword of a message that cannot be answered: the citizen's page says so
ACTOR_CHARACTERS = 32  # of the audit's column


class Settlement:
    """One message on its way; `run` is what the database writes. `promise`: of one that was held until now."""

    def __init__(
        self,
        space: Space,
        traces: Traces,
        envelope: Envelope,
        letter: Letter,
        content: BlobRef,
        held: bool,
        promise: Job | None,
    ) -> None:
        self._space = space
        self._traces = traces
        self._envelope = envelope
        self._letter = letter
        self._content = content  # its name also names the message in the 250 reply; nothing of what is in it
        self._held = held
        self._promise = promise

    def run(self, tx: Transaction) -> tuple[Outcome, frozenset[str]]:
        """The outcome, and the names of the blobs that the database now points to."""
        if self._promise is not None:
            self._space.jobs.keep(tx, self._promise)
        run = _Run(self._space, self._envelope, self._letter, tx, self._held, self._promise is not None)
        outcome, used = run.settle(self._content.name[:16])
        self._traces.received(tx, self._envelope, self._letter, outcome.verdicts, self._content, used, run.now)
        return outcome, used


class _Run:
    """One try of one message: what was inserted so far."""

    def __init__(
        self, space: Space, envelope: Envelope, letter: Letter, tx: Transaction, held: bool, released: bool
    ) -> None:
        self.space = space
        self.envelope = envelope
        self.letter = letter
        self.tx = tx
        self.held = held
        self.released = released
        self.now = space.clock()
        self.promises = Promises(space, envelope, self.now)
        self.inserted: dict[Addressed, tuple[int, BlobRef]] = {}
        self.served: dict[int, Verdict] = {}  # box -> verdict: one mailbox named twice gets one message
        self.exchanges: dict[str, int] = {}  # recipient's address -> exchange

    def settle(self, reference: str) -> tuple[Outcome, frozenset[str]]:
        author, decided = decisions(self.tx.conn, self.space, self.envelope, self.letter, self.now)
        order = sorted(range(len(decided)), key=lambda index: _box_id(decided[index]))
        found = {index: self._serve(author, decided[index]) for index in order}
        verdicts = tuple(found[index] for index in range(len(decided)))
        blob = next(iter(self.inserted.values()), None)
        if blob is not None and author.box is not None and not self.held:
            self._remember(author, blob[0])
        if blob is None and self.released:  # nobody waits for a reply any more: the refusals are told by a bounce
            self._insert(next(iter(self.letter.copies)))
            blob = next(iter(self.inserted.values()))
        self.promises.write(
            self.tx,
            verdicts,
            blob,
            self.inserted.get(None),
            self.letter.has_attachments,
            self.letter.closing.subject,
        )
        if self.letter.report and blob is not None:
            self.promises.learn(self.tx, verdicts, blob, author.address)
        self._trace(author, decided, verdicts)
        return Outcome(verdicts, reference), frozenset(ref.name for _, ref in self.inserted.values())

    # ---------------------------------------------------------------- one recipient
    def _serve(self, author: Author, decision: Decision) -> Verdict:
        ruling, to = decision.ruling, decision.to
        if isinstance(ruling, Refused):
            return _refused(decision, ruling)
        assert to is not None  # only readable addresses are allowed
        if self.held:
            self._insert(None)
            self.promises.held.append(decision.recipient)
            return Verdict(decision.recipient.address, Fate.HELD)
        if to.box is None:
            self._insert(None)
            self.promises.relays[to.address.domain].append(decision.recipient)
            return Verdict(decision.recipient.address, Fate.RELAYED)
        if to.box.id not in self.served:
            self.served[to.box.id] = self._serve_box(author, decision, ruling, to, to.box)
        first = self.served[to.box.id]
        return Verdict(decision.recipient.address, first.fate, first.reason, first.detail)

    def _serve_box(self, author: Author, decision: Decision, ruling: Allowed, to: Addressee, box: Mailbox) -> Verdict:
        box_id = box.id
        act = self.letter.closing.act if may_close(author.facts.party, to.facts.party) else Act.NONE
        if act is Act.COMMAND:
            self._close(author, to, box_id)
            return Verdict(decision.recipient.address, Fate.CLOSED)
        citizen = to.facts.party is Party.CITIZEN
        kept = self.letter.copies[box.kind].kept
        if not self.space.mailboxes.charge(self.tx, box_id, kept.size):
            return _refused(decision, Refused(reasons.BOX_FULL))
        exchange = self._exchange(author, decision, ruling, to, box_id)
        other = exchange.contact.address if citizen and exchange else _key(author.address)
        blob_id = self._insert(box.kind)
        thread = thread_of(
            self.tx,
            box_id,
            counterpart(self.space.keys, other.lower()),
            kept,
            blob_id,
            exchange.id if exchange else None,
            no_reply=ruling.no_reply,
        )
        flags = Flags(Flag(0), frozenset({NO_REPLY})) if ruling.no_reply and citizen else Flags()
        folder_id, uid = self.space.store.deliver_in(self.tx, box_id, kept, blob_id, thread, flags, self.now // 1000)
        if act is Act.DELIVER_THEN_CLOSE:
            self._close(author, to, box_id)
        elif citizen and self.letter.closing.near_miss:
            self.promises.closed["near_miss"].append(to.address.text)
        if citizen:
            self.promises.citizens.append((box_id, folder_id, uid, self.inserted[box.kind][1].name))
        return Verdict(decision.recipient.address, Fate.DELIVERED)

    # ---------------------------------------------------------------- exchanges
    def _exchange(
        self, author: Author, decision: Decision, ruling: Allowed, to: Addressee, box_id: int
    ) -> Exchange | None:
        """The exchange this message belongs to, opened, reopened or marked as used."""
        if author.facts.party is Party.PROFESSIONAL and to.facts.party is Party.CITIZEN and author.address:
            found = self._from_professional(author, author.address, ruling, box_id)
        elif author.facts.party is Party.CITIZEN and author.box is not None:
            found = self._from_citizen(author.box.id, decision, ruling, to)
        else:
            found = None
        if found is not None:
            self.exchanges[to.address.key] = found.id
        return found

    def _from_professional(
        self, author: Author, address: Address, ruling: Allowed, citizen_box_id: int
    ) -> Exchange | None:
        exchanges = self.space.exchanges
        target = reply_contact(address, self.letter.reply_to, self._is_trusted_professional)
        if not ruling.opens_exchange:
            exchanges.touch(self.tx, citizen_box_id, target, self.now)
            return exchanges.get(self.tx.conn, citizen_box_id, target)
        if target.key == address.key:
            contact, sender = self._contact(address, self.letter.sender_name), None
        else:
            contact, sender = self._contact(target, self.letter.reply_to_name), address
        return exchanges.open_or_reopen(self.tx, citizen_box_id, contact, self.now, sender)

    def _from_citizen(self, citizen_box_id: int, decision: Decision, ruling: Allowed, to: Addressee) -> Exchange | None:
        exchanges = self.space.exchanges
        if ruling.opens_exchange:
            holder = to.box.holder if to.box else None
            name = holder.display_name if holder else to.entry.display_name if to.entry else ""
            profession = holder.profession if holder else to.entry.profession if to.entry else ""
            contact = Contact(to.address.text, name, profession)
            return exchanges.open_or_reopen(self.tx, citizen_box_id, contact, self.now)
        if decision.exchange is not None:
            exchanges.touch(self.tx, citizen_box_id, to.address, self.now)
        return decision.exchange

    def _contact(self, address: Address, said: str) -> Contact:
        """Our own record of a holder is surer than what a mail program (or somebody else) writes in From or Reply-To."""
        ours = self.space.operator.serves(address.domain)
        box = self.space.mailboxes.resolve(self.tx.conn, address) if ours else None
        if box is not None and box.holder.display_name:
            return Contact(address.text, box.holder.display_name, box.holder.profession)
        return Contact(address.text, said)

    def _is_trusted_professional(self, address: Address) -> bool:
        operator = self.space.operator
        if operator.party_of(address) is not Party.PROFESSIONAL:
            return False
        if operator.serves(address.domain):
            return self.space.mailboxes.resolve(self.tx.conn, address) is not None
        return self.space.trusted(address.domain)

    def _close(self, author: Author, to: Addressee, citizen_box_id: int) -> None:
        means = self.letter.closing.means
        assert means is not None  # closing_of gives one with each act
        assert author.address is not None  # a professional has one
        by = self._contact(author.address, self.letter.sender_name)
        self.space.exchanges.close(self.tx, citizen_box_id, author.address, means, by.name or by.address, self.now)
        if means is not ClosedMeans.HEADER:  # the header is a program's clear word: nothing to confirm
            self.promises.closed[means.value].append(to.address.text)

    # ---------------------------------------------------------------- the sender's side
    def _remember(self, author: Author, blob_id: int) -> None:
        """The web page's copy in « Envoyés », and a team's; for another mail client, which stores its own, only the thread it will
        belong to."""
        assert author.box is not None
        copy = self.letter.copies[next(iter(self.inserted))]
        other = self.letter.digest.counterpart(_key(author.address))
        exchange_id = self.exchanges.get(other)
        thread = thread_of(self.tx, author.box.id, counterpart(self.space.keys, other), copy.kept, blob_id, exchange_id)
        sender = self.envelope.sender
        if sender.door is Door.WEB:
            self.space.mailboxes.charge(self.tx, author.box.id, copy.kept.size)
            self.space.store.sent_copy_in(self.tx, author.box.id, copy.kept, blob_id, thread, self.now // 1000)
        elif sender.team:
            self._show_team(author.box.id, copy.kept, blob_id, thread)

    def _show_team(self, box_id: int, kept: Kept, blob_id: int, thread: Thread) -> None:
        """The colleagues see what was sent in their name and who answered; in a full mailbox, the second only."""
        sender, store = self.envelope.sender, self.space.store
        if self.letter.answers:
            answer = Answer(sender.member, sender.actor, self.now)
            store.answered_in(self.tx, box_id, self.letter.answers, answer)
        if self.space.mailboxes.charge(self.tx, box_id, kept.size):
            folder_id, uid = store.sent_copy_in(self.tx, box_id, kept, blob_id, thread, self.now // 1000)
            if kept.message_key is not None:
                expect_copy(self.tx, box_id, kept.message_key, folder_id, uid, self.now)

    # ---------------------------------------------------------------- rows
    def _insert(self, addressed: Addressed) -> int:
        """Id of the blob of their copy; copies with the same octets share one."""
        if addressed not in self.inserted:
            blob = self.letter.copies[addressed].blob
            same = next((known for known in self.inserted.values() if known[1].name == blob.ref.name), None)
            self.inserted[addressed] = same or (self.space.blobs.insert(self.tx, blob), blob.ref)
        return self.inserted[addressed][0]

    def _trace(self, author: Author, decided: Sequence[Decision], verdicts: Sequence[Verdict]) -> None:
        """Who, what, answered how; no address, no name."""
        told = Told(self.envelope, self.letter, author, decided, verdicts, fresh=not self.released)
        count(self.tx, self.space, told)
        sender = self.envelope.sender
        actor = f"box {sender.box_id}" if sender.box_id is not None else sender.door.value
        if sender.box_id is None and author.address is not None:
            actor = f"peer {author.address.domain}"[:ACTOR_CHARACTERS]
        details = {
            "door": sender.door.value,
            "fates": Counter(verdict.fate.value for verdict in verdicts),
            "reasons": sorted({verdict.reason.name for verdict in verdicts if verdict.reason}),
            "boxes": sorted(self.served),
            **({"member": sender.member} if sender.team else {}),
        }
        self.space.audit.record(self.tx, "message:mailbox:deliver", actor, details)


def _refused(decision: Decision, ruling: Refused) -> Verdict:
    return Verdict(decision.recipient.address, Fate.REFUSED, ruling.reason, dict(ruling.detail))


def _box_id(decision: Decision) -> int:
    return decision.to.box.id if decision.to is not None and decision.to.box is not None else 0


def _key(address: Address | None) -> str:
    return "" if address is None else address.key

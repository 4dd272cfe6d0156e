"""What we owe after the commit, as job rows in the same transaction (ARCHITECTURE.md, principle 3). Payloads are sealed.

`relay`   {blob, reverse_path, recipients: [{address, notify, orcpt}], domain, envid, ret, smtp_utf8, terms, created_at}: one per
          domain
`held`    {blob, reverse_path, sender: {box_id, actor, member, team, brought}, recipients, envid, ret, smtp_utf8, terms, created_at,
          domain: ""}: comes through the one door again at `terms.hold_until` (`release`)
`file`    {box_id, folder_id, uid, content}: attachments of a citizen's message go to the dossier
`notify`  {box_id, kind: "message", content}: the citizen learns that something came
`learn`   {blob, to, by, domains}: a report that came in says what became of a message of `to`; `by`: who wrote it, or "";
          `domains`: those that its operator serves
`bounce`  {blob, reverse_path, recipients: [{address, orcpt, action, reason, detail}], envid, ret, terms, created_at}: `action` is
          "failed" (with the reason's name) or "delivered" (a success notice was asked for, RFC 3461)
`confirm` {to, what: "command" | "subject" | "near_miss", citizens: [address], subject, terms, created_at}: what became of a
          `[FIN]`
`receipt` {box_id, folder_id, uid}: a citizen opened what asks for a receipt; owed by `citizen_inbox`
`blob` is [name, key in hex, size]; `content` a blob's name, for its trace; `terms` are the envelope's.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any

from foundation.blobs import BlobRef
from foundation.database import Transaction
from mailserver.delivery import hold
from mailserver.delivery.api import Door, Envelope, Fate, Recipient, Verdict
from mailserver.delivery.space import Space
from mailserver.store.sweep import loosen
from mssante.address import Address

NOTICES_BY_MAIL = frozenset({Door.MX, Door.SUBMISSION, Door.BENCH})  # the web page shows its verdicts itself


@dataclass(slots=True)
class Promises:
    """Collected while the recipients are served, written once at the end."""

    space: Space
    envelope: Envelope
    now: int
    relays: defaultdict[str, list[Recipient]] = field(default_factory=lambda: defaultdict(list))
    held: list[Recipient] = field(default_factory=list)
    citizens: list[tuple[int, int, int, str]] = field(default_factory=list)  # box, folder, UID, name of the blob
    closed: defaultdict[str, list[str]] = field(
        default_factory=lambda: defaultdict(list)
    )  # what -> citizens' addresses

    def write(
        self,
        tx: Transaction,
        verdicts: tuple[Verdict, ...],
        blob: tuple[int, BlobRef] | None,
        relay_blob: tuple[int, BlobRef] | None,
        has_attachments: bool,
        subject: str,
    ) -> None:
        if self.held:
            assert relay_blob is not None
            self._hold(tx, relay_blob)  # first: the grace of the blob begins at its hour
        for domain, recipients in self.relays.items():
            assert relay_blob is not None  # inserted with the first relayed recipient
            self._relay(tx, domain, recipients, relay_blob)
        for box_id, folder_id, uid, name in self.citizens:
            if has_attachments:
                self._owe(tx, "file", {"box_id": box_id, "folder_id": folder_id, "uid": uid, "content": name})
            self._owe(tx, "notify", {"box_id": box_id, "kind": "message", "content": name})
        if self.envelope.sender.door not in NOTICES_BY_MAIL or not self.envelope.reverse_path:
            return  # a notice never answers a notice (RFC 5321 6.1)
        self._bounce(tx, verdicts, blob)
        for what, citizens in self.closed.items():
            payload = {"to": self.envelope.reverse_path, "what": what, "citizens": citizens, "subject": subject}
            self._owe(tx, "confirm", payload | {"terms": asdict(self.envelope.terms), "created_at": self.now})

    def learn(
        self, tx: Transaction, verdicts: tuple[Verdict, ...], blob: tuple[int, BlobRef], by: Address | None
    ) -> None:
        """Whoever gets the report here wrote what it is about."""
        to = [verdict.recipient for verdict in verdicts if verdict.fate is Fate.DELIVERED]
        if to and self.envelope.sender.door is not Door.SYSTEM:  # our own say what the traces know
            ref, domains = blob[1], sorted(self.envelope.sender.peer_domains or ())
            payload = {"blob": [ref.name, ref.key.hex(), ref.size], "to": to, "by": by.text if by else ""}
            self._owe(tx, "learn", payload | {"domains": domains})
            loosen(tx, blob[0], self.now)

    def _relay(self, tx: Transaction, domain: str, recipients: list[Recipient], blob: tuple[int, BlobRef]) -> None:
        payload = self._envelope(blob[1]) | {"domain": domain, "recipients": _recipients(recipients)}
        self._owe(tx, "relay", payload, lane=domain)
        loosen(tx, blob[0], self.now)

    def _hold(self, tx: Transaction, blob: tuple[int, BlobRef]) -> None:
        sender, until = self.envelope.sender, self.envelope.terms.hold_until
        assert sender.box_id is not None  # only submission takes the wish
        payload = self._envelope(blob[1]) | {
            "domain": "",
            "sender": {
                "box_id": sender.box_id,
                "actor": sender.actor,
                "member": sender.member,
                "team": sender.team,
                "brought": asdict(sender.brought),
            },
            "recipients": _recipients(self.held),
        }
        self._owe(tx, "held", payload, lane=hold.lane(sender.box_id), due_at=until)
        loosen(tx, blob[0], until)

    def _bounce(self, tx: Transaction, verdicts: tuple[Verdict, ...], blob: tuple[int, BlobRef] | None) -> None:
        """Refusals are bounced only when the door answers 250 for somebody: otherwise the client has its answer."""
        if blob is None:
            return
        told = [
            {
                "address": recipient.address,
                "orcpt": recipient.orcpt,
                "action": action,
                "reason": verdict.reason.name if verdict.reason else None,
                "detail": verdict.detail or {},
            }
            for recipient, verdict in zip(self.envelope.recipients, verdicts, strict=True)
            if (action := _told(recipient, verdict)) is not None
        ]
        if told:
            self._owe(tx, "bounce", self._envelope(blob[1]) | {"recipients": told})
            loosen(tx, blob[0], self.now)

    def _envelope(self, ref: BlobRef) -> dict[str, Any]:
        return {
            "blob": [ref.name, ref.key.hex(), ref.size],
            "reverse_path": self.envelope.reverse_path,
            "envid": self.envelope.envid,
            "ret": self.envelope.ret,
            "smtp_utf8": self.envelope.smtp_utf8,
            "terms": asdict(self.envelope.terms),
            "created_at": self.envelope.arrived_at or self.now,
        }

    def _owe(
        self, tx: Transaction, kind: str, payload: dict[str, Any], lane: str = "", due_at: int | None = None
    ) -> None:
        self.space.jobs.enqueue(tx, kind, payload, due_at, lane, self.envelope.terms.priority)


def _recipients(recipients: list[Recipient]) -> list[dict[str, Any]]:
    return [{"address": one.address, "notify": sorted(one.notify), "orcpt": one.orcpt} for one in recipients]


def _told(recipient: Recipient, verdict: Verdict) -> str | None:
    """RFC 3461 4.1: failures unless NOTIFY says otherwise, successes only when it asks."""
    if verdict.fate is Fate.REFUSED and (not recipient.notify or "FAILURE" in recipient.notify):
        return "failed"
    if verdict.fate is Fate.DELIVERED and "SUCCESS" in recipient.notify:
        return "delivered"
    return None

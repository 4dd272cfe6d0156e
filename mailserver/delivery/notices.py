"""What was promised to be told by mail: the handlers of `bounce`, `confirm`, `receipt` (payloads: `promises`), of `filling`, by
which the holder and the operator learn that a mailbox fills, and of `account`: how one signs in to the mailbox has changed.

A notice is one more message through the one door, behind the null reverse path: to a mailbox of ours it is stored, to another
operator's it is relayed. A handler may run twice; its Message-ID is made from the job, so both are the same message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from foundation.blobs import BlobRef
from foundation.clock import HOUR
from foundation.database import Transaction
from foundation.jobs import Answer, Done, GiveUp, Job, Jobs, Retry
from mailserver.delivery.api import Acceptor, Door, Envelope, Fate, Recipient, Sender, Terms, Verdict
from mailserver.delivery.space import Space
from mailserver.mime import scan
from mailserver.outbound.account_notices import account_changed
from mailserver.outbound.compose import Office, confirmation, filling, filling_for_operator
from mailserver.outbound.giving_back import GivingBack
from mailserver.outbound.receipt import asked_by, receipt
from mailserver.outbound.report import Action, Told, report, wished
from mssante.kinds import BoxKind, BoxState
from mssante.mailbox import mark_told
from mssante.mailboxes import OnMark
from mssante.reason import Reason
from mssante.reasons import NO_RULE, REASONS

log = structlog.get_logger()

TRY_AGAIN = HOUR
TRIES = 72  # the sender's own mailbox is full: as long as we would try a message


class Notices:
    """Register `bounce`, `confirm`, `receipt`, `filling` and `account` with `foundation.jobs`."""

    def __init__(self, space: Space, office: Office, acceptor: Acceptor) -> None:
        self._space = space
        self._office = office
        self._acceptor = acceptor

    def register(self) -> None:
        self._space.jobs.handle("bounce", self.bounce)
        self._space.jobs.handle("confirm", self.confirm)
        self._space.jobs.handle("receipt", self.receipt)
        self._space.jobs.handle("filling", self.filling)
        self._space.jobs.handle("account", self.account)

    async def bounce(self, payload: dict[str, Any], job: Job) -> Answer:
        name, key, size = payload["blob"]
        original, terms = BlobRef(name, bytes.fromhex(key), size), Terms(**payload.get("terms", {}))
        told = [_told(one) for one in payload["recipients"]]
        draft = partial(
            report,
            self._office,
            payload["reverse_path"],
            told,
            token=f"bounce-{job.id}",
            now=job.now,
            arrived_at=payload["created_at"],
            envid=payload["envid"],
            terms=terms,
        )
        given = wished(payload["ret"], told, terms, size)
        desk = GivingBack(self._space.db, self._space.blobs, self._acceptor.accept)
        return _answer(await desk.send(payload["reverse_path"], draft, original, given, terms), job)

    async def confirm(self, payload: dict[str, Any], job: Job) -> Answer:
        content = confirmation(
            self._office,
            payload["to"],
            payload["what"],
            payload["citizens"],
            payload["subject"],
            token=f"confirm-{job.id}",
            now=job.now,
        )
        return await self._send(payload, payload["to"], content, job)

    async def receipt(self, payload: dict[str, Any], job: Job) -> Answer:
        box = await self._space.db.read(self._space.mailboxes.get, payload["box_id"])
        octets = await self._space.store.content(payload["folder_id"], payload["uid"])
        if box is None or octets is None:  # deleted since
            return Done()
        opened = await asyncio.to_thread(scan, octets)
        to = asked_by(opened)
        if to is None:
            return Done()
        sent_at = int(opened.date.timestamp() * 1000) if opened.date else job.created_at
        content = receipt(
            self._office, box.address.text, to, opened, token=f"receipt-{job.id}", now=job.created_at, sent_at=sent_at
        )
        return await self._send(payload, to, content, job)

    async def filling(self, payload: dict[str, Any], job: Job) -> Answer:
        """`box`, `percent`; `operator`: the notice is for who runs this server."""
        percent, token = payload["percent"], f"filling-{job.id}"
        box = await self._space.db.read(self._space.mailboxes.get, payload["box"])
        if box is None or box.state is BoxState.CLOSED:
            return Done()
        used, limit = await self._space.db.read(self._space.mailboxes.quota, box.id)
        if mark_told(percent, used, limit) < percent:  # room was made meanwhile
            return Done()
        if not payload["operator"]:
            content = filling(self._office, box.address.text, percent, used, limit, token=token, now=job.now)
            return await self._send(payload, box.address.text, content, job)
        log.warning("mailbox_filling", box=box.id, percent=percent)
        reader = await self._space.db.read(self._space.mailboxes.resolve, self._office.address)
        if reader is None or reader.id == box.id:
            return Done()
        name = f"n° {box.id}" if box.kind is BoxKind.CIT else box.address.text
        content = filling_for_operator(self._office, name, percent, token=token, now=job.now)
        return await self._send(payload, self._office.address, content, job)

    async def account(self, payload: dict[str, Any], job: Job) -> Answer:
        """`box`, `what`: of `account_notices.CHANGES`."""
        box = await self._space.db.read(self._space.mailboxes.get, payload["box"])
        if box is None or box.state is BoxState.CLOSED:
            return Done()
        token, to = f"account-{job.id}", box.address.text
        return await self._send(
            payload, to, account_changed(self._office, to, payload["what"], token=token, now=job.now), job
        )

    async def _send(self, payload: dict[str, Any], to: str, content: bytes, job: Job) -> Answer:
        terms = Terms(**payload.get("terms", {})).for_notice()
        envelope = Envelope(Sender(Door.SYSTEM), "", (Recipient(to, frozenset({"NEVER"})),), terms=terms)
        outcome = await self._acceptor.accept(envelope, self._space.blobs.prepare(content))
        return _answer(outcome.verdicts[0], job)


def _answer(verdict: Verdict, job: Job) -> Answer:
    if verdict.fate is not Fate.REFUSED:
        return Done()
    reason = verdict.reason or NO_RULE
    if reason.permanent or job.attempts >= TRIES:
        return GiveUp(reason.name)
    return Retry(TRY_AGAIN, reason.name)


def promise_filling(jobs: Jobs) -> OnMark:
    """For `Mailboxes`: one mail to the holder and one to the operator, each with its own fate."""

    def promise(tx: Transaction, box_id: int, percent: int) -> None:
        for operator in (False, True):
            jobs.enqueue(tx, "filling", {"box": box_id, "percent": percent, "operator": operator})

    return promise


def promise_account_notice(jobs: Jobs) -> Callable[[Transaction, int, str], None]:
    """`tell(tx, box, what)`: a mail to the mailbox, of `account_notices.CHANGES`, when this commits."""

    def promise(tx: Transaction, box_id: int, what: str) -> None:
        jobs.enqueue(tx, "account", {"box": box_id, "what": what})

    return promise


def _told(one: dict[str, Any]) -> Told:
    if one["action"] == "delivered":
        return Told(one["address"], Action.DELIVERED, "2.0.0", orcpt=one["orcpt"])
    reason, detail = REASONS.get(one["reason"], NO_RULE), one["detail"]
    french, english = reason.in_french(detail), reason.in_english(detail)
    if not reason.permanent:
        french = f"{_first_sentence(french)} Envoyez-lui ce message de nouveau plus tard."
        english = f"{_first_sentence(english)} Send them this message again later."
    return Told(one["address"], Action.FAILED, _final_status(reason), french, english, one["orcpt"])


def _final_status(reason: Reason) -> str:
    """A report of failure is final: 4.2.2 at the door becomes 5.2.2 here (RFC 3464 2.3.4)."""
    return "5" + reason.enhanced[1:]


def _first_sentence(text: str) -> str:
    """The door promises another try; nobody tries again for one recipient among several."""
    return text.partition(". ")[0].rstrip(".") + "."

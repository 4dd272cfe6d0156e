"""The handler of `relay` jobs: hands a message to the operator of its recipients, tries again, and tells the sender the verdicts.

Each run does one thing whose outcome is then on disk: either a conversation with the peer, or a report to the sender. So a process
that dies in between repeats one step only, and a recipient with a final verdict is never tried or reported again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import structlog

from foundation.blobs import BlobRef, Blobs
from foundation.clock import MINUTE, Clock, system_clock
from foundation.database import Database
from foundation.jobs import Answer, Done, GiveUp, Job, Retry
from foundation.keys import Tampered
from foundation.tally import Tally, within
from mailserver.delivery.api import Fate, Recipient, Terms
from mailserver.delivery.traces import Step, Traces
from mailserver.mime import scan
from mailserver.outbound import errand as words
from mailserver.outbound import peer
from mailserver.outbound.compose import Office
from mailserver.outbound.content import IN_MEMORY, Content, in_seven_bits, stored, whole
from mailserver.outbound.dkim import Signer
from mailserver.outbound.errand import Errand
from mailserver.outbound.giving_back import Accept, GivingBack
from mailserver.outbound.peer import Problem
from mailserver.outbound.report import Told, report, wished
from mailserver.outbound.routes import NoRoute, Resolver
from mailserver.outbound.schedule import Patience
from mailserver.outbound.transaction import Accepted, Parcel, Result
from mssante.operators import Route

log = structlog.get_logger()

URGENT = 4  # MT-PRIORITY of urgent mail (RFC 6710 Appendix B)
REPORT_WAIT = 15 * MINUTE  # when the sender's mailbox is full or suspended


class Carrier(Protocol):
    async def deliver(self, routes: list[Route], parcel: Parcel) -> dict[str, Result]: ...


@dataclass(frozen=True, slots=True)
class Relay:
    """A `foundation.jobs` handler: `jobs.handle("relay", Relay(...))`. `signers`: by the sender's domain."""

    db: Database
    blobs: Blobs
    resolve: Resolver
    courier: Carrier
    accept: Accept
    office: Office
    traces: Traces
    signers: Mapping[str, Signer] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)
    clock: Clock = system_clock
    tally: Tally = field(default_factory=Tally)
    large: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(1)
    )  # held while a message is whole in memory

    async def __call__(self, payload: dict[str, Any], job: Job) -> Answer:
        errand = Errand.read(payload)
        if errand.reports:
            return await self._report(errand, job)
        if 0 < errand.notice_due <= self.clock():
            errand = replace(errand, overdue_told=True)
            if reports := self._overdue(errand):
                return Retry(0, "report", replace(errand, reports=reports, due_at=self.clock()).payload())
        try:
            head, content = await self._content(errand.blob)
        except (KeyError, Tampered):
            return GiveUp("message_lost")
        results = await self._carry(errand, content, errand.smtp_utf8 and not _header_of(head).isascii())
        urgent = errand.terms.priority >= URGENT or _urgent(head)
        errand = replace(errand, tries=errand.tries + 1, urgent=urgent)
        self._count(errand, results)
        await self.db.write(self.traces.stepped, errand.blob.name, self._steps(errand, results), self.clock())
        return self._conclude(errand, results)

    async def _content(self, blob: BlobRef) -> tuple[bytes, Content]:
        """The message's beginning, with its header, and the message."""

        async def read(offset: int, length: int) -> bytes:
            return await self.db.read(self.blobs.read, blob, offset, length)

        head = await read(0, IN_MEMORY)
        return head, whole(head) if blob.size <= IN_MEMORY else await stored(read, blob.size)

    # ---------------------------------------------------------------- to the peer
    async def _carry(self, errand: Errand, content: Content, international: bool) -> dict[str, Result]:
        if errand.terms.too_late(self.clock()):
            return {one.address: peer.TOO_LATE for one in errand.recipients}
        routes = await self.resolve(errand.domain)
        if isinstance(routes, NoRoute):
            problem = peer.NO_SUCH_DOMAIN if routes.permanent else peer.NO_ROUTE
            return {one.address: problem for one in errand.recipients}
        signed = await self._sign(errand, content)
        parcel = Parcel(
            errand.reverse_path,
            errand.recipients,
            errand.domain,
            signed,
            errand.envid,
            errand.ret,
            errand.terms,
            international,
            partial(self._seven_bit, errand, content),
        )
        return await self.courier.deliver(routes, parcel)

    async def _sign(self, errand: Errand, content: Content) -> Content:
        signer = self.signers.get((errand.reverse_path or self.office.address).rpartition("@")[2].lower())
        return content if signer is None else await signer.sign(content)

    async def _seven_bit(self, errand: Errand, content: Content) -> Content | None:
        """Signed as it leaves (RFC 6376 5.3)."""
        async with self.large:
            changed = await in_seven_bits(content)
        return None if changed is None else await self._sign(errand, changed)

    # ---------------------------------------------------------------- verdicts
    def _conclude(self, errand: Errand, results: dict[str, Result]) -> Answer:
        """What the results mean for each recipient, and what to do next."""
        now, until = self.clock(), self._until(errand)
        late = now >= errand.begun_at + self.patience.notice and not errand.told
        reports, waiting, problems, lost = [], [], list[Problem](), False
        for one in errand.recipients:
            result = results[one.address]
            if isinstance(result, Accepted):
                if _tells_of_relay(errand.terms, one, result, now):
                    reports.append(words.relayed(one, result.host, result.reports))
                continue
            problems.append(result)
            if result.permanent or now >= until:
                lost = True
                if words.wants(one, "FAILURE"):
                    reports.append(words.failed(one, result))
                continue
            waiting.append(one)
            if late and words.wants(one, "DELAY"):
                reports.append(words.delayed(one, result, until))
        log.info("relay", waiting=len(waiting), failed=lost, problems=sorted({one.name for one in problems}))
        told = errand.told or late
        marks = (until, errand.notice_due, 0 if told else errand.begun_at + self.patience.notice)
        after = self.patience.wait(errand.tries, now, marks)
        left = replace(errand, recipients=tuple(waiting), told=told, due_at=now + after)
        if reports and errand.reverse_path:  # a notice is never answered by a notice (RFC 5321 6.1)
            return Retry(0, "report", replace(left, reports=tuple(reports)).payload())
        if waiting:
            return Retry(after, words.first_name(problems), left.payload())
        return GiveUp(words.first_name(problems)) if lost and not errand.reverse_path else Done()

    def _count(self, errand: Errand, results: dict[str, Result]) -> None:
        for result in results.values():
            if isinstance(result, Accepted):
                self.tally.count("relayed", within(self.clock() - errand.begun_at))
            else:
                self.tally.count("relay_problems", result.name)

    def _steps(self, errand: Errand, results: dict[str, Result]) -> list[Step]:
        now, over = self.clock(), self.clock() >= self._until(errand)
        steps = []
        for address, result in results.items():
            if isinstance(result, Accepted):
                steps.append(Step(now, address, "accepted", result.host))
            else:
                state = "failed" if result.permanent or over else "deferred"
                steps.append(Step(now, address, state, result.host, result.name, result.status, result.diagnostic))
        return steps

    def _until(self, errand: Errand) -> int:
        until = self.patience.until(errand.begun_at, errand.urgent)
        return min(until, errand.terms.deadline) if errand.terms.returns else until

    def _overdue(self, errand: Errand) -> tuple[Told, ...]:
        """The deadline passed and the tries go on (RFC 2852 4.1.3)."""
        if not errand.reverse_path:
            return ()
        waiting = (one for one in errand.recipients if words.wants(one, "DELAY"))
        return tuple(words.delayed(one, peer.OVERDUE, self._until(errand)) for one in waiting)

    # ---------------------------------------------------------------- to the sender
    async def _report(self, errand: Errand, job: Job) -> Answer:
        """One report for all that is to be told now; its Message-ID is the same when this step runs twice."""
        now, terms = self.clock(), errand.terms
        draft = partial(
            report,
            self.office,
            errand.reverse_path,
            errand.reports,
            token=f"relay-{job.id}-{errand.letters}",
            now=now,
            arrived_at=errand.created_at,
            envid=errand.envid,
            terms=terms,
        )
        given = wished(errand.ret, errand.reports, terms, errand.blob.size)
        desk = GivingBack(self.db, self.blobs, self.accept)
        verdict = await desk.send(errand.reverse_path, draft, errand.blob, given, terms)
        if verdict.fate is Fate.REFUSED:
            later = verdict.reason is not None and not verdict.reason.permanent
            if later and now < errand.begun_at + 2 * self.patience.limit:
                return Retry(REPORT_WAIT, "report_deferred", errand.payload())
            if not errand.recipients:
                return GiveUp("report_refused")
        if not errand.recipients:
            return Done()
        rest = replace(errand, reports=(), letters=errand.letters + 1)
        return Retry(max(0, errand.due_at - now), "waiting", rest.payload())


def _tells_of_relay(terms: Terms, recipient: Recipient, result: Accepted, now: int) -> bool:
    """The next server will not tell (RFC 3461 5.2.7), nor know of the deadline (RFC 2852 4.1.4.2), or each step is asked for."""
    if not result.reports and words.wants(recipient, "SUCCESS"):
        return True
    lost = not result.deliver_by and terms.deadline > now
    return (terms.traced or lost) and "NEVER" not in recipient.notify


def _header_of(head: bytes) -> bytes:
    return head.partition(b"\r\n\r\n")[0]


def _urgent(head: bytes) -> bool:
    """Flagged urgent by its writer: told sooner when it fails (rules.md section 7)."""
    message = scan(head)
    values = (message.header("Priority"), message.header("Importance"), message.header("X-Priority"))
    priority, importance, level = ((value or "").strip().lower() for value in values)
    return priority == "urgent" or importance == "high" or level.startswith("1")

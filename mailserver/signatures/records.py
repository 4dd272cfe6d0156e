"""The TXT records of public keys (RFC 6376 3.6.2), asked of DNS: never for long, and never twice within their time to live.

A trust space may have no DNS at all. When nothing answered several times in a row nothing is asked for a while, so that not every
message waits; that much information is lost meanwhile, and no mail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol

import dns.asyncresolver
import dns.exception
import dns.resolver
import structlog

from foundation.clock import HOUR, MINUTE, SECOND, Clock, system_clock
from mailserver.signatures.verdicts import Verdict

TRY_S, ASK_S = 1.0, 2.0  # one try; all of them
MOST = 2_000  # records remembered
LONGEST = 8_192  # octets of one
LEAST_TTL, MOST_TTL = MINUTE, HOUR
ABSENT_TTL = 5 * MINUTE
FAILED_TTL = 30 * SECOND
DEAF = 3  # questions in a row without any answer

Answer = bytes | Verdict

log = structlog.get_logger()


class Records(Protocol):
    async def __call__(self, name: str) -> Answer:
        """The record at `name` (A-labels, no final dot), or why there is none; never raises."""
        ...


@dataclass(slots=True)
class _Known:
    answer: asyncio.Task[Answer]
    until: float = inf  # ms


class DnsRecords:
    """`make` is called with the first question."""

    def __init__(
        self,
        make: Callable[[], dns.asyncresolver.Resolver] = dns.asyncresolver.Resolver,
        clock: Clock = system_clock,
    ) -> None:
        self._make = make
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._clock = clock
        self._known: dict[str, _Known] = {}  # the oldest first
        self._unanswered = 0
        self._deaf_until = 0

    async def __call__(self, name: str) -> Answer:
        known, now = self._known.get(name), self._clock()
        if known is None or known.until <= now:
            if now < self._deaf_until:
                return Verdict.NO_DNS
            known = self._begin(name)
        return await asyncio.shield(known.answer)  # who gives up leaves the question to others

    def _begin(self, name: str) -> _Known:
        self._known.pop(name, None)
        if len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        asked = asyncio.create_task(self._ask(name))
        known = self._known[name] = _Known(asked)
        return known

    async def _ask(self, name: str) -> Answer:
        answer, lasts = await self._asked(name)
        self._known[name].until = self._clock() + lasts
        return answer

    async def _asked(self, name: str) -> tuple[Answer, int]:
        """The answer, and for how long it is one (ms)."""
        try:
            if self._resolver is None:
                self._resolver = self._make()
                self._resolver.timeout = TRY_S
            found = await self._resolver.resolve(f"{name}.", "TXT", lifetime=ASK_S, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            self._unanswered = 0
            return Verdict.NO_KEY, ABSENT_TTL
        except (dns.exception.DNSException, OSError) as fault:
            if isinstance(fault, dns.exception.Timeout):
                self._count_unanswered()
            return Verdict.NO_DNS, FAILED_TTL
        self._unanswered = 0
        lasts = found.rrset.ttl * SECOND if found.rrset is not None else 0
        return _record([b"".join(row.strings) for row in found]), min(max(lasts, LEAST_TTL), MOST_TTL)

    def _count_unanswered(self) -> None:
        self._unanswered += 1
        if self._unanswered >= DEAF:
            self._deaf_until = self._clock() + FAILED_TTL
            log.warning("dns_silent", seconds=FAILED_TTL // SECOND)


def _record(found: list[bytes]) -> Answer:
    """One record a name (RFC 6376 3.6.2.2); beside it, some zones answer every name with something else."""
    if len(found) > 1:
        found = [one for one in found if one.startswith(b"v=DKIM1")]
    return found[0] if len(found) == 1 and len(found[0]) <= LONGEST else Verdict.KEY_UNUSABLE

"""While the server runs: takes up a new trust list, and says in the log what will soon stop working.

`certificate_ending` is said once per threshold (60, 30, 7, 1 days, over), `trust_list_stale` when no good list was seen for too
long, `revocation_list_ended` when peers will soon be refused for it, `files_unusable` when a renewed file cannot be used;
`we_are_not_listed` when others refuse our mail, as the list is without one of our domains, or has another certificate for it.
The clock too: `clock_jumped` when it was set while we looked away, also counted and written in the audit trail;
`clock_not_synchronised` when nothing keeps it right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import structlog

from certs import crl
from certs.alarms import alarms, current
from certs.contexts import Identity, web_context
from certs.rotating import Rotating
from foundation.clock import HOUR, SECOND, Clock, is_synchronised, steady_clock
from mssante.trust_list import ListRefused
from runtime.certificates import known
from runtime.house import Trust
from runtime.settings import Settings
from runtime.trust import unlisted
from runtime.trust_fetch import tell

log = structlog.get_logger()

JUMP = 5 * SECOND
EVERY = 30.0  # seconds between looks at the trust list's file


async def nothing() -> None:
    return None


class Watch:
    """`steady`: a clock that nobody sets; `synchronised`: whether something keeps the one on the wall right; `record`: writes down
    what somebody changed by hand; `jumped(ms)` is called for each jump of the clock, negative: back. `tells`: of several processes
    one says what is wrong with what all share; the others only take up a new list.
    """

    def __init__(
        self,
        settings: Settings,
        trust: Trust,
        clock: Clock,
        steady: Clock = steady_clock,
        synchronised: Callable[[], bool] = is_synchronised,
        record: Callable[[], Awaitable[None]] = nothing,
        jumped: Callable[[int], None] = lambda _jump: None,
        tells: bool = True,
    ) -> None:
        self._settings, self._trust, self._clock = settings, trust, clock
        self._steady, self._synchronised, self._record, self._jumped = steady, synchronised, record, jumped
        self._tells = tells
        self._ahead = clock() - steady()
        self._kept_right = True
        self._told: dict[str, int] = {}
        self._spoken_at = 0
        self._stale = False
        self._unlisted: dict[str, bool] = {}
        self._files = (trust.store, *_own_files(settings, clock)) if tells else ()
        self._unusable: set[str] = set()  # at the last look
        self._told_of: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.look()
            try:
                await asyncio.wait_for(stop.wait(), EVERY)
            except TimeoutError:
                continue

    async def look(self) -> None:
        found = await asyncio.to_thread(self._trust.holder.follow)
        if not self._tells:
            return
        if isinstance(found, ListRefused):
            log.error("trust_list_refused", reason=str(found))
        elif found is not None:
            tell(found)
        await self._record()
        now = self._clock()
        self._mind_the_clock(now)
        self._mind_the_files()
        await asyncio.to_thread(self._mind_our_place)
        if now - self._spoken_at >= HOUR:
            self._spoken_at = now
            self._speak(now)

    def _mind_the_files(self) -> None:
        """At the second look, as a certificate and its key are renamed one after the other; then with each hour."""
        faults = set()
        for one in self._files:
            one.get()
            if one.fault:
                faults.add(f"{', '.join(path.name for path in one.paths)}: {one.fault}")
        for fault in sorted(faults & self._unusable - self._told_of):
            log.error("files_unusable", fault=fault)
        self._told_of = faults & self._unusable
        self._unusable = faults

    def _mind_our_place(self) -> None:
        try:
            found = unlisted(self._settings, self._trust.trust_list())
        except (OSError, ValueError):
            return  # being replaced, or told by the doctor
        for domain, listed in found.items():
            if self._unlisted.get(domain) is not listed:
                log.error("we_are_not_listed", domain=domain, another_certificate=listed)
        self._unlisted = found

    def _mind_the_clock(self, now: int) -> None:
        ahead = now - self._steady()
        if abs(jump := ahead - self._ahead) > JUMP:
            log.warning("clock_jumped", seconds=jump // SECOND)
            self._jumped(jump)
        self._ahead = ahead

    def _speak(self, now: int) -> None:
        kept_right = self._synchronised()
        if self._kept_right and not kept_right:
            log.warning("clock_not_synchronised")
        self._kept_right = kept_right
        stale = self._trust.holder.stale(now)
        if stale and not self._stale:
            log.error("trust_list_stale")
        self._stale = stale
        for fault in sorted(self._told_of):
            log.error("files_unusable", fault=fault)
        for _, end in crl.ends(self._trust.store.get().crls):
            if now > end:
                log.error("revocation_list_ended", hours=(now - end) // HOUR)
        ends = [one.expiring() for one in known(self._settings)]
        for alarm in alarms(ends, now, self._told):
            log.warning("certificate_ending", what=alarm.name, days_left=alarm.days_left)
        self._told = current(ends, now)


def _own_files(settings: Settings, clock: Clock) -> Iterator[Rotating[Any]]:
    """Our certificates and their keys, as the doors read them: what cannot be used is not taken up, and would not start again."""
    pairs = ((settings.tls.certificate, settings.tls.key), (settings.web.certificate, settings.web.key))
    for certificate, key in pairs:
        if certificate is not None and key is not None:
            identity = Identity(certificate, key)
            try:
                yield Rotating(identity.files, partial(web_context, identity), clock, every=0)
            except (OSError, ValueError):
                continue  # never was usable: this process plays nothing that needs it

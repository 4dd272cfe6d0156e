"""`mssante serve`: one process of the server, from its listening sockets to the last job, and its clean end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog
from starlette.applications import Starlette

from foundation.clock import Clock, system_clock
from foundation.jobs import where
from health_space.dossier.readers import Readers
from mailserver.delivery.accept import Delivery
from runtime import figures, met, promises, revocation
from runtime.doors import Certificates, Close, open_imap, open_ldap, open_smtp, open_web
from runtime.house import House, Trust
from runtime.loop import keep_what_is_there
from runtime.metrics import application
from runtime.notify import beat, notify
from runtime.outgoing import outbox_of
from runtime.pages import site
from runtime.reload import Reload
from runtime.settings import Settings
from runtime.time_check import writing_down
from runtime.trust_record import TrustRecord
from runtime.watch import Watch, nothing

log = structlog.get_logger()

PAUSE = 5.0  # seconds after a fault
Work = Callable[[asyncio.Event], Awaitable[None]]


async def serve(
    settings: Settings,
    sockets: dict[str, socket.socket],
    stop: asyncio.Event,
    first: bool = True,
    clock: Clock = system_clock,
    config: Path | None = None,
) -> None:
    """Plays the settings' roles on `sockets` until `stop`; the `first` of several processes tells what is wrong, and writes down
    what was done by hand. `config`: the settings' file, for a process that nobody else reloads.
    """
    house = House(settings, clock)
    house.files.enter()
    trust = Trust(settings, clock)
    trust.ocsp.unlisted = met.Noting(house, revocation.KIND)
    acceptor = Delivery(house.space(trust))
    certificates = Certificates(settings, clock)
    outbox = outbox_of(settings, clock)
    for_pages, for_jobs = Readers(), Readers()  # slow hostile mail must not hold up a page
    await house.start()
    courier = await promises.register(house, trust, acceptor, outbox, for_jobs)
    closers = await _open_mail(house, trust, certificates, acceptor, sockets)
    closers += await _open_web(house, trust, lambda: site(house, acceptor, for_pages, outbox.send), sockets)
    record = TrustRecord(house, trust).look if first else nothing
    watch = Watch(settings, trust, clock, jumped=writing_down(house), record=record, tells=first)
    if config is not None:
        Reload(settings, config, watch.look).listen()
    tasks = _work(house, watch, stop)
    keep_what_is_there()
    log.info("ready", roles=settings.roles, doors=sorted(sockets))
    notify("READY=1")
    await stop.wait()
    notify("STOPPING=1")
    log.info("stopping")
    await asyncio.gather(*(close() for close in closers))
    await asyncio.gather(*tasks)
    await asyncio.gather(for_pages.close(), for_jobs.close())
    await courier.close()
    await figures.pour(house)
    await house.close()
    log.info("stopped")


async def _open_mail(
    house: House, trust: Trust, certificates: Certificates, acceptor: Delivery, sockets: dict[str, socket.socket]
) -> list[Close]:
    closers = await open_smtp(house, trust, certificates, acceptor, sockets)
    closers += open_imap(house, trust, certificates, sockets)
    closers += open_ldap(house, certificates, sockets)
    return closers


async def _open_web(
    house: House, trust: Trust, pages: Callable[[], Starlette], sockets: dict[str, socket.socket]
) -> list[Close]:
    web, closers = house.settings.web, []
    if "web" in sockets:
        closers.append(await open_web(pages(), sockets["web"], web.certificate, web.key))
    if "metrics" in sockets:
        closers.append(await open_web(application(house, trust), sockets["metrics"]))
    return closers


def _work(house: House, watch: Watch, stop: asyncio.Event) -> list[asyncio.Task[None]]:
    """What goes on beside the doors until `stop`."""
    going_on: dict[str, Work] = {"figures": partial(figures.keep, house), "watch": watch.run, "beat": beat}
    if "jobs" in house.settings.roles:
        going_on["jobs"] = house.jobs.work
    return [asyncio.create_task(_lasting(name, work, stop)) for name, work in going_on.items()]


async def _lasting(name: str, work: Work, stop: asyncio.Event) -> None:
    """A fault ends a turn, never the work: a database that was away comes back, a full disk gets room."""
    while not stop.is_set():
        try:
            await work(stop)
            return
        except Exception as fault:
            log.error("work_failed", work=name, error=type(fault).__name__, where=where(fault))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PAUSE)

"""`mssante serve`: one process of the server, from its listening sockets to the last job, and its clean end."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import structlog

from dmp_bridge.filing import Filer, citizen_address
from foundation.clock import Clock, system_clock
from health_space.dossier.readers import Readers
from health_space.notices.addressees import addressees
from health_space.notices.handler import Notifier
from mailserver.delivery.accept import Delivery
from runtime import annuaire_jobs, figures, revocation, trust_fetch
from runtime.doors import Certificates, Close, open_imap, open_ldap, open_smtp, open_web
from runtime.house import House, Trust
from runtime.loop import keep_what_is_there
from runtime.metrics import application
from runtime.notify import beat, notify
from runtime.outgoing import identity_of, notified, outbox_of, register_outgoing
from runtime.pages import site
from runtime.reload import Reload
from runtime.settings import Settings
from runtime.sweep import filing_traces, keep_traces, sweeping
from runtime.time_check import writing_down
from runtime.trust_record import TrustRecord
from runtime.watch import Watch, nothing

log = structlog.get_logger()


async def serve(
    settings: Settings,
    sockets: dict[str, socket.socket],
    stop: asyncio.Event,
    first: bool = True,
    clock: Clock = system_clock,
    config: Path | None = None,
) -> None:
    """Plays the settings' roles on `sockets` until `stop`; the `first` of several processes writes down what was done by hand.
    `config`: the settings' file, for a process that nobody else reloads.
    """
    house = House(settings, clock)
    house.files.enter()
    trust = Trust(settings, clock)
    acceptor = Delivery(house.space(trust))
    certificates = Certificates(settings, clock)
    outbox = outbox_of(settings, clock)
    for_pages, for_jobs = Readers(), Readers()  # slow hostile mail must not hold up a page
    await house.start()
    courier = register_outgoing(house, trust, acceptor)
    notifier = Notifier(
        house.db, house.keys, addressees(house.mailboxes), outbox.send, notified(house.keys, house.mailboxes)
    )
    house.jobs.handle("notify", notifier)
    house.jobs.handle(
        "file",
        Filer(
            house.db,
            house.keys,
            house.blobs,
            house.jobs,
            house.audit,
            house.store,
            acceptor,
            for_jobs,
            citizen_address(house.mailboxes),
            identity_of(settings),
            clock,
        ),
    )
    house.jobs.handle("sweep", sweeping(house))
    await house.db.write(house.jobs.ensure, "sweep")
    await keep_traces(house)
    house.jobs.handle("trace_index", filing_traces(house))
    await house.db.write(house.jobs.ensure, "trace_index")
    house.jobs.handle(revocation.KIND, revocation.fetching(house))
    await house.db.write(house.jobs.ensure, revocation.KIND)
    if settings.trust_list.url:
        house.jobs.handle(trust_fetch.KIND, trust_fetch.fetching(house, trust))
        await house.db.write(house.jobs.ensure, trust_fetch.KIND)
    await _with_the_annuaire(house)
    closers: list[Close] = await open_smtp(house, trust, certificates, acceptor, sockets)
    closers += open_imap(house, trust, certificates, sockets)
    closers += open_ldap(house, certificates, sockets)
    if "web" in sockets:
        pages = site(house, acceptor, for_pages, outbox.send)
        closers.append(await open_web(pages, sockets["web"], settings.web.certificate, settings.web.key))
    if "metrics" in sockets:
        closers.append(await open_web(application(house, trust), sockets["metrics"]))
    record = TrustRecord(house, trust).look if first else nothing
    watch = Watch(settings, trust, clock, jumped=writing_down(house), record=record)
    tasks = [
        asyncio.create_task(figures.keep(house, stop)),
        asyncio.create_task(watch.run(stop)),
        asyncio.create_task(beat(stop)),
    ]
    if config is not None:
        Reload(settings, config, watch.look).listen()
    if "jobs" in settings.roles:
        tasks.append(asyncio.create_task(house.jobs.work(stop)))
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


async def _with_the_annuaire(house: House) -> None:
    wanted = house.settings.annuaire
    if wanted.url and wanted.sync_minutes:
        house.jobs.handle(annuaire_jobs.FOLLOW, annuaire_jobs.following(house))
        await house.db.write(house.jobs.ensure, annuaire_jobs.FOLLOW)
    if wanted.url:
        house.jobs.handle(annuaire_jobs.PUBLISH, annuaire_jobs.publishing(house))
        await house.db.write(house.jobs.ensure, annuaire_jobs.PUBLISH)

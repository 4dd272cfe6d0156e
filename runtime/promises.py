"""Which handler keeps each kind of job: what is owed after a message, and the recurring work that is always there."""

from __future__ import annotations

from collections.abc import Iterator

from dmp_bridge.filing import Filer, citizen_address
from foundation.jobs import Handler
from health_space.accounts import password_mail
from health_space.accounts.password_mail import PasswordMail
from health_space.dossier.readers import Readers
from health_space.notices.addressees import addressees
from health_space.notices.handler import Notifier
from mailserver.delivery.accept import Delivery
from mailserver.outbound.courier import Courier
from mailserver.outbound.mail_out import Outbox
from runtime import annuaire_jobs, revocation, trust_fetch
from runtime.house import House, Trust
from runtime.outgoing import identity_of, notified, register_outgoing
from runtime.sweep import filing_traces, keep_traces, sweeping


async def register(house: House, trust: Trust, acceptor: Delivery, outbox: Outbox, readers: Readers) -> Courier:
    """All of them; the courier returned is closed at the end. `readers` open hostile files in processes of their own."""
    courier = register_outgoing(house, trust, acceptor)
    send, told = outbox.send, notified(house.keys, house.mailboxes)
    house.jobs.handle("notify", Notifier(house.db, house.keys, addressees(house.mailboxes), send, told))
    told_by_mail = PasswordMail(house.db, house.credentials, house.mailboxes, send)
    house.jobs.handle(password_mail.KIND, told_by_mail)
    house.jobs.handle("file", _filer(house, acceptor, readers))
    await keep_traces(house)
    for kind, handler in _recurring(house, trust):
        house.jobs.handle(kind, handler)
        await house.db.write(house.jobs.ensure, kind)
    return courier


def _filer(house: House, acceptor: Delivery, readers: Readers) -> Filer:
    return Filer(
        house.db,
        house.keys,
        house.blobs,
        house.jobs,
        house.audit,
        house.store,
        acceptor,
        readers,
        citizen_address(house.mailboxes),
        identity_of(house.settings),
        house.clock,
    )


def _recurring(house: House, trust: Trust) -> Iterator[tuple[str, Handler]]:
    wanted = house.settings.annuaire
    yield "sweep", sweeping(house)
    yield "trace_index", filing_traces(house)
    yield revocation.KIND, revocation.fetching(house)
    if house.settings.trust_list.url:
        yield trust_fetch.KIND, trust_fetch.fetching(house, trust)
    if wanted.url and wanted.sync_minutes:
        yield annuaire_jobs.FOLLOW, annuaire_jobs.following(house)
    if wanted.url:
        yield annuaire_jobs.PUBLISH, annuaire_jobs.publishing(house)

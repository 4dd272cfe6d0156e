"""One process's parts, each made once from the settings and handed to those who need it; decides nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from certs.ocsp_client import OcspClient
from certs.rotating import Rotating
from certs.trust_store import TrustStore
from foundation import cores
from foundation.antivirus import Clamd
from foundation.audit import Audit
from foundation.blob_files import FolderFiles
from foundation.blobs import Blobs
from foundation.clock import Clock, system_clock
from foundation.database import Database
from foundation.jobs import Jobs
from foundation.keys import KeyRing
from foundation.tally import Tally
from mailserver.contents.opening import Opener
from mailserver.delivery.activity import Activity
from mailserver.delivery.closing_by_folder import closing_hook
from mailserver.delivery.notices import promise_filling
from mailserver.delivery.space import Space
from mailserver.store.sql import SqlMailStore
from mssante.credentials import Credentials
from mssante.devices import Devices
from mssante.exchanges import Exchanges
from mssante.mailboxes import Mailboxes
from mssante.operators import Operator, parse_route
from mssante.sent_for_later import StillSends
from mssante.token_sign_in import TokenSignIn
from mssante.trust_holder import TrustListHolder
from mssante.trust_list import TrustList
from runtime.attachment_settings import policies_of
from runtime.openid import backchannel_of, code_flow_of, provider_of
from runtime.settings import Settings
from runtime.trust import holder_of, rotating_store

HASH_THREADS = 2  # argon2 frees the interpreter lock: one per core of a small machine
SIGNATURE_THREADS = 2  # one large message must not hold up all others


class House:
    """The parts below the doors. `close` gives everything back."""

    def __init__(self, settings: Settings, clock: Clock = system_clock) -> None:
        self.settings = settings
        self.clock = clock
        self.keys = KeyRing.load(settings.storage.master_key)
        self.db = Database(settings.storage.database)
        self.files = FolderFiles(settings.storage.blobs)
        self.blobs = Blobs(self.files, clock)
        self.audit = Audit(clock)
        self.opener = Opener()
        self.tally, self.activity = Tally(), Activity()
        virus = settings.antivirus
        self.antivirus = Clamd(virus.clamd, virus.seconds) if virus.clamd else None
        self.jobs = Jobs(self.db, self.keys, clock)
        self.pool = ThreadPoolExecutor(HASH_THREADS, thread_name_prefix="hash", initializer=cores.roam)
        self.operator = operator_of(settings)
        self.signature_pool = ThreadPoolExecutor(SIGNATURE_THREADS, thread_name_prefix="signature")
        self.mailboxes = Mailboxes(self.keys, on_mark=promise_filling(self.jobs))
        self.credentials = Credentials(self.db, self.keys, self.mailboxes, self.pool)
        self.devices = Devices(self.db, self.keys)
        provider = provider_of(settings.openid, clock)
        self.tokens = TokenSignIn(self.db, self.keys, self.credentials, provider) if provider is not None else None
        self.phone = backchannel_of(settings.openid, provider, clock)
        self.code_flow = code_flow_of(settings.openid, settings.web.origin, provider, clock)
        self.exchanges = Exchanges(self.keys, self.mailboxes)
        closing = closing_hook(self.mailboxes, self.exchanges, self.audit, clock)
        self.store = SqlMailStore(
            self.db, self.keys, self.blobs, self.mailboxes, on_closed=closing, audit=self.audit, clock=clock
        )

    def space(self, trust: Trust) -> Space:
        """What delivery works with."""
        return Space(
            db=self.db,
            keys=self.keys,
            blobs=self.blobs,
            store=self.store,
            mailboxes=self.mailboxes,
            exchanges=self.exchanges,
            operator=self.operator,
            trusted=lambda domain: trust.trust_list().has(domain),
            jobs=self.jobs,
            audit=self.audit,
            clock=self.clock,
            product_number=self.settings.operator.product_number,
            products=frozenset(
                map(str.upper, (self.settings.operator.product_number, *self.settings.operator.products))
            ),
            held_messages=self.settings.limits.held_messages,
            postmaster=postmaster_of(self.settings),
            may_send=StillSends(self.credentials, self.mailboxes),
            antivirus=self.antivirus,
            unscanned=self.settings.antivirus.when_absent == "accept",
            attachments=policies_of(self.settings.attachments, self.settings.attachments_sent),
            opener=self.opener,
            tally=self.tally,
            activity=self.activity,
        )

    async def start(self) -> None:
        await self.db.start()
        self.mailboxes.listen(self.db)
        self.credentials.listen()

    async def close(self) -> None:
        await self.opener.close()
        await self.db.close()
        self.files.leave()
        for pool in (self.pool, self.signature_pool):
            pool.shutdown(wait=False, cancel_futures=True)


class Trust:
    """What is believed now: authorities with their revocation lists, and the trust list; both follow their files."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.store: Rotating[TrustStore] = rotating_store(settings, clock)
        self.ocsp = OcspClient(clock)
        self.holder: TrustListHolder = holder_of(settings)
        self.holder.load()

    def trust_list(self) -> TrustList:
        assert self.holder.current is not None  # the doctor saw it before the start
        return self.holder.current


def postmaster_of(settings: Settings) -> str:
    """Our notices come from there, answers to them and what is for the postmaster of any of our domains arrive there."""
    return f"postmaster@{settings.operator.domains[0]}"


def operator_of(settings: Settings) -> Operator:
    own = settings.operator
    domains = {*own.domains, *([own.citizen_domain] if own.citizen_domain else [])}
    return Operator(
        host=own.host,
        domains=frozenset(domains),
        citizen_domain=own.citizen_domain or own.citizen_domain_of_space,
        routes={domain: parse_route(door) for domain, door in settings.routes.items()},
    )

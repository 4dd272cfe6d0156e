"""What leaves this operator: the relay to others, notices to private addresses, our own words to senders; wired as job handlers."""

from __future__ import annotations

import re
from pathlib import Path

from certs.contexts import Identity as TlsIdentity
from certs.contexts import relay_context
from certs.rotating import Rotating
from dmp_bridge.answers import Identity
from foundation.clock import Clock
from foundation.database import Transaction
from foundation.keys import KeyRing
from health_space.notices.handler import Notified
from mailserver.delivery import hold
from mailserver.delivery.accept import Delivery
from mailserver.delivery.learning import Learning
from mailserver.delivery.notices import Notices
from mailserver.delivery.release import Release
from mailserver.delivery.traces import NOTIFIED, Traces
from mailserver.outbound.compose import Office
from mailserver.outbound.courier import Courier
from mailserver.outbound.dkim import Signer
from mailserver.outbound.mail_out import FolderOutbox, Letterhead, Outbox, SmtpOutbox
from mailserver.outbound.mail_out import Relay as PrivateRelay
from mailserver.outbound.peer import peer_judge
from mailserver.outbound.relay import Relay
from mailserver.outbound.routes import TableOrDns
from mssante.mailboxes import Mailboxes
from runtime.house import House, Trust, operator_of, postmaster_of
from runtime.settings import Settings
from runtime.signing import signing_keys
from runtime.sockets import split_door


def identity_of(settings: Settings) -> Identity:
    """Who signs our own notices."""
    operator = settings.operator
    return Identity(operator.name, postmaster_of(settings), operator.product_number)


# -------------------------------------------------------------------- to private addresses
class CodesToFiles:
    """The demo's wrapper: a one-time code is also written to a file named after the recipient, where a script can read it."""

    def __init__(self, outbox: Outbox, folder: Path) -> None:
        self._outbox, self._folder = outbox, folder

    async def send(self, to: str, subject: str, text: str) -> None:
        await self._outbox.send(to, subject, text)
        if code := re.search(r"\b\d{6}\b", text):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self._folder / f"{to.partition('@')[0]}.txt").write_text(code[0] + "\n")


def outbox_of(settings: Settings, clock: Clock) -> Outbox:
    """The configured relay, else the folder of .eml files (the doctor saw that there is one)."""
    letterhead = Letterhead(settings.outbox.sender, clock=clock)
    outbox: Outbox
    if settings.outbox.relay:
        host, port = split_door(settings.outbox.relay)
        outbox = SmtpOutbox(PrivateRelay(host, port), letterhead)
    else:
        assert settings.outbox.folder is not None
        outbox = FolderOutbox(settings.outbox.folder, letterhead)
    return CodesToFiles(outbox, settings.outbox.codes) if settings.outbox.codes else outbox


def notified(keys: KeyRing, mailboxes: Mailboxes) -> Notified:
    """The trace of a message says when its citizen was told of it."""
    book = Traces(keys)

    def mark(tx: Transaction, box_id: int, content: str, now: int) -> None:
        if (box := mailboxes.get(tx.conn, box_id)) is not None:
            book.marked(tx, content, box.address.text, NOTIFIED, now)

    return mark


# -------------------------------------------------------------------- to other operators, and to senders
def office_of(settings: Settings) -> Office:
    who = identity_of(settings)
    return Office(settings.operator.host, who.address, who.name, who.product)


def register_outgoing(house: House, trust: Trust, acceptor: Delivery) -> Courier:
    """The handlers of `relay`, `held`, `learn` and of what is told by mail; the courier returned is closed at the end."""
    settings, office = house.settings, office_of(house.settings)
    identity = TlsIdentity(settings.tls.certificate, settings.tls.key)
    context = Rotating(identity.files, lambda: relay_context(identity), house.clock)
    judge = peer_judge(trust.store.get, trust.trust_list, trust.ocsp)
    courier = Courier(settings.operator.host, context.get, judge, house.clock)
    relay = Relay(
        db=house.db,
        blobs=house.blobs,
        resolve=TableOrDns(house.operator.route),
        courier=courier,
        accept=acceptor.accept,
        office=office,
        traces=Traces(house.keys),
        tally=house.tally,
        signers=_signers(settings, house.clock),
        clock=house.clock,
    )
    space = house.space(trust)
    house.jobs.handle("relay", relay)
    house.jobs.handle(hold.KIND, Release(space, acceptor))
    Notices(space, office, acceptor).register()
    house.jobs.handle("learn", Learning(space).learn)
    return courier


def _signers(settings: Settings, clock: Clock) -> dict[str, Signer]:
    keys = signing_keys(settings.dkim)
    return {domain: Signer(domain, keys, clock) for domain in operator_of(settings).domains} if keys else {}

"""The state of one SMTP session, without bytes or transport: what was proven, said and begun (RFC 5321 4.1.4, RFC 3207 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace

from certs.chain import Trusted
from mailserver.delivery.api import Door, Envelope, Recipient, Sender
from mailserver.sasl import Desk
from mailserver.scram import Bind
from mailserver.sign_in import Seats, SignedIn
from mailserver.smtp.arrival import Arrival
from mailserver.smtp.data import ChunkScanner
from mailserver.smtp.grammar import MailCommand, OddPath
from mailserver.smtp.ports import ChainVerdict, DoorRules, House, Tls
from mailserver.smtp.rates import Gauge, Rates
from mssante.address import address_key
from mssante.identity import Invalid
from mssante.rights import OF_ROLE


@dataclass(frozen=True, slots=True)
class Chunks:
    """What BDAT brought so far (RFC 3030); `until`: loop time at which the whole must be here."""

    arrival: Arrival
    scanner: ChunkScanner
    until: float


@dataclass(slots=True)
class Transaction:
    """From MAIL to the end of DATA or the last BDAT."""

    sender: Sender
    mail: MailCommand
    asked: int = 0  # RCPT commands, refused ones too: what RCPTMAX counts (RFC 9422 4.2)
    recipients: list[Recipient] = field(default_factory=list)
    chunks: Chunks | None = None

    def pairs(self, rates: Rates, address: str) -> Iterator[tuple[Gauge, Hashable]]:
        """Who writes to this address, as far as the door knows, and where that is counted: one of our mailboxes; or an address
        that the peer answers for, and the peer itself, as its certificate proves, whatever address it gives.
        """
        peer = self.sender.peer_domains
        yield rates.pair, (self.sender.box_id or (peer, self.mail.reverse_path.lower()), address)
        if peer is not None:
            yield rates.peer_pair, (peer, address)

    def envelope(self) -> Envelope:
        mail = self.mail
        return Envelope(
            sender=self.sender,
            reverse_path=mail.reverse_path,
            recipients=tuple(self.recipients),
            ret=mail.ret,
            envid=mail.envid,
            smtp_utf8=mail.smtp_utf8,
            terms=mail.terms,
        )


@dataclass(slots=True)
class Conversation:
    house: House
    rules: DoorRules
    client_ip: str
    odd_path: OddPath
    secure: bool = False
    peer: ChainVerdict | None = None  # once secure, where certificates are looked at
    bind: Bind | None = None  # of the TLS channel
    hello: str = ""  # name given in HELO or EHLO; "" before
    extended: bool = False
    signed_in: SignedIn | None = None
    doubted: bool = False  # something of who is signed in changed: `stands` looks again
    unwatch: Callable[[], None] = lambda: None
    seats: Seats | None = None  # in shared mailboxes, once somebody writes in the name of one
    transaction: Transaction | None = None
    mails: int = 0  # MAIL commands, refused ones too: what MAILMAX counts (RFC 9422 4.1)
    errors: int = 0
    idle: int = 0  # idle commands since the last message
    refused: int = 0  # recipients

    @property
    def offers_starttls(self) -> bool:
        return self.rules.tls in (Tls.STARTTLS, Tls.OFFERED) and self.house.start_tls is not None

    @property
    def desk(self) -> Desk | None:
        """Where to sign in; None where or while that is not possible."""
        if not self.rules.sign_in or not self.secure or self.house.sign_in is None:
            return None
        bind = self.bind if self.rules.channel_binding else None
        certificate = self.peer.dn if isinstance(self.peer, Trusted) else None
        return Desk(self.house.sign_in, self.client_ip, bind, certificate)

    def enter(self, who: SignedIn) -> None:
        """Somebody signed in, and is looked at again when something of them changes."""
        assert self.house.sign_in is not None
        self.signed_in = who
        self.unwatch = self.house.sign_in.watch(who, self._doubt)
        self.house.sign_in.came(who, self.client_ip, "")

    def _doubt(self) -> None:
        self.doubted = True

    def leave(self) -> None:
        """The connection is over."""
        self.give_up()
        self.unwatch()
        self._forget_seats()

    def _forget_seats(self) -> None:
        if self.seats is not None:
            self.seats.unwatch()
        self.seats = None

    async def writer(self, reverse_path: str) -> SignedIn:
        """Who signed in; or the same person, by the same sign-in, in the shared mailbox from which they write."""
        assert self.signed_in is not None
        key = address_key(reverse_path)
        if not reverse_path or isinstance(key, Invalid) or key == address_key(self.signed_in.address):
            return self.signed_in
        seat = next((seat for seat in await self._seats() if seat.address == key), self.signed_in)
        return replace(seat, brought=self.signed_in.brought)

    async def _seats(self) -> tuple[SignedIn, ...]:
        if self.seats is None:
            assert self.house.sign_in is not None
            assert self.signed_in is not None
            self.seats = await self.house.sign_in.seats(self.signed_in, self._doubt)
        return self.seats.found

    async def stands(self, begun: Transaction | None = None) -> bool:
        """Asked when `doubted`; false when who signed in may send no more: revoked, another role, mailbox closed; or not in the
        name that the message `begun` bears."""
        self.doubted = False
        self._forget_seats()
        assert self.house.sign_in is not None
        assert self.signed_in is not None
        self.signed_in = await self.house.sign_in.standing(self.signed_in)
        if self.signed_in is None or "p" not in OF_ROLE[self.signed_in.role]:
            return False
        begun = begun or self.transaction
        if begun is None or begun.sender.box_id == self.signed_in.box_id:
            return True
        seats = {seat.box_id: seat for seat in await self._seats()}
        return begun.sender.box_id in seats and "p" in OF_ROLE[seats[begun.sender.box_id].role]

    def begin_tls(self, peer: ChainVerdict | None, bind: Bind | None) -> None:
        """RFC 3207 4.2: all that was learnt in the clear is forgotten."""
        self.secure, self.peer, self.bind = True, peer, bind
        self.greet("", extended=False)

    def greet(self, name: str, extended: bool) -> None:
        self.hello, self.extended = name, extended
        self.give_up()

    def give_up(self) -> None:
        """The transaction is over, and what came of its message forgotten (RFC 5321 4.1.1.5)."""
        if self.transaction is not None and self.transaction.chunks is not None:
            self.transaction.chunks.arrival.abort()
        self.transaction = None

    def count_idle(self) -> None:
        self.idle += 1
        if self.idle > self.house.limits.idle_commands:
            self.errors += 1

    def count_delivery(self, transaction: Transaction) -> None:
        self.errors = self.idle = self.refused = 0
        if self.rules.door is not Door.BENCH:
            now = self.house.clock()
            for address in {recipient.address.lower() for recipient in transaction.recipients}:
                self.house.rates.recipient.take(address, now)
                for gauge, pair in transaction.pairs(self.house.rates, address):
                    gauge.take(pair, now)

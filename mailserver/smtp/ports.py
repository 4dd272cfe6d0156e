"""What a door is and what it needs from outside: everything the engine does not know is an argument here (principle 6).

`DoorRules` are the four doors as data; `House` is filled by the composition (runtime) and by tests. TLS is injected because the MX
must let every client certificate through the handshake and judge it afterwards (docs/rules.md section 1), and submission binds
passwords to the TLS channel (RFC 9266): Python's `ssl` can neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from certs import chain
from foundation.blob_receiver import Receiver
from foundation.clock import Clock, system_clock
from foundation.dn import DistinguishedName
from foundation.keys import random_octets
from foundation.tally import Tally
from mailserver.delivery.api import Acceptor, Door
from mailserver.sign_in import SignIn
from mailserver.signatures.checking import Checker
from mailserver.smtp.limits import Limits
from mailserver.smtp.rates import Rates


class Tls(Enum):
    NONE = "none"
    STARTTLS = "starttls"  # RFC 3207, required before MAIL
    OFFERED = "offered"  # RFC 3207, for who wants it
    IMPLICIT = "implicit"  # RFC 8314 3.3


@dataclass(frozen=True, slots=True)
class DoorRules:
    """What one door demands before MAIL."""

    door: Door
    tls: Tls
    sign_in: bool = False
    peer_certificate: bool = False
    channel_binding: bool = False  # offered at sign-in


MX = DoorRules(Door.MX, Tls.STARTTLS, peer_certificate=True)
SUBMISSION = DoorRules(Door.SUBMISSION, Tls.STARTTLS, sign_in=True)
# Mutt and neomutt as Debian builds them take SCRAM-SHA-256-PLUS wherever they see it, cannot do it, and give up: mox, issue 374.
# So port 587 does not show it to them, unless the operator wants it (`tls.bind_submission`).
SUBMISSIONS = DoorRules(Door.SUBMISSION, Tls.IMPLICIT, sign_in=True, channel_binding=True)
BENCH = DoorRules(Door.BENCH, Tls.OFFERED)


class TrustedDomains(Protocol):
    """The part of `mssante.trust_list.TrustList` that the border reads; `generated_at` in ms."""

    @property
    def generated_at(self) -> int: ...
    def has(self, domain: str) -> bool: ...
    def domains_of(self, dn: DistinguishedName) -> frozenset[str]: ...


ChainVerdict = chain.Trusted | chain.Refused

# Turns the connection to TLS and returns the transport to use from then on; raises when the handshake fails or lasts too long.
# The octets are those of the client's hello that were read already (implicit TLS: the loop may read before we say so).
StartTls = Callable[
    [asyncio.AbstractEventLoop, asyncio.Transport, asyncio.Protocol, bytes], Awaitable[asyncio.Transport]
]
# Reads the certificates that a client sent on that transport, and judges them.
JudgePeer = Callable[[asyncio.Transport], Awaitable[ChainVerdict]]


def new_id() -> str:
    return random_octets(12).hex()


@dataclass(frozen=True, slots=True)
class House:
    """`start_tls` for doors with TLS, `sign_in` for submission; for the MX `judge_peer`, `trust` (the list in force) and, where
    signatures are looked at, `checker`. `judge_client`: for the certificates of mail clients, where they are asked for one.
    """

    hostname: str
    acceptor: Acceptor
    new_writer: Callable[[], Receiver]
    aliases: Mapping[str, str] = field(default_factory=dict)  # in small letters: `postmaster` alone, and whom it means
    start_tls: StartTls | None = None
    sign_in: SignIn | None = None
    judge_peer: JudgePeer | None = None
    judge_client: JudgePeer | None = None
    trust: Callable[[], TrustedDomains] | None = None
    limits: Limits = field(default_factory=Limits)
    rates: Rates = field(default_factory=Rates)
    checker: Checker | None = None
    tally: Tally = field(default_factory=Tally)
    clock: Clock = system_clock
    new_id: Callable[[], str] = new_id
    large: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(1)
    )  # held while a message is whole in memory
